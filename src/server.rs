//! `Server`: the api as the commands see it. One bounded client, the credential in one place, pages followed to their
//! end, and every refusal as a [`Failure`] with its exit code.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use api::routes::notice;
use api::routes::page::Page;
use cdn::Secret;
use cdn::wire::Problem;
use program::http::{Bounds, Cause, Client, FetchError, Method, Request, Response, StatusCode, header};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::exit::{Exit, Failure};

/// The most bytes of one answer: a page of 1,000 entries, or one cluster with all that it reported.
const MAX_BYTES: u64 = 16 << 20;
/// The most time for one answer.
const DEADLINE: Duration = Duration::from_mins(1);
/// Entries of a page that this program asks for.
const PAGE: &str = "500";
/// Pages that are followed: a server that never ends a list must not keep us for ever.
const MAX_PAGES: usize = 10_000;

/// One api.
#[derive(Debug)]
pub(crate) struct Server {
    client: Client,
    url: String,
    token: Secret,
    /// What the api has to say to everyone was said.
    noticed: AtomicBool,
}

/// A change of something that was read before.
#[derive(Debug, Default)]
pub(crate) struct Terms<'t> {
    /// Only if it is still this (an ETag with its quotes).
    pub(crate) if_match: Option<&'t str>,
    /// The same key again has the same effect once.
    pub(crate) idempotency_key: Option<&'t str>,
}

/// Something that was read, and the ETag to change it with.
#[derive(Debug)]
pub(crate) struct Read<T> {
    /// What was read.
    pub(crate) body: T,
    /// Its ETag, with quotes.
    pub(crate) etag: Option<String>,
}

impl Server {
    /// An api at a URL.
    pub(crate) fn new(client: Client, url: &str, token: Secret) -> Self {
        Self { client, url: url.trim_end_matches('/').to_owned(), token, noticed: AtomicBool::new(false) }
    }

