//! A web server in front of a fleet's folder, for what a folder cannot do: be slow, be cut, never end.

use std::path::PathBuf;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use testbed::FaultProxy;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// The folder, served through a proxy that can misbehave.
pub(crate) struct Edge {
    pub(crate) proxy: FaultProxy,
    _server: JoinSet<()>,
}

impl Edge {
    pub(crate) async fn new(folder: PathBuf) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let upstream = listener.local_addr().unwrap().to_string();
        let router = Router::new().fallback(file).with_state(folder);
        let mut server = JoinSet::new();
        server.spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { proxy: FaultProxy::start(&upstream).await.unwrap(), _server: server }
    }
}

async fn file(State(folder): State<PathBuf>, uri: Uri) -> Response {
    match std::fs::read(folder.join(uri.path().trim_start_matches('/'))) {
        Ok(bytes) => bytes.into_response(),
        Err(_) => StatusCode::NOT_FOUND.into_response(),
    }
}
