//! The front door: one listener for all, HTTP/1.1 and HTTP/2, with or without TLS. Everything that a stranger can make
//! large or slow has a bound here: connections, headers, streams, the time to send a header or to read an answer.
//!
//! A poll is answered here, before any router: it is almost all of the traffic, and a router with its layers costs more
//! than the answer.

mod connection;
mod connections;
pub(crate) mod poll;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, Method, Request, StatusCode};
use hyper::body::Incoming;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::app::App;
use crate::auth::Peer;
use crate::error::{Error, REQUEST};
use crate::extract::Turn;
use connection::Sending;
use connections::{Connections, Used};

/// How often it is looked for connections that are held for nothing.
const GLANCE: Duration = Duration::from_secs(5);
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
}

impl Front {
    /// Serves until `stop`; then lets open requests end.
    pub(crate) async fn serve(self, stop: CancellationToken) -> anyhow::Result<()> {
        // Longer than an agent that was told to slow down waits, and than its client keeps a connection.
        let idle = Duration::from_secs(self.app.poll_seconds) * 4 + Duration::from_mins(10);
        let connections = Arc::new(Connections::new(self.max_connections, idle));
        let door = Arc::new(Door { router: self.router, app: self.app });
        let mut glance = tokio::time::interval(GLANCE);
        let mut tasks = JoinSet::new();
        let drain = CancellationToken::new();
        loop {
            let accepted = async { (connections.place().await, self.listener.accept().await) };
            tokio::select! {
                () = stop.cancelled() => break,
                Some(_) = tasks.join_next() => {}
                _ = glance.tick() => connections.sweep(),
                accepted = accepted => match accepted {
                    (None, _) => break,
                    (Some(place), Ok((stream, peer))) => {
                        let (held, door) = (connections.hold(place, &drain), Arc::clone(&door));
                        let answer = move |request, used: &Used| door.answer(request, peer, used);
                        tasks.spawn(connection::converse(stream, peer, self.tls.clone(), held, answer));
                    }
                    (Some(_), Err(error)) => {
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

impl Door {
    /// An answer from memory is there at once, and costs a connection nothing beside it.
    fn answer(
        self: &Arc<Self>,
        request: Request<Incoming>,
        peer: SocketAddr,
        used: &Used,
    ) -> impl Future<Output = Response> + Send + use<> {
        let begun =
            self.answer_from_memory(&request).ok_or_else(|| (Arc::clone(self), request, used.flight()));
        async move {
            match begun {
                Ok(answer) => answer,
                Err((door, request, flight)) => {
                    let answer = door.routed(request, peer).await;
                    answer.map(|body| Body::new(Sending::new(body, flight)))
                }
            }
        }
    }

    fn answer_from_memory(&self, request: &Request<Incoming>) -> Option<Response> {
        let is_poll = request.method() == Method::GET && request.uri().path() == poll::PATH;
        if is_poll { poll::from_memory(&self.app, request.headers()) } else { None }
    }

    /// Everything that is not answered from memory, with a bound on how much of it there is at once.
    async fn routed(&self, request: Request<Incoming>, peer: SocketAddr) -> Response {
        let id = crate::id::new("rq", self.app.clock.now_ms());
        let turn = match Turn::take(&self.app) {
            Ok(turn) => turn,
            Err(shed) => return shed.into_response(),
        };
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(turn.clone());
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
        turn.end();
        // Wherever in its transaction a route's write found no room, this is what it answers.
        if answer.status() == StatusCode::INSUFFICIENT_STORAGE {
            self.app.db.note_full();
        }
        tracing::debug!(request_id = id, %method, path, status = answer.status().as_u16(), "answered");
        if let Ok(id) = HeaderValue::from_str(&id) {
            answer.headers_mut().insert(REQUEST_ID, id);
        }
        answer
    }
}
