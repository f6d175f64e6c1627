//! One download from one origin: bounded in bytes, time and rate, resumed where it was cut. Nothing is believed here;
//! the proof is made over the whole.

use std::fmt::Display;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use cdn::{Digest, Key};
use program::http::{
    Answer, Bounds, Cause, HeaderMap, HeaderName, Request, StatusCode, capacity, header, looks_like_html,
};
use program::schedule;
use tokio::time::{Instant, sleep, timeout_at};

use crate::health::Tracked;
use crate::origin::{Authority, Place, url};
use crate::{Mismatch, Shared, Why, folder};

/// Parts of one body at one origin: enough for a bad line, an end for a bad origin.
const MOST_PARTS: usize = 100;
/// Attempts in a row that brought no byte. The second is for a kept connection that the other side had just closed.
const MOST_IN_VAIN: usize = 2;
/// Before a cut body is resumed, random, so that those who were cut together do not return together.
const BREATH: Duration = Duration::from_millis(200);

/// What is wanted.
#[derive(Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(crate) key: &'a Key,
    /// The most bytes.
    pub(crate) limit: u64,
    /// The exact number of bytes, where it is signed.
    pub(crate) length: Option<u64>,
}

/// One download.
pub(crate) struct Download<'a> {
    pub(crate) shared: &'a Shared,
    pub(crate) from: &'a Tracked,
    pub(crate) asked: Asked<'a>,
    /// The end of this origin's time.
    pub(crate) until: Instant,
}

/// What came, and what tells a person why it is not what was wanted.
#[derive(Debug, Default)]
pub(crate) struct Body {
    pub(crate) bytes: Vec<u8>,
    host: String,
    /// More came, or would have.
    pub(crate) too_long: bool,
    /// Of the last answer.
    headers: HeaderMap,
    /// To resume by, while it is a strong one.
    etag: Option<String>,
}

/// What an attempt came to that did not bring the whole.
enum Ended {
    /// Worth asking here for the rest.
    Cut(Why),
    /// No use in asking here again.
    For(Why),
}

