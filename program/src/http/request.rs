//! What is asked, built in one line: `Request::get(url).bearer(token).if_none_match(etag)`.

use std::fmt;

use ::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use bytes::Bytes;
use reqwest::Url;

use super::error::{Cause, FetchError, place};

/// A request. Mistakes in its parts are told when it is sent, as [`Cause::BadRequest`].
#[derive(Clone)]
pub struct Request {
    pub(super) method: Method,
    pub(super) headers: HeaderMap,
    pub(super) body: Option<Bytes>,
    url: String,
    mistake: Option<&'static str>,
}

impl Request {
    /// A request without a body.
    pub fn new(method: Method, url: impl Into<String>) -> Self {
        let identity = HeaderValue::from_static("identity");
        // Digests are over the stored bytes, so nobody on the way may compress them anew (FAULTS G4).
        let headers = HeaderMap::from_iter([(header::ACCEPT_ENCODING, identity)]);
        Self { method, headers, body: None, url: url.into(), mistake: None }
    }

    /// A GET.
    pub fn get(url: impl Into<String>) -> Self {
        Self::new(Method::GET, url)
    }

    /// A POST of JSON bytes.
    pub fn post_json(url: impl Into<String>, body: impl Into<Bytes>) -> Self {
        Self::new(Method::POST, url).json(body)
    }

    /// A body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = Some(body.into());
        self
    }

    /// A body of JSON bytes.
    #[must_use]
    pub fn json(self, body: impl Into<Bytes>) -> Self {
        self.body(body).header(header::CONTENT_TYPE, "application/json")
    }

    /// A header that everyone may see.
    #[must_use]
    pub fn header(self, name: HeaderName, value: &str) -> Self {
        self.with(name, value, false)
    }

    /// `Authorization: Bearer`, for this URL's host alone.
    #[must_use]
    pub fn bearer(self, token: &str) -> Self {
        self.with(header::AUTHORIZATION, &format!("Bearer {token}"), true)
    }

    /// Asks only for news: the same ETag is answered by 304. The value is a whole ETag, with its quotes.
    #[must_use]
    pub fn if_none_match(self, etag: &str) -> Self {
        self.with(header::IF_NONE_MATCH, etag, false)
    }

    /// Asks for the rest from byte `start` on, if the content is still that of `etag`; see [`super::Answer::start`].
    #[must_use]
    pub fn resume(self, start: u64, etag: Option<&str>) -> Self {
        let ranged = self.with(header::RANGE, &format!("bytes={start}-"), false);
        match etag {
            Some(etag) => ranged.with(header::IF_RANGE, etag, false),
            None => ranged,
        }
    }

    pub(super) fn checked_url(&self) -> Result<Url, FetchError> {
        let bad = |at: String, why| FetchError { at, cause: Cause::BadRequest(why) };
        let url = Url::parse(&self.url).map_err(|_| bad("request".to_owned(), "its URL is not a URL"))?;
        let why = match url.scheme() {
            "http" | "https" if url.username().is_empty() && url.password().is_none() => self.mistake,
            "http" | "https" => Some("its URL carries a user name or password; give credentials by file"),
            _ => Some("its URL is neither http nor https"),
        };
        match why {
            Some(why) => Err(bad(place(&url), why)),
            None => Ok(url),
        }
    }

    fn with(mut self, name: HeaderName, value: &str, secret: bool) -> Self {
        match HeaderValue::from_str(value) {
            Ok(mut value) => {
                value.set_sensitive(secret);
                self.headers.insert(name, value);
            }
            Err(_) => self.mistake = Some("a header or token has characters that HTTP does not allow"),
        }
        self
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = Url::parse(&self.url).map_or_else(|_| "?".to_owned(), |url| place(&url));
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("at", &at)
            .field("headers", &self.headers)
            .field("body_bytes", &self.body.as_ref().map_or(0, Bytes::len))
            .finish_non_exhaustive()
    }
}
