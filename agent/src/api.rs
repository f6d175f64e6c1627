//! The agent's side of its protocol with the api, and nothing else: `GET /v1/desired`, `POST /v1/report`,
//! `POST /v1/join`. Nothing is retried here; each caller has its own patience.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use cdn::document::Report;
use cdn::limits::POLL_BYTES;
use cdn::wire::{JoinAnswer, JoinRequest, POLL_AFTER, PollAnswer, Problem, SEQ_HEADER, START_HEADER};
use cdn::{Digest, Secret, json};
use program::http::{Bounds, Client, FetchError, HeaderName, Request, Response, StatusCode};

/// The api, as one cluster sees it.
#[derive(Clone, Debug)]
pub(crate) struct Api {
    client: Client,
    url: String,
    /// None while the identity is lost; all clones share it.
    credential: Arc<OnceLock<Secret>>,
    start: String,
}

/// The answer to a poll.
#[derive(Debug)]
pub(crate) enum Polled {
    /// Nothing new.
    Unchanged,
    /// A document to look at.
    News(Box<PollAnswer>),
}

/// Why the api gave no answer that can be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApiError {
    /// Nothing was asked.
    #[error("there is no credential to ask the api with")]
    NoCredential,
    /// No answer.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// An answer, but a refusal.
    #[error("the api answers {status}{}", reason(.problem.as_deref()))]
    Refused {
        /// The status.
        status: StatusCode,
        /// Why, where it says so.
        problem: Option<Box<Problem>>,
        /// How long it asks to wait.
        wait: Option<Duration>,
    },
    /// An answer that nobody can read: a proxy's page, another program.
    #[error("the api's answer cannot be read: {0}")]
    Unreadable(String),
}

fn reason(problem: Option<&Problem>) -> String {
    let Some(problem) = problem else { return String::new() };
    let text = if problem.detail.is_empty() { &problem.title } else { &problem.detail };
    let text: String = text.chars().filter(|c| !c.is_control()).take(300).collect();
    format!(" ({}): {text}", problem.code)
}

const POLL_TIME: Duration = Duration::from_mins(1);
const SMALL_BYTES: u64 = 64 << 10;

impl Api {
    /// The api for whoever holds a credential, or gets it back later. `start` is this start's nonce.
    pub(crate) fn new(client: Client, url: &str, credential: Option<Secret>, start: String) -> Self {
        let credential = Arc::new(credential.map_or_else(OnceLock::new, OnceLock::from));
        Self { client, url: url.to_owned(), credential, start }
    }

    /// Whether there is a credential.
    pub(crate) fn has_credential(&self) -> bool {
        self.credential.get().is_some()
    }

    /// Takes the credential that was lost. One that is here stays.
    pub(crate) fn give(&self, credential: Secret) {
        self.credential.get_or_init(|| credential);
    }

    /// Asks what to run, saying what is held.
    pub(crate) async fn poll(
        &self,
        seq: u64,
        payload: Option<Digest>,
    ) -> Result<(Polled, Option<Duration>), ApiError> {
        let mut request = Request::get(format!("{}/v1/desired", self.url))
            .bearer(self.credential()?)
            .header(HeaderName::from_static(SEQ_HEADER), &seq.to_string())
            .header(HeaderName::from_static(START_HEADER), &self.start);
        if let Some(payload) = payload {
            request = request.if_none_match(&format!("\"{payload}\""));
        }
        let answer = self.client.fetch(request, Bounds::new(POLL_BYTES as u64, POLL_TIME)).await?;
        let wait = answer.seconds(&HeaderName::from_static(POLL_AFTER));
        match answer.status {
            StatusCode::NOT_MODIFIED => Ok((Polled::Unchanged, wait)),
            StatusCode::OK => Ok((Polled::News(Box::new(read(&answer)?)), wait)),
            _ => Err(refused(&answer)),
        }
    }

    /// Says how things are here.
    pub(crate) async fn report(&self, report: &Report) -> Result<(), ApiError> {
        let request = Request::post_json(format!("{}/v1/report", self.url), json::canonical_of(report))
            .bearer(self.credential()?);
        let answer = self.client.fetch(request, Bounds::new(SMALL_BYTES, POLL_TIME)).await?;
        if answer.status.is_success() { Ok(()) } else { Err(refused(&answer)) }
    }

    /// Asks to join; the credential is the join token.
    pub(crate) async fn join(&self, request: &JoinRequest) -> Result<JoinAnswer, ApiError> {
        let request = Request::post_json(format!("{}/v1/join", self.url), json::canonical_of(request))
            .bearer(self.credential()?);
        let answer = self.client.fetch(request, Bounds::new(SMALL_BYTES, POLL_TIME)).await?;
        if answer.status.is_success() { read(&answer) } else { Err(refused(&answer)) }
    }

    fn credential(&self) -> Result<&str, ApiError> {
        self.credential.get().map(Secret::expose).ok_or(ApiError::NoCredential)
    }
}

impl ApiError {
    /// How long the api asks to wait.
    pub(crate) fn wait(&self) -> Option<Duration> {
        match self {
            Self::Refused { wait, .. } => *wait,
            Self::NoCredential | Self::Fetch(_) | Self::Unreadable(_) => None,
        }
    }

    /// What a person can do about a credential that the api does not know. It stays here in any case: the api may be
    /// restored, or the wrong one.
    pub(crate) fn way_back(&self) -> Option<&'static str> {
        match self {
            Self::Refused { status: StatusCode::UNAUTHORIZED, .. } => Some(
                "it does not know this cluster's credential; check that it is the right api, and if the api lost it, \
                 remove the state folder and join anew with a new join token",
            ),
            Self::Refused { .. } | Self::NoCredential | Self::Fetch(_) | Self::Unreadable(_) => None,
        }
    }

    /// The api's own word for why it refuses, where it says one.
    pub(crate) fn code(&self) -> Option<&str> {
        match self {
            Self::Refused { problem, .. } => problem.as_deref().map(|problem| problem.code.as_str()),
            Self::NoCredential | Self::Fetch(_) | Self::Unreadable(_) => None,
        }
    }

    /// Whether somebody has to do something before the same request can succeed.
    pub(crate) fn needs_a_person(&self) -> bool {
        match self {
            Self::Refused { status, .. } => {
                status.is_client_error()
                    && ![StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_MANY_REQUESTS].contains(status)
            }
            Self::NoCredential | Self::Fetch(_) | Self::Unreadable(_) => false,
        }
    }
}

fn read<T: serde::de::DeserializeOwned>(answer: &Response) -> Result<T, ApiError> {
    json::document(&answer.body).map_err(|error| {
        let looks = if answer.looks_like_html() { "it looks like a web page" } else { "it is not as agreed" };
        ApiError::Unreadable(format!("{looks} ({error})"))
    })
}

fn refused(answer: &Response) -> ApiError {
    let problem = json::document::<Problem>(&answer.body).ok().map(Box::new);
    ApiError::Refused { status: answer.status, problem, wait: answer.retry_after() }
}
