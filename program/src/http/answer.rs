//! An answer while it comes in, and a whole one.

use std::time::{Duration, SystemTime};

use ::http::{HeaderMap, HeaderName, StatusCode, header};
use bytes::{Bytes, BytesMut};
use tokio::time::{Instant, timeout};

use super::error::{Bound, Cause, FetchError, innermost};
use super::meter::{Bounds, Meter};

/// What is kept of an error's page: enough for a reason, too little to hurt.
const ERROR_PAGE_BYTES: u64 = 16 * 1024;
/// The most memory that is taken on the word of a length.
const TRUSTED_CAPACITY: u64 = 256 * 1024;

/// An answer whose body is still to be read, piece by piece, under the bounds of its request. Dropping it early
/// closes its connection (HTTP/1.1) or stream (HTTP/2).
#[derive(Debug)]
pub struct Answer {
    inner: reqwest::Response,
    at: String,
    meter: Meter,
    deadline: Instant,
    allowed: Duration,
}

impl Answer {
    pub(super) fn new(
        inner: reqwest::Response,
        at: String,
        bounds: &Bounds,
        deadline: Instant,
    ) -> Result<Self, FetchError> {
        let success = inner.status().is_success();
        let limit = bounds.max_bytes;
        // Believed only where it makes us refuse sooner; the reading is bounded in any case (FAULTS A6).
        if success && inner.content_length().is_some_and(|claimed| claimed > limit) {
            return Err(FetchError { at, cause: Cause::TooLarge { limit } });
        }
        let meter = Meter::new(if success { limit } else { u64::MAX }, bounds.min_rate);
        Ok(Self { inner, at, meter, deadline, allowed: bounds.deadline })
    }

    /// The status; redirects have been followed.
    pub fn status(&self) -> StatusCode {
        self.inner.status()
    }

    /// All headers.
    pub fn headers(&self) -> &HeaderMap {
        self.inner.headers()
    }

    /// Where the answer came from, as it may be shown.
    pub fn at(&self) -> &str {
        &self.at
    }

    /// How long the server asks to wait, see [`Response::retry_after`].
    pub fn retry_after(&self) -> Option<Duration> {
        retry_after(self.headers())
    }

    /// Where in the content this body starts: 0 for a whole body - also when a server ignored the range that was
    /// asked for, so that the caller starts anew (FAULTS G3) - or the start of a 206's Content-Range.
    pub fn start(&self) -> Result<u64, FetchError> {
        if self.status() != StatusCode::PARTIAL_CONTENT {
            return Ok(0);
        }
        let range = self.headers().get(header::CONTENT_RANGE).and_then(|range| range.to_str().ok());
        let start = range
            .and_then(|range| range.strip_prefix("bytes "))
            .and_then(|range| range.split('-').next())
            .and_then(|start| start.parse().ok());
        start.ok_or_else(|| self.fail(Cause::Protocol("a part without a usable Content-Range".to_owned())))
    }

    /// The next piece of the body, or none at its end. The body of anything but a success is cut off silently
    /// at 16 KiB: the status is the news then.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, FetchError> {
        if self.status().is_success() {
            return self.next_chunk().await.map_err(|cause| self.fail(cause));
        }
        let room = ERROR_PAGE_BYTES.saturating_sub(self.meter.read());
        if room == 0 {
            return Ok(None);
        }
        let chunk = self.next_chunk().await.unwrap_or(None);
        Ok(chunk.map(|mut chunk| chunk.split_to(chunk.len().min(usize::try_from(room).unwrap_or(0)))))
    }

    /// The whole body.
    pub async fn whole(mut self) -> Result<Response, FetchError> {
        let claimed = self.inner.content_length().unwrap_or_default();
        let mut body = BytesMut::with_capacity(capacity(claimed));
        while let Some(chunk) = self.chunk().await? {
            body.extend_from_slice(&chunk);
        }
        let (status, headers) = (self.status(), std::mem::take(self.inner.headers_mut()));
        Ok(Response { status, headers, body: body.freeze(), at: self.at })
    }

    async fn next_chunk(&mut self) -> Result<Option<Bytes>, Cause> {
        loop {
            let begun = Instant::now();
            let left = self.deadline.saturating_duration_since(begun);
            if left.is_zero() {
                return Err(Cause::Timeout(Bound::Deadline, self.allowed));
            }
            let came = timeout(left.min(self.meter.patience()), self.inner.chunk()).await;
            let waited = begun.elapsed();
            match came {
                Ok(Ok(Some(chunk))) => return self.meter.waited(waited, chunk.len()).map(|()| Some(chunk)),
                Ok(Ok(None)) => return Ok(None),
                Ok(Err(error)) => return Err(Cause::Cut { got: self.meter.read(), why: innermost(&error) }),
                Err(_) => self.meter.waited(waited, 0)?,
            }
        }
    }

    fn fail(&self, cause: Cause) -> FetchError {
        FetchError { at: self.at.clone(), cause }
    }
}

/// A whole answer.
#[derive(Debug, Clone)]
pub struct Response {
    /// The status; redirects have been followed.
    pub status: StatusCode,
    /// All headers.
    pub headers: HeaderMap,
    /// The body, within the bounds of its request.
    pub body: Bytes,
    /// Where the answer came from, as it may be shown.
    pub at: String,
}

impl Response {
    /// A header's text, if it is there and is text.
    pub fn header(&self, name: impl AsRef<str>) -> Option<&str> {
        self.headers.get(name.as_ref()).and_then(|value| value.to_str().ok())
    }

    /// The ETag, with its quotes.
    pub fn etag(&self) -> Option<&str> {
        self.header(header::ETAG)
    }

    /// How long the server asks to wait (`Retry-After`, in seconds or as a date). Unbounded: see
    /// [`crate::schedule::server_wait`].
    pub fn retry_after(&self) -> Option<Duration> {
        retry_after(&self.headers)
    }

    /// A header that holds a number of seconds, such as `Poll-After`.
    pub fn seconds(&self, name: &HeaderName) -> Option<Duration> {
        self.header(name)?.trim().parse().ok().map(Duration::from_secs)
    }

    /// Whether this is a web page: a captive portal or a proxy's error page where content was expected (FAULTS G4).
    pub fn looks_like_html(&self) -> bool {
        looks_like_html(&self.headers, &self.body)
    }
}

/// Whether a body is a web page, by its type or by how it begins, a byte order mark left aside.
pub fn looks_like_html(headers: &HeaderMap, body: &[u8]) -> bool {
    let typed =
        headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
    let start = String::from_utf8_lossy(&body[..body.len().min(64)]);
    let start = start.trim_start_matches('\u{feff}').trim_start().to_ascii_lowercase();
    typed || start.starts_with("<!doctype html") || start.starts_with("<html")
}

/// How much memory to take for a body of this length; the rest grows with what really comes.
pub fn capacity(claimed: u64) -> usize {
    usize::try_from(claimed.min(TRUSTED_CAPACITY)).unwrap_or_default()
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    wait(headers.get(header::RETRY_AFTER)?.to_str().ok()?, SystemTime::now())
}

fn wait(text: &str, now: SystemTime) -> Option<Duration> {
    if let Ok(seconds) = text.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(text.trim()).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests;
