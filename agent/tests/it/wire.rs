//! The far side of the wire: a small api that serves what a test gives it and keeps what it is told.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use cdn::document::{Desired, Document, Report};
use cdn::envelope::Envelope;
use cdn::secret::{Token, TokenKind};
use cdn::wire::{JoinAnswer, JoinRequest, JoinState, POLL_AFTER, PollAnswer, SEQ_HEADER};
use cdn::{ClusterId, Digest, PublicKey, json};
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
    /// Who joins is this one.
    pub(crate) cluster: ClusterId,
    token: Token,
    credential: Token,
    /// What a poll is answered with.
    pub(crate) answer: Option<PollAnswer>,
    /// Answer every request with this instead.
    pub(crate) broken: Option<(StatusCode, String)>,
    /// Serve nothing to an agent that holds more than it would get, as the real one does.
    pub(crate) minds_seq: bool,
    /// Ask to be left alone for so many seconds.
    pub(crate) poll_after: Option<u64>,
    /// Lose the answer to every join.
    pub(crate) loses_joins: bool,
    pub(crate) reports: Vec<Report>,
    /// The number of a report that was taken long ago.
    pub(crate) reported: u64,
    /// The keys that joined.
    pub(crate) keys: Vec<PublicKey>,
    pub(crate) joins: usize,
    pub(crate) polls: usize,
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
            minds_seq: false,
            poll_after: None,
            loses_joins: false,
            reports: Vec::new(),
            reported: 0,
            keys: Vec::new(),
            joins: 0,
            polls: 0,
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

async fn join(State(far): Shared, headers: HeaderMap, body: Bytes) -> Response {
    let mut far = far.lock().unwrap();
    if let Some(broken) = &far.broken {
        return broken.clone().into_response();
    }
    if bearer(&headers) != Some(far.token.secret().expose()) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    far.joins += 1;
    far.keys.push(json::document::<JoinRequest>(&body).unwrap().key);
    if far.loses_joins {
        return StatusCode::GATEWAY_TIMEOUT.into_response();
    }
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
    far.polls += 1;
    let held = headers.get(SEQ_HEADER).unwrap().to_str().unwrap().parse::<u64>().unwrap();
    let seq = Envelope::claim::<Desired>(&answer.envelope.to_bytes()).map(|desired| desired.seq);
    if far.minds_seq && seq.is_ok_and(|seq| held > seq) {
        return StatusCode::CONFLICT.into_response();
    }
    let after: HeaderMap =
        far.poll_after.iter().map(|after| (HeaderName::from_static(POLL_AFTER), (*after).into())).collect();
    let etag = format!("\"{}\"", answer.envelope.payload_digest());
    if headers.get(header::IF_NONE_MATCH).is_some_and(|held| *held == etag) {
        far.unchanged += 1;
        return (StatusCode::NOT_MODIFIED, after).into_response();
    }
    (after, [(header::ETAG, etag)], json::canonical_of(&answer)).into_response()
}

async fn report(State(far): Shared, body: Bytes) -> Response {
    let mut far = far.lock().unwrap();
    if let Some(broken) = &far.broken {
        return broken.clone().into_response();
    }
    assert!(body.len() <= Report::MAX_BYTES);
    let report: Report = cdn::document::read(&body).unwrap();
    if report.number < far.reported {
        let problem = serde_json::json!({
            "code": "report_outdated", "title": "conflict", "status": 409, "number": far.reported,
        });
        return (StatusCode::CONFLICT, problem.to_string()).into_response();
    }
    far.reports.push(report);
    StatusCode::NO_CONTENT.into_response()
}

async fn stranger(State(far): Shared) -> StatusCode {
    far.lock().unwrap().strangers += 1;
    StatusCode::NOT_FOUND
}
