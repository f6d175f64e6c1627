//! The port that shows how a program is: `/healthz` (it runs), `/readyz` (which part is not ready), `/metrics`.
//! It is apart from the program's own port, so that neither load nor a mistake in routes hides or opens it.

mod listen;
mod readiness;
mod record;
mod reply;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{interval, timeout};
use tokio_util::sync::CancellationToken;

pub use listen::{Listen, ObserveArgs};
pub use readiness::{Part, Readiness};

/// Connections at once; a scraper needs one.
const CONNECTIONS: usize = 32;
/// A connection may stay for several scrapes, not for ever.
const CONNECTION_TIME: Duration = Duration::from_mins(2);
const HEAD_TIME: Duration = Duration::from_secs(5);
const UPKEEP: Duration = Duration::from_secs(10);

/// The listener, bound but not yet serving; or, with [`Listen::Off`], nothing at all.
#[derive(Debug)]
pub struct Observe {
    bound: Option<(TcpListener, reply::Shown)>,
}

/// The address cannot be had.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot listen on {address} for health and metrics: {why}; choose another --observe-listen, or `off`"
)]
pub struct BindError {
    /// The address.
    address: SocketAddr,
    /// What went wrong.
    why: io::Error,
}

impl Observe {
    /// Binds the address and, unless it is off, starts recording metrics in this process.
    pub async fn bind(listen: Listen, readiness: Readiness) -> Result<Self, BindError> {
        let Listen::At(address) = listen else {
            return Ok(Self { bound: None });
        };
        let listener = TcpListener::bind(address).await.map_err(|why| BindError { address, why })?;
        let shown = reply::Shown { readiness, metrics: record::start() };
        Ok(Self { bound: Some((listener, shown)) })
    }

    /// Where it listens, which tells the port when 0 was asked for.
    pub fn address(&self) -> Option<SocketAddr> {
        self.bound.as_ref().and_then(|(listener, _)| listener.local_addr().ok())
    }

    /// Serves until `stop`.
    pub async fn serve(self, stop: CancellationToken) -> anyhow::Result<()> {
        let Some((listener, shown)) = self.bound else {
            stop.cancelled().await;
            return Ok(());
        };
        let slots = Arc::new(Semaphore::new(CONNECTIONS));
        let mut connections = JoinSet::new();
        let mut upkeep = interval(UPKEEP);
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                _ = upkeep.tick() => shown.metrics.upkeep(),
                Some(_) = connections.join_next() => {}
                (slot, accepted) = accept(&listener, &slots) => match accepted {
                    Ok(stream) => {
                        connections.spawn(converse(stream, shown.clone(), slot));
                    }
                    Err(error) => {
                        // Out of file descriptors, mostly: waiting is all that can be done.
                        tracing::warn!(%error, "cannot accept a connection for health and metrics");
                        tokio::time::sleep(Duration::from_millis(100)).await;
                    }
                },
            }
        }
        connections.shutdown().await;
        Ok(())
    }
}

async fn accept(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
) -> (Option<OwnedSemaphorePermit>, io::Result<TcpStream>) {
    let slot = Arc::clone(slots).acquire_owned().await.ok();
    (slot, listener.accept().await.map(|(stream, _)| stream))
}

async fn converse(stream: TcpStream, shown: reply::Shown, _slot: Option<OwnedSemaphorePermit>) {
    let service = service_fn(move |request| {
        let answer = reply::to(&request, &shown);
        async move { Ok::<_, std::convert::Infallible>(answer) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME)
        .max_buf_size(16 * 1024)
        .serve_connection(TokioIo::new(stream), service);
    if let Ok(Err(error)) = timeout(CONNECTION_TIME, connection).await {
        tracing::debug!(%error, "a connection for health and metrics ended early");
    }
}
