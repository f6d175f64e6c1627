//! The api as a publisher sees it: what is wanted, here is a release, here is what became of looking.

use std::time::Duration;

use cdn::Secret;
use cdn::wire::{Problem, PublishStatus, Wanted};
use program::http::{Bounds, Client, FetchError, Request, Response, StatusCode};

/// Bytes of a list of wanted services: some 500 bytes each.
const WANTED_BYTES: u64 = 32 << 20;
const ANSWER_BYTES: u64 = 64 << 10;
const PATIENCE: Duration = Duration::from_mins(1);

/// The api, with a publisher's credential. The token goes to this URL's host alone.
#[derive(Clone, Debug)]
pub struct Api {
    client: Client,
    url: String,
    token: Secret,
}

/// The list of wanted services, and the tag that asks for news of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WantedList {
    /// The services.
    pub wanted: Wanted,
    /// The body as it came, to be kept.
    pub(crate) body: Vec<u8>,
    /// Its ETag.
    pub(crate) etag: Option<String>,
}

/// The api did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// Nobody answers.
    #[error("api: {0}")]
    Fetch(FetchError),
    /// It refuses.
    #[error("api: {at}: {status}{}; {next}", told(.problem.as_deref()))]
    Refused {
        /// What was asked.
        at: String,
        /// The status.
        status: StatusCode,
        /// What it says.
        problem: Option<Box<Problem>>,
        /// The next step.
        next: &'static str,
    },
    /// It answers something else.
    #[error("api: {at} answers what is no list of services: {why}; check --api")]
    Malformed {
        /// What was asked.
        at: String,
        /// What is wrong with it.
        why: String,
    },
}

impl From<FetchError> for ApiError {
    fn from(why: FetchError) -> Self {
        Self::Fetch(why)
    }
}

fn told(problem: Option<&Problem>) -> String {
    let Some(problem) = problem else { return String::new() };
    let line = format!(": {} {} (request {})", problem.title, problem.detail, problem.request_id);
    crate::words::safe(&line, 400)
}

impl Api {
    /// The api at a URL such as `https://windlass.example.com`.
    pub fn new(client: Client, url: &str, token: Secret) -> Self {
        Self { client, url: url.trim_end_matches('/').to_owned(), token }
    }

    /// Where it is.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What is wanted; none if that is what `known` lists.
    pub async fn wanted(&self, known: Option<&WantedList>) -> Result<Option<WantedList>, ApiError> {
        let mut request = Request::get(self.at("/v1/wanted")).bearer(self.token.expose());
        if let Some(etag) = known.and_then(|known| known.etag.as_deref()) {
            request = request.if_none_match(etag);
        }
        let answer = self.client.fetch(request, Bounds::new(WANTED_BYTES, PATIENCE)).await?;
        match answer.status {
            StatusCode::NOT_MODIFIED if known.is_some() => Ok(None),
            StatusCode::OK => Ok(Some(read(&answer)?)),
            _ => Err(refused(&answer)),
        }
    }

    /// Registers a release by its envelope; whether it was new.
    pub async fn register(&self, envelope: &[u8]) -> Result<bool, ApiError> {
        let answer = self.post("/v1/releases", envelope.to_vec()).await?;
        match answer.status {
            StatusCode::CREATED => Ok(true),
            StatusCode::OK => Ok(false),
            _ => Err(refused(&answer)),
        }
    }

    /// Tells what became of looking at a service.
    pub async fn tell(&self, status: &PublishStatus) -> Result<(), ApiError> {
        let answer = self.post("/v1/publish-status", cdn::json::canonical_of(status)).await?;
        if answer.status.is_success() { Ok(()) } else { Err(refused(&answer)) }
    }

    async fn post(&self, path: &str, body: Vec<u8>) -> Result<Response, ApiError> {
        let request = Request::post_json(self.at(path), body).bearer(self.token.expose());
        Ok(self.client.fetch(request, Bounds::new(ANSWER_BYTES, PATIENCE)).await?)
    }

    fn at(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }
}

/// Reads a list that an api gave, now or before it went away.
pub(crate) fn wanted_of(body: &[u8]) -> Result<Wanted, String> {
    cdn::json::document(body).map_err(|error| error.to_string())
}

fn read(answer: &Response) -> Result<WantedList, ApiError> {
    let wanted = wanted_of(&answer.body).map_err(|why| {
        let why = if answer.looks_like_html() { "it looks like a web page".to_owned() } else { why };
        ApiError::Malformed { at: answer.at.clone(), why }
    })?;
    Ok(WantedList { wanted, body: answer.body.to_vec(), etag: answer.etag().map(str::to_owned) })
}

fn refused(answer: &Response) -> ApiError {
    let next = match answer.status {
        StatusCode::UNAUTHORIZED => "check --token-file: it must hold a publisher's credential",
        StatusCode::FORBIDDEN => "the credential is for another project or role; ask for another one",
        StatusCode::NOT_FOUND => "check --api",
        StatusCode::CONFLICT | StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY => {
            "correct what it names; trying the same again changes nothing"
        }
        _ => "it may work later",
    };
    let problem = serde_json::from_slice(&answer.body).ok().map(Box::new);
    ApiError::Refused { at: answer.at.clone(), status: answer.status, problem, next }
}
