//! One connection: TLS where wanted, HTTP/1.1 or HTTP/2 as the client speaks, and an end for who holds it for nothing.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::Request;
use hyper::body::{Frame, Incoming, SizeHint};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use super::connections::{Flight, Held, Used};

const HANDSHAKE_TIME: Duration = Duration::from_secs(10);

/// What a client may send.
pub(super) fn bounds() -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        // This would run between requests too, and close a connection before its next poll: who sends no head is found
        // by the sweep.
        .header_read_timeout(None)
        .max_headers(64)
        .max_buf_size(32 * 1024);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(64)
        .max_header_list_size(16 * 1024)
        .max_pending_accept_reset_streams(16)
        .max_local_error_reset_streams(64)
        .max_send_buf_size(64 * 1024)
        .keep_alive_interval(Duration::from_mins(5))
        .keep_alive_timeout(Duration::from_secs(20));
    builder
}

/// Answers on a connection that was accepted, until either side ends it.
pub(super) async fn converse<A, F>(
    stream: TcpStream,
    peer: SocketAddr,
    tls: Option<TlsAcceptor>,
    held: Held,
    answer: A,
) where
    A: Fn(Request<Incoming>, &Used) -> F + Send + Sync + 'static,
    F: Future<Output = Response> + Send + 'static,
{
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "a connection keeps its delay");
    }
    let Some(tls) = tls else { return speak(stream, peer, held, answer).await };
    let accepted = tokio::select! {
        accepted = tokio::time::timeout(HANDSHAKE_TIME, tls.accept(stream)) => accepted,
        _ = held.closed() => return,
    };
    match accepted {
        Ok(Ok(stream)) => speak(stream, peer, held, answer).await,
        Ok(Err(error)) => tracing::debug!(%error, %peer, "a TLS handshake failed"),
        Err(_) => tracing::debug!(%peer, "a TLS handshake took too long"),
    }
}

async fn speak<S, A, F>(stream: S, peer: SocketAddr, held: Held, answer: A)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    A: Fn(Request<Incoming>, &Used) -> F + Send + Sync + 'static,
    F: Future<Output = Response> + Send + 'static,
{
    let (http, used) = (bounds(), held.used());
    let service = service_fn(move |request| {
        used.now();
        let answer = answer(request, &used);
        async move { Ok::<_, Infallible>(answer.await) }
    });
    let connection = http.serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        grace = held.closed() => {
            connection.as_mut().graceful_shutdown();
            // Who neither reads nor goes is cut: the place counts until then.
            let Ok(ended) = tokio::time::timeout(grace, connection).await else {
                return tracing::debug!(%peer, "a connection was cut: its client does not read");
            };
            ended
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, %peer, "a connection ended early");
    }
}

/// An answer's body that tells when a piece of it was taken.
#[derive(Debug)]
pub(super) struct Sending {
    body: Body,
    flight: Flight,
}

impl Sending {
    pub(super) fn new(body: Body, flight: Flight) -> Self {
        Self { body, flight }
    }
}

impl hyper::body::Body for Sending {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(context);
        if frame.is_ready() {
            self.flight.moved();
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests;