    /// The URL, as it may be shown.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Reads one thing.
    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        self.read(path).await.map(|read| read.body)
    }

    /// Reads one thing with its ETag.
    pub(crate) async fn read<T: DeserializeOwned>(&self, path: &str) -> Result<Read<T>> {
        let response = self.send(Request::get(self.place(path))).await?;
        let etag = response.etag().map(str::to_owned);
        Ok(Read { body: Self::body(&response)?, etag })
    }

    /// Reads one thing that may not be there.
    pub(crate) async fn find<T: DeserializeOwned>(&self, path: &str) -> Result<Option<Read<T>>> {
        match self.read(path).await {
            Ok(read) => Ok(Some(read)),
            Err(error) if crate::exit::exit_of(&error) == Exit::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Reads a whole list, page after page. `query` has no leading `?`.
    pub(crate) async fn list<T: DeserializeOwned>(&self, path: &str, query: &Query) -> Result<Vec<T>> {
        let mut items = Vec::new();
        let mut cursor = None;
        for _ in 0..MAX_PAGES {
            let query = query.clone().add("limit", Some(PAGE)).add("cursor", cursor.as_deref());
            let page: Page<T> = self.get(&format!("{path}{query}")).await?;
            items.extend(page.items);
            match page.next {
                Some(next) => cursor = Some(next),
                None => return Ok(items),
            }
        }
        Err(Failure::new(Exit::Failed, format!("the list {path} does not end")).next("ask for less").into())
    }

    /// Changes something. The answer may be of any type; `serde_json::Value` where it does not matter.
    pub(crate) async fn change<B: Serialize, T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&B>,
        terms: Terms<'_>,
    ) -> Result<T> {
        let mut request = Request::new(method, self.place(path));
        if let Some(body) = body {
            request = request.json(serde_json::to_vec(body).context("write the request's body")?);
        }
        if let Some(etag) = terms.if_match {
            request = request.header(header::IF_MATCH, etag);
        }
        if let Some(key) = terms.idempotency_key {
            request = request.header(header::HeaderName::from_static("idempotency-key"), key);
        }
        let response = self.send(request).await?;
        Self::body(&response)
    }

    /// Makes something: the same `POST` twice, over a lost answer, makes one.
    pub(crate) async fn create<B: Serialize, T: DeserializeOwned>(&self, path: &str, body: &B) -> Result<T> {
        let key = cdn::Digest::from_bytes(cdn::secret::random()).hex();
        let terms = || Terms { idempotency_key: Some(&key[..32]), if_match: None };
        match self.change(Method::POST, path, Some(body), terms()).await {
            // The answer got lost, not necessarily the request: asked once more with the same key.
            Err(error) if was_cut(&error) => self.change(Method::POST, path, Some(body), terms()).await,
            answer => answer,
        }
    }

    fn place(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    async fn send(&self, request: Request) -> Result<Response> {
        let begun = Instant::now();
        let line = format!("{request:?}");
        let bounds = Bounds::new(MAX_BYTES, DEADLINE);
        let response = self.client.fetch(request.bearer(self.token.expose()), bounds).await;
        let response = response.map_err(|error| self.unreachable(error))?;
        tracing::debug!(
            request = line,
            status = response.status.as_u16(),
            milliseconds = begun.elapsed().as_millis(),
            request_id = response.header("x-request-id").unwrap_or_default(),
            "asked the api"
        );
        if let Some(said) = response.header(notice::HEADER)
            && !self.noticed.swap(true, Ordering::Relaxed)
        {
            tracing::warn!("{said}");
        }
        if response.status.is_success() { Ok(response) } else { Err(Self::refusal(&response).into()) }
    }

    fn body<T: DeserializeOwned>(response: &Response) -> Result<T> {
        let bytes: &[u8] = if response.body.is_empty() { b"null" } else { &response.body };
        serde_json::from_slice(bytes).map_err(|error| {
            let why = if response.looks_like_html() {
                "a web page came back: a proxy or a login page stands before the api".to_owned()
            } else {
                error.to_string()
            };
            Self::stranger(response, why).into()
        })
    }

    /// Somebody answers, and not as an api does: it says of every refusal what is wrong.
    fn stranger(response: &Response, why: String) -> Failure {
        let body = String::from_utf8_lossy(&response.body);
        let said = body.lines().next().filter(|line| !line.is_empty() && !response.looks_like_html());
        let said = said.map(|line| format!(": {}", line.chars().take(80).collect::<String>()));
        Failure::new(Exit::Failed, format!("that is not a Windlass api, or an older one: {}", response.at))
            .why(why + &said.unwrap_or_default())
            .next("check --server: it names the port of --listen, not that of health and metrics (--observe-listen)")
    }

    fn unreachable(&self, error: FetchError) -> anyhow::Error {
        unreachable(&self.url, error)
            .next("check that windlass-api runs there, and --server or the context")
            .into()
    }

    fn refusal(response: &Response) -> Failure {
        let problem: Option<Problem> = serde_json::from_slice(&response.body).ok();
        let exit = exit_of(response.status);
        let id = response.header("x-request-id").unwrap_or_default().to_owned();
        let Some(problem) = problem else {
            if response.status.is_client_error() {
                return Self::stranger(response, format!("it answered {}", response.status));
            }
            return Failure::new(exit, format!("the api answered {}", response.status))
                .next(next_of(exit))
                .request(id);
        };
        let id = if problem.request_id.is_empty() { id } else { problem.request_id };
        // The detail already says what to do.
        let next = if problem.detail.is_empty() { next_of(exit) } else { "" };
        Failure::new(exit, problem.title).why(problem.detail).next(next).request(id)
    }
}

/// Nobody answers at the api's URL.
pub(crate) fn unreachable(url: &str, error: FetchError) -> Failure {
    let exit = if matches!(error.cause, Cause::Timeout(..)) { Exit::Timeout } else { Exit::Failed };
    Failure::new(exit, format!("cannot reach the api at {url}")).because(error)
}

/// The exit code that a status stands for.
pub(crate) fn exit_of(status: StatusCode) -> Exit {
    match status.as_u16() {
        401 | 403 => Exit::Auth,
        404 | 410 => Exit::NotFound,
        409 | 412 => Exit::Conflict,
        408 | 429 | 503 | 504 => Exit::Timeout,
        _ => Exit::Failed,
    }
}

fn next_of(exit: Exit) -> &'static str {
    match exit {
        Exit::Auth => "run `windlass whoami`; log in with another token if it is not the right one",
        Exit::NotFound => "see what there is with `windlass get`",
        Exit::Conflict => "look at what is there now, and run the command again",
        Exit::Timeout => "try again in a moment",
        Exit::Ok | Exit::Failed | Exit::Usage | Exit::Partly | Exit::Interrupted => "",
    }
}

/// Whether a request may have been carried out although no answer came.
fn was_cut(error: &anyhow::Error) -> bool {
    let cut = |e: &FetchError| matches!(e.cause, Cause::Cut { .. } | Cause::Protocol(_));
    error.chain().any(|link| link.downcast_ref::<FetchError>().is_some_and(cut))
}

/// The query of a URL.
#[derive(Clone, Debug, Default)]
pub(crate) struct Query(String);

impl Query {
    /// Adds a pair, if there is a value.
    #[must_use]
    pub(crate) fn add(mut self, name: &str, value: Option<&str>) -> Self {
        if let Some(value) = value {
            self.0.push(if self.0.is_empty() { '?' } else { '&' });
            self.0.extend([name, "=", &escaped(value)]);
        }
        self
    }
}

impl std::fmt::Display for Query {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// A text as one part of a URL (RFC 3986: everything but the unreserved characters is escaped).
pub(crate) fn escaped(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~');
    text.bytes().fold(String::new(), |mut out, byte| {
        if plain(byte) {
            out.push(char::from(byte));
        } else {
            out.extend(format!("%{byte:02X}").chars());
        }
        out
    })
}
