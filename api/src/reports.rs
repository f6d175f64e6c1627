//! Reports on their way into the database: many in one transaction, so that an fsync is shared by all that came
//! meanwhile. Each is acknowledged once it is durable (law L11). The queue is bounded in bytes (law L5).

use std::sync::Arc;

use cdn::ClusterId;
use cdn::document::Report;
use metrics::Gauge;
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
    waiting: Gauge,
}

#[derive(Debug)]
struct Queued {
    cluster: ClusterId,
    report: Report,
    done: oneshot::Sender<Told>,
    _place: Place,
}

/// A report's room in the queue; given back when dropped.
#[derive(Debug)]
struct Place {
    waiting: Gauge,
    _bytes: OwnedSemaphorePermit,
}

/// What became of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    Stored,
    /// One with this number, which is newer, was there.
    Outdated(u64),
    /// The database has no room for it.
    Full,
    Failed,
}

impl Place {
    fn new(waiting: Gauge, bytes: OwnedSemaphorePermit) -> Self {
        waiting.increment(1.0);
        Self { waiting, _bytes: bytes }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.waiting.decrement(1.0);
    }
}

impl Reports {
    /// `waiting` counts those that wait.
    pub(crate) fn new(waiting: Gauge) -> Self {
        let (send, receive) = mpsc::unbounded_channel();
        let room = Arc::new(Semaphore::new(QUEUE_BYTES as usize));
        Self { send, receive: Mutex::new(receive), room, waiting }
    }

    /// Queues a report of so many bytes, and waits until it is durable.
    pub(crate) async fn add(&self, cluster: ClusterId, report: Report, bytes: usize) -> Result<()> {
        // A report's tree in memory is a few times its text.
        let bytes = u32::try_from(bytes.saturating_mul(4).max(1_024)).unwrap_or(QUEUE_BYTES);
        let full = || Error::slow_down("Too many reports wait to be written; send it again later.");
        let room = Arc::clone(&self.room).try_acquire_many_owned(bytes).map_err(|_| full())?;
        let (done, written) = oneshot::channel();
        let stopping = |_| Error::unavailable("The api is stopping; send the report again.", 5);
        let queued = Queued { cluster, report, done, _place: Place::new(self.waiting.clone(), room) };
        self.send.send(queued).map_err(|_| full())?;
        match written.await.map_err(stopping)? {
            Told::Stored => Ok(()),
            Told::Outdated(number) => Err(Error::outdated_report(number)),
            Told::Full => Err(Error::full()),
            Told::Failed => {
                Err(Error::unavailable("The database did not take the report; send it again.", 10))
            }
        }
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

/// Writes a batch, all or nothing; where one report of it is what the database refuses, each by itself.
async fn flush(app: &App, batch: Vec<Queued>) {
    let written = write(app, &batch).await;
    let touched = match written {
        Err(error) if batch.len() > 1 && is_about_a_row(&error) => {
            let mut touched = false;
            for queued in batch {
                let one = [queued];
                let written = write(app, &one).await;
                touched |= tell(app, one, written);
            }
            touched
        }
        written => tell(app, batch, written),
    };
    if touched {
        app.passes.wake.notify_one();
        follow::pass(app).await;
    }
}

/// Whether the database took offence at what was to be written, and not at anything else: one report must not take the
/// others of its batch with it.
fn is_about_a_row(error: &sqlx::Error) -> bool {
    let Some(error) = error.as_database_error() else { return false };
    let is_data = error.code().is_some_and(|code| code.len() == 5 && code.starts_with("22"));
    is_data || error.kind() != sqlx::error::ErrorKind::Other
}

/// Tells those who wait; true if an assignment changes by it.
fn tell(app: &App, batch: impl IntoIterator<Item = Queued>, written: db::Result<Written>) -> bool {
    let failed = match &written {
        Err(error) if db::is_full(error) => Told::Full,
        Ok(_) | Err(_) => Told::Failed,
    };
    let written = written.map_err(|error| {
        app.db.note(&error);
        tracing::error!(error = %crate::error::chain(&error), "reports were not written");
    });
    let (told, touched) = written.map_or((Vec::new(), false), |written| (written.told, written.touched));
    let mut told = told.into_iter();
    for queued in batch {
        let told = told.next().unwrap_or(failed);
        match told {
            Told::Stored => app.table.reported(&queued.cluster, queued.report.number),
            Told::Outdated(number) => app.table.reported(&queued.cluster, number),
            Told::Full | Told::Failed => {}
        }
        // Where a connection was cut, nobody waits any more.
        let _nobody_waits: std::result::Result<(), Told> = queued.done.send(told);
    }
    touched
}

#[derive(Debug)]
struct Written {
    /// One for each report, in their order.
    told: Vec<Told>,
    /// An assignment changes by it.
    touched: bool,
}

async fn write(app: &App, batch: &[Queued]) -> db::Result<Written> {
    let now = app.clock.now_ms();
    let mut tx = app.db.write().await?;
    let change = tx.change();
    let mut written = Written { told: Vec::with_capacity(batch.len()), touched: false };
    for Queued { cluster, report, .. } in batch {
        let known = reports::put(&mut tx, cluster, report, now).await?;
        written.told.push(match known {
            Some(known) if known > report.number => Told::Outdated(known),
            Some(_) | None => Told::Stored,
        });
        if known.is_some() {
            continue;
        }
        let mut ended = approvals::finish(&mut tx, cluster, report.passed, now).await?;
        for service in &report.removed {
            ended |= removals::finish(&mut tx, (cluster, service), report.passed, now).await?;
        }
        if ended {
            clusters::touch(&mut tx, cluster, change).await?;
            written.touched = true;
        }
    }
    tx.commit().await?;
    Ok(written)
}
