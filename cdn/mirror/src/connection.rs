//! One connection: TLS where wanted, HTTP/1.1 or HTTP/2 as the client speaks, and an end for who holds it for nothing.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, interval, sleep_until, timeout};
use tokio_rustls::TlsAcceptor;

use crate::open::{Activity, Flight, Held};
use crate::{Shelf, answer};

const HEAD_BYTES: usize = 16 * 1024;
const HEAD_FIELDS: usize = 64;
const STREAMS: u32 = 64;
/// How often a connection is looked at.
const GLANCE: Duration = Duration::from_secs(1);

/// How much to bear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections at once. When another one comes, an idle one gives way to it; where none is idle, it waits.
    pub connections: usize,
    /// From a connection to the end of its first request's head, TLS included.
    pub head: Duration,
    /// How long a kept connection may be without a request.
    pub idle: Duration,
    /// How long an answer may stand still because the client does not read. Generous: what a slow line is still
    /// draining from the kernel's buffers looks the same.
    pub stall: Duration,
    /// How long answers under way may take to end after a stop.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 4_096,
            head: Duration::from_secs(10),
            // Above the agents' two minutes, so that their connections stay warm.
            idle: Duration::from_secs(150),
            stall: Duration::from_mins(2),
            drain: Duration::from_secs(20),
        }
    }
}

/// How long a connection that gives way may take for a request that came at the last moment.
const FAREWELL: Duration = Duration::from_secs(5);

pub(crate) async fn converse(stream: TcpStream, tls: Option<TlsAcceptor>, shelf: Arc<Shelf>, held: Held) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "a connection keeps its delay");
    }
    let Some(tls) = tls else { return speak(stream, shelf, held).await };
    let accepted = tokio::select! {
        accepted = timeout(shelf.limits.head, tls.accept(stream)) => accepted,
        () = held.close.cancelled() => return,
    };
    match accepted {
        Ok(Ok(stream)) => speak(stream, shelf, held).await,
        Ok(Err(error)) => tracing::debug!(%error, "no TLS with a client"),
        Err(_) => tracing::debug!("a client was too slow with TLS"),
    }
}

async fn speak<S>(stream: S, shelf: Arc<Shelf>, held: Held)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let limits = shelf.limits;
    let counted = Arc::clone(&held.activity);
    let service = service_fn(move |request| {
        let answer = answer::to(request, Arc::clone(&shelf), Flight::begin(&counted));
        async move { Ok::<_, std::convert::Infallible>(answer.await) }
    });
    let builder = builder(&limits);
    let mut connection = std::pin::pin!(builder.serve_connection(TokioIo::new(stream), service));
    let mut watch = Watch::new(limits, Instant::now());
    let mut glance = interval(GLANCE);
    let mut until = None;
    loop {
        tokio::select! {
            ended = connection.as_mut() => {
                if let Err(error) = ended {
                    tracing::debug!(error = %error, "a connection ended early");
                }
                return;
            }
            () = held.close.cancelled(), if until.is_none() => {
                connection.as_mut().graceful_shutdown();
                let grace = if held.stop.is_cancelled() { limits.drain } else { FAREWELL.min(limits.drain) };
                until = Some(Instant::now() + grace);
            }
            () = sleep_until(until.unwrap_or_else(Instant::now)), if until.is_some() => return,
            _ = glance.tick() => {
                if let Some(why) = watch.ended(Glimpse::of(&held.activity), Instant::now()) {
                    tracing::debug!(why, "a connection is closed");
                    return;
                }
            }
        }
    }
}

fn builder(limits: &Limits) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        // Between requests too, where the watch below has the last word.
        .header_read_timeout(limits.idle)
        .max_headers(HEAD_FIELDS)
        .max_buf_size(HEAD_BYTES);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(16 * 1024)
        .keep_alive_interval(Duration::from_secs(30))
        .keep_alive_timeout(Duration::from_secs(20));
    builder
}

/// What is seen of a connection at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Glimpse {
    requests: u64,
    bytes: u64,
    under_way: usize,
}

impl Glimpse {
    fn of(activity: &Activity) -> Self {
        Self {
            requests: activity.requests.load(Ordering::Relaxed),
            bytes: activity.bytes.load(Ordering::Relaxed),
            under_way: activity.under_way.load(Ordering::Relaxed),
        }
    }
}

/// Decides when a connection has been held for nothing: no request, no reading, or nothing at all for too long.
#[derive(Debug)]
struct Watch {
    limits: Limits,
    last: Glimpse,
    since: Instant,
}

impl Watch {
    fn new(limits: Limits, now: Instant) -> Self {
        Self { limits, last: Glimpse { requests: 0, bytes: 0, under_way: 0 }, since: now }
    }

    fn ended(&mut self, seen: Glimpse, now: Instant) -> Option<&'static str> {
        if seen != self.last {
            self.last = seen;
            self.since = now;
            return None;
        }
        let (limit, why) = match seen {
            Glimpse { requests: 0, .. } => (self.limits.head, "no request came"),
            Glimpse { under_way: 0, .. } => (self.limits.idle, "it was idle"),
            Glimpse { .. } => (self.limits.stall, "its client does not read"),
        };
        (now.duration_since(self.since) > limit).then_some(why)
    }
}

#[cfg(test)]
mod tests;
