//! Reports on their way into the database: many in one transaction, so that an fsync is shared by all that came
//! meanwhile. Each is acknowledged once it is durable (law L11). The queue is bounded in bytes (law L5).

use std::sync::Arc;

use cdn::ClusterId;
use cdn::document::Report;
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::db::{self, approvals, clusters, removals, reports};
use crate::error::{Error, Result};
use crate::follow;

/// Bytes of reports that may wait.
const QUEUE_BYTES: u32 = 64 << 20;
/// Reports in one transaction.
const BATCH: usize = 500;

/// The queue.
#[derive(Debug)]
pub(crate) struct Reports {
    send: mpsc::UnboundedSender<Queued>,
    receive: Mutex<mpsc::UnboundedReceiver<Queued>>,
    room: Arc<Semaphore>,
}

#[derive(Debug)]
struct Queued {
    cluster: ClusterId,
    report: Report,
    done: oneshot::Sender<bool>,
    _room: OwnedSemaphorePermit,
}

impl Reports {
    pub(crate) fn new() -> Self {
        let (send, receive) = mpsc::unbounded_channel();
        Self { send, receive: Mutex::new(receive), room: Arc::new(Semaphore::new(QUEUE_BYTES as usize)) }
    }

    /// Queues a report of so many bytes, and waits until it is durable.
    pub(crate) async fn add(&self, cluster: ClusterId, report: Report, bytes: usize) -> Result<()> {
        // A report's tree in memory is a few times its text.
        let bytes = u32::try_from(bytes.saturating_mul(4).max(1_024)).unwrap_or(QUEUE_BYTES);
        let full = || Error::slow_down("Too many reports wait to be written; send it again later.");
        let room = Arc::clone(&self.room).try_acquire_many_owned(bytes).map_err(|_| full())?;
        let (done, written) = oneshot::channel();
        let stopping = |_| Error::unavailable("The api is stopping; send the report again.", 5);
        self.send.send(Queued { cluster, report, done, _room: room }).map_err(|_| full())?;
        if written.await.map_err(stopping)? {
            return Ok(());
        }
        Err(Error::unavailable("The database did not take the report; send it again.", 10))
    }

    /// Bytes that wait.
    pub(crate) fn waiting_bytes(&self) -> usize {
        QUEUE_BYTES as usize - self.room.available_permits()
    }
}

/// Writes reports until `stop`, and then what is left.
pub(crate) async fn run(app: &App, stop: CancellationToken) -> anyhow::Result<()> {
    let mut queue = app.reports.receive.lock().await;
    let mut batch = Vec::new();
    loop {
        let count = tokio::select! {
            biased;
            count = queue.recv_many(&mut batch, BATCH) => count,
            () = stop.cancelled() => break,
        };
        if count == 0 {
            break;
        }
        flush(app, std::mem::take(&mut batch)).await;
    }
    Ok(())
}

async fn flush(app: &App, batch: Vec<Queued>) {
    let written = write(app, &batch).await;
    if let Err(error) = &written {
        tracing::error!(error = %crate::error::chain(error), reports = batch.len(), "reports were not written");
    }
    for queued in batch {
        if written.is_ok() {
            app.table.reported(&queued.cluster, queued.report.number);
        }
        // Where a connection was cut, nobody waits any more.
        let _nobody_waits: std::result::Result<(), bool> = queued.done.send(written.is_ok());
    }
    if matches!(written, Ok(true)) {
        app.passes.wake.notify_one();
        follow::pass(app).await;
    }
}

/// Writes a batch; true if an assignment changes by it.
async fn write(app: &App, batch: &[Queued]) -> db::Result<bool> {
    let now = app.clock.now_ms();
    let mut tx = app.db.write().await?;
    let change = tx.change();
    let mut touched = false;
    for Queued { cluster, report, .. } in batch {
        if !reports::put(&mut tx, cluster, report, now).await? {
            continue;
        }
        let mut ended = approvals::finish(&mut tx, cluster, report.seq, now).await?;
        for service in &report.removed {
            ended |= removals::finish(&mut tx, cluster, service, now).await?;
        }
        if ended {
            clusters::touch(&mut tx, cluster, change).await?;
            touched = true;
        }
    }
    tx.commit().await?;
    Ok(touched)
}