impl Download<'_> {
    /// The body, whole as far as the origin says. `past_caches` asks those on the way not to answer from their stock.
    pub(crate) async fn run(&self, past_caches: bool) -> Result<Body, Why> {
        match self.from.origin.place() {
            Place::Web { base, authority } => {
                self.web(&url(base, self.asked.key), authority, past_caches).await
            }
            Place::Folder(folder) => self.folder(folder.clone()).await,
        }
    }

    /// A medium may hang for ever, as a file server does that went away: it is waited for as long as for an origin that
    /// sends nothing (FAULTS A7).
    async fn folder(&self, folder: PathBuf) -> Result<Body, Why> {
        let (key, limit) = (self.asked.key.clone(), self.asked.limit);
        let reading = async {
            let permit = Arc::clone(&self.from.readers).acquire_owned().await;
            let read = move || {
                let read = folder::read(&folder, &key, limit);
                drop(permit);
                read
            };
            tokio::task::spawn_blocking(read).await.map_err(|ended| Why::Folder(ended.to_string()))?
        };
        let until = self.until.min(Instant::now() + self.shared.patience.grace);
        let hangs = |_| Why::Folder("it did not answer in time: is its medium still there?".to_owned());
        let bytes = timeout_at(until, reading).await.map_err(hangs)??;
        let too_long = bytes.is_none();
        let bytes = bytes.unwrap_or_default();
        self.count(bytes.len());
        Ok(Body { bytes, too_long, host: self.from.origin.host(), ..Body::default() })
    }

    async fn web(&self, url: &str, place: &Authority, past_caches: bool) -> Result<Body, Why> {
        let mut body = Body { host: self.from.origin.host(), ..Body::default() };
        let mut in_vain = 0;
        for _ in 0..MOST_PARTS {
            let before = body.bytes.len();
            let request = self.request(url, place, past_caches)?;
            let ended = match self.part(request, &mut body).await {
                Ok(()) => return Ok(body),
                Err(Ended::For(why)) => Err(why),
                Err(Ended::Cut(why)) => {
                    in_vain = if body.bytes.len() > before { 0 } else { in_vain + 1 };
                    if in_vain < MOST_IN_VAIN { Ok(()) } else { Err(why) }
                }
            };
            if let Err(why) = ended {
                if matches!(&why, Why::Status { status, .. } if is_denied(*status)) {
                    self.shared.credentials.refused(place);
                }
                return body.ended(why);
            }
            sleep(schedule::jitter(BREATH)).await;
        }
        Err(Why::Http(Cause::Cut {
            got: body.bytes.len() as u64,
            why: format!("and {MOST_PARTS} times before"),
        }))
    }

    fn request(&self, url: &str, place: &Authority, past_caches: bool) -> Result<Request, Why> {
        let mut request = Request::get(url);
        if past_caches {
            request = request.header(header::CACHE_CONTROL, "no-cache");
        }
        match self.shared.credentials.token(place) {
            Ok(Some(token)) => Ok(request.bearer(token.expose())),
            Ok(None) => Ok(request),
            Err(error) => Err(Why::Credential(error.to_string())),
        }
    }

    /// Asks for the body, or for what is missing of it, and adds what comes.
    async fn part(&self, request: Request, body: &mut Body) -> Result<(), Ended> {
        let start = body.bytes.len() as u64;
        let request = if start > 0 { request.resume(start, body.etag.as_deref()) } else { request };
        let left = self.until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(Ended::For(Why::NoTime));
        }
        let bounds = Bounds::new(self.asked.limit, left).with_min_rate(self.shared.patience.min_rate);
        let mut answer = match self.shared.client.open(request, bounds).await {
            Ok(answer) => answer,
            Err(error) => return body.broken(error.cause),
        };
        body.begin(&answer, start)?;
        loop {
            match answer.chunk().await {
                Ok(Some(chunk)) => {
                    self.count(chunk.len());
                    let room = usize::try_from(self.asked.limit).unwrap_or(usize::MAX) - body.bytes.len();
                    body.too_long |= chunk.len() > room;
                    body.bytes.extend_from_slice(&chunk[..chunk.len().min(room)]);
                    if body.too_long {
                        return Ok(());
                    }
                }
                Ok(None) => break,
                Err(error) => return body.broken(error.cause),
            }
        }
        // An end that comes too early without a word: a proxy that lost its upstream.
        let got = body.bytes.len() as u64;
        match self.asked.length {
            Some(length) if got < length && got > start => {
                Err(Ended::Cut(Why::Http(Cause::Cut { got, why: format!("{length} were expected") })))
            }
            Some(_) | None => Ok(()),
        }
    }

    fn count(&self, bytes: usize) {
        self.from.count(bytes as u64);
        self.shared.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

impl Body {
    /// Looks at the head of an answer; what has come before is kept only when this answer goes on from there.
    fn begin(&mut self, answer: &Answer, asked_from: u64) -> Result<(), Ended> {
        match answer.status() {
            StatusCode::OK | StatusCode::PARTIAL_CONTENT => {}
            StatusCode::NOT_FOUND | StatusCode::GONE => return Err(Ended::For(Why::Absent)),
            status => {
                return Err(Ended::For(Why::Status { status, wait: answer.retry_after() }));
            }
        }
        let start = answer.start().map_err(|error| Ended::For(Why::Http(error.cause)))?;
        if start != asked_from {
            // A whole body instead of the rest (FAULTS G3), or a part that nobody asked for: what came before is worthless.
            self.restart();
        }
        if start != asked_from && start != 0 {
            return Err(if asked_from > 0 {
                Ended::Cut(Why::WrongRange)
            } else {
                Ended::For(Why::WrongRange)
            });
        }
        self.headers = answer.headers().clone();
        self.etag = self.header(&header::ETAG).filter(|etag| etag.starts_with('"')).map(str::to_owned);
        if self.bytes.is_empty() {
            let claimed = self.header(&header::CONTENT_LENGTH).and_then(|length| length.parse().ok());
            self.bytes.reserve(capacity(claimed.unwrap_or_default()));
        }
        Ok(())
    }

    fn header(&self, name: &HeaderName) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// What an error of the connection means for the body.
    fn broken(&mut self, cause: Cause) -> Result<(), Ended> {
        match cause {
            // More than was signed: these are other bytes, however they go on (FAULTS A6).
            Cause::TooLarge { .. } => {
                self.too_long = true;
                Ok(())
            }
            Cause::Cut { .. } | Cause::Protocol(_) => Err(Ended::Cut(Why::Http(cause))),
            Cause::BadRequest(_)
            | Cause::Dns(_)
            | Cause::Connect(_)
            | Cause::Tls(_)
            | Cause::Timeout(..)
            | Cause::TooSlow { .. }
            | Cause::RedirectRefused(_) => Err(Ended::For(Why::Http(cause))),
        }
    }

    /// The last word of an origin. That there is no more is a whole body, and its digest will tell.
    fn ended(self, why: Why) -> Result<Self, Why> {
        let no_more =
            matches!(&why, Why::Status { status, .. } if *status == StatusCode::RANGE_NOT_SATISFIABLE);
        if no_more && !self.bytes.is_empty() { Ok(self) } else { Err(why) }
    }

    fn restart(&mut self) {
        self.bytes.clear();
        self.etag = None;
    }

    /// Says how these bytes differ from those that were wanted.
    pub(crate) fn mismatch(&self, expected: Digest, length: Option<u64>) -> Mismatch {
        Mismatch {
            host: self.host.clone(),
            expected,
            length,
            actual: (!self.too_long).then(|| Digest::of(&self.bytes)),
            bytes: self.bytes.len() as u64,
            looks_like: self.looks_like(),
        }
    }

    /// A refusal with what the bytes look like.
    pub(crate) fn reason(&self, error: &impl Display) -> String {
        match self.looks_like() {
            Some(form) => format!("{error}; it looks like {form} from {}", self.host),
            None => error.to_string(),
        }
    }

    fn looks_like(&self) -> Option<String> {
        if looks_like_html(&self.headers, &self.bytes) {
            return Some("HTML".to_owned());
        }
        let coding = self.header(&header::CONTENT_ENCODING).filter(|coding| *coding != "identity")?;
        Some(format!("{} compressed on the way", coding.escape_debug()))
    }
}

fn is_denied(status: StatusCode) -> bool {
    matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN)
}
