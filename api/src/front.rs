//! The front door: one listener for all, HTTP/1.1 and HTTP/2, with or without TLS. Everything that a stranger can make
//! large or slow has a bound here: connections, headers, streams, the time to send a header.
//!
//! A poll is answered here, before any router: it is almost all of the traffic, and a router with its layers costs more
//! than the answer.

mod connections;
pub(crate) mod poll;
mod tls;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, Method, Request};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::app::App;
use crate::auth::Peer;
use crate::error::{Error, REQUEST};
use connections::{Connections, Held};
pub(crate) use tls::acceptor;

const HEADER_TIME: Duration = Duration::from_secs(10);
const HANDSHAKE_TIME: Duration = Duration::from_secs(10);
/// A request, its body and its answer.
const REQUEST_TIME: Duration = Duration::from_secs(30);
/// How long open requests may take once a stop was asked for.
const DRAIN_TIME: Duration = Duration::from_secs(20);
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The listener and what stands behind it.
pub(crate) struct Front {
    pub(crate) listener: TcpListener,
    pub(crate) tls: Option<TlsAcceptor>,
    pub(crate) router: axum::Router,
    pub(crate) app: Arc<App>,
    pub(crate) max_connections: usize,
}

struct Door {
    router: axum::Router,
    app: Arc<App>,
    http: auto::Builder<TokioExecutor>,
}

impl Front {
    /// Serves until `stop`; then lets open requests end.
    pub(crate) async fn serve(self, stop: CancellationToken) -> anyhow::Result<()> {
        let door = Arc::new(Door { router: self.router, app: self.app, http: bounds() });
        let connections = Arc::new(Connections::new(self.max_connections));
        let mut tasks = JoinSet::new();
        let drain = CancellationToken::new();
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                Some(_) = tasks.join_next() => {}
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, peer)) => {
                        let held = connections.hold(drain.child_token());
                        tasks.spawn(converse(Arc::clone(&door), stream, peer, self.tls.clone(), held));
                    }
                    Err(error) => {
                        // Out of file descriptors, mostly: the longest idle go, and waiting does the rest.
                        tracing::warn!(%error, "cannot accept a connection");
                        connections.close_idle();
                        tokio::time::sleep(Duration::from_millis(50)).await;
                    }
                },
            }
        }
        drop(self.listener);
        drain.cancel();
        let all = async { while tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(DRAIN_TIME, all).await.is_err() {
            tracing::warn!("some requests were cut: they took longer than the stop may");
        }
        Ok(())
    }
}

fn bounds() -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIME)
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

async fn converse(
    door: Arc<Door>,
    stream: TcpStream,
    peer: SocketAddr,
    tls: Option<TlsAcceptor>,
    held: Held,
) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "a connection keeps its delay");
    }
    match tls {
        None => speak(door, stream, peer, held).await,
        Some(tls) => match tokio::time::timeout(HANDSHAKE_TIME, tls.accept(stream)).await {
            Ok(Ok(stream)) => speak(door, stream, peer, held).await,
            Ok(Err(error)) => tracing::debug!(%error, %peer, "a TLS handshake failed"),
            Err(_) => tracing::debug!(%peer, "a TLS handshake took too long"),
        },
    }
}

async fn speak<S>(door: Arc<Door>, stream: S, peer: SocketAddr, held: Held)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (closed, used) = (held.closed(), held.used());
    let http = door.http.clone();
    let service = service_fn(move |request| {
        used.now();
        let door = Arc::clone(&door);
        async move { Ok::<_, Infallible>(door.answer(request, peer).await) }
    });
    let connection = http.serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = closed.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, %peer, "a connection ended early");
    }
}

impl Door {
    async fn answer(&self, request: Request<Incoming>, peer: SocketAddr) -> Response {
        if request.method() == Method::GET
            && request.uri().path() == poll::PATH
            && let Some(answer) = poll::from_memory(&self.app, request.headers())
        {
            return answer;
        }
        self.routed(request, peer).await
    }

    /// Everything that is not answered from memory, with a bound on how much of it there is at once.
    async fn routed(&self, request: Request<Incoming>, peer: SocketAddr) -> Response {
        let id = crate::id::new("rq", self.app.clock.now_ms());
        let Ok(_turn) = self.app.requests.try_acquire() else {
            let shed = Error::unavailable("The api has too much to do; try again.", poll::shed_seconds());
            return shed.into_response();
        };
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(Peer(peer.ip()));
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let answer = REQUEST.scope(id.clone(), self.router.clone().oneshot(request));
        let mut answer = match tokio::time::timeout(REQUEST_TIME, answer).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(never)) => match never {},
            Err(_) => {
                let late =
                    Error::unavailable("It took too long; what was written may be there: look first.", 5);
                REQUEST.sync_scope(id.clone(), || late.into_response())
            }
        };
        tracing::debug!(request_id = id, %method, path, status = answer.status().as_u16(), "answered");
        if let Ok(id) = HeaderValue::from_str(&id) {
            answer.headers_mut().insert(REQUEST_ID, id);
        }
        answer
    }
}
