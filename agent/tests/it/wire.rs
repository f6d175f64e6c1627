//! The far side of the wire: a small api that serves what a test gives it and keeps what it is told.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use cdn::document::{Document, Report};
use cdn::envelope::Envelope;
use cdn::secret::{Token, TokenKind};
use cdn::wire::{JoinAnswer, JoinState, PollAnswer};
use cdn::{ClusterId, Digest, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// An api that serves one cluster.
pub(crate) struct Wire {
    pub(crate) url: String,
    pub(crate) cluster: ClusterId,
    pub(crate) token: Token,
    far: Arc<Mutex<Far>>,
    _server: JoinSet<()>,
}

/// What the far side knows.
pub(crate) struct Far {
    cluster: ClusterId,
    token: Token,
    credential: Token,
    /// What a poll is answered with.
    pub(crate) answer: Option<PollAnswer>,
    /// Answer every request with this instead.
    pub(crate) broken: Option<(StatusCode, String)>,
    pub(crate) reports: Vec<Report>,
    pub(crate) joins: usize,
    pub(crate) unchanged: usize,
    pub(crate) strangers: usize,
}

impl Wire {
    pub(crate) async fn new(fleet: Digest) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (cluster, token) = (ClusterId::random(), Token::random(TokenKind::Join, Some(fleet)));
        let far = Arc::new(Mutex::new(Far {
            cluster: cluster.clone(),
            token: token.clone(),
            credential: Token::random(TokenKind::Cluster, None),
            answer: None,
            broken: None,
            reports: Vec::new(),
            joins: 0,
            unchanged: 0,
            strangers: 0,
        }));
        let router = Router::new()
            .route("/v1/join", post(join))
            .route("/v1/desired", get(desired))
            .route("/v1/report", post(report))
            .fallback(stranger)
            .with_state(Arc::clone(&far));
        let mut server = JoinSet::new();
        server.spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, cluster, token, far, _server: server }
    }

    pub(crate) fn far(&self) -> MutexGuard<'_, Far> {
        self.far.lock().unwrap()
    }

    /// Serves a document from now on.
    pub(crate) fn serve(&self, envelope: Envelope) {
        self.far().answer = Some(PollAnswer { envelope, objects: BTreeMap::new() });
    }

    /// The last report.
    pub(crate) fn report(&self) -> Report {
        self.far().reports.last().cloned().expect("the agent has reported")
    }
}

type Shared = State<Arc<Mutex<Far>>>;

fn bearer(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")
}

async fn join(State(far): Shared, headers: HeaderMap) -> Response {
    let mut far = far.lock().unwrap();
    if let Some(broken) = &far.broken {
        return broken.clone().into_response();
    }
    if bearer(&headers) != Some(far.token.secret().expose()) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    far.joins += 1;
    let answer = JoinAnswer {
        cluster: far.cluster.clone(),
        credential: far.credential.secret().clone(),
        state: JoinState::Active,
        origins: Vec::new(),
    };
    json::canonical_of(&answer).into_response()
}

async fn desired(State(far): Shared, headers: HeaderMap) -> Response {
    let mut far = far.lock().unwrap();
    if let Some(broken) = &far.broken {
        return broken.clone().into_response();
    }
    if bearer(&headers) != Some(far.credential.secret().expose()) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let Some(answer) = far.answer.clone() else { return StatusCode::SERVICE_UNAVAILABLE.into_response() };
    let etag = format!("\"{}\"", answer.envelope.payload_digest());
    if headers.get(header::IF_NONE_MATCH).is_some_and(|held| *held == etag) {
        far.unchanged += 1;
        return StatusCode::NOT_MODIFIED.into_response();
    }
    ([(header::ETAG, etag)], json::canonical_of(&answer)).into_response()
}

async fn report(State(far): Shared, body: Bytes) -> Response {
    let mut far = far.lock().unwrap();
    if let Some(broken) = &far.broken {
        return broken.clone().into_response();
    }
    assert!(body.len() <= Report::MAX_BYTES);
    far.reports.push(cdn::document::read(&body).unwrap());
    StatusCode::NO_CONTENT.into_response()
}

async fn stranger(State(far): Shared) -> StatusCode {
    far.lock().unwrap().strangers += 1;
    StatusCode::NOT_FOUND
}
