//! From a request to its answer. What may be asked is [`Key::parse`]'s to say, and how it is cached is the key's.

use std::io;
use std::sync::Arc;

use cdn::Key;
use hyper::header::{
    ACCEPT_RANGES, ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, HeaderName,
    HeaderValue, X_CONTENT_TYPE_OPTIONS,
};
use hyper::{Method, Request, Response, StatusCode};

use crate::Shelf;
use crate::body::{self, Counted, Inner};
use crate::conditions::{self, Wanted};
use crate::content::{Content, Piece};
use crate::open::Flight;

const TEXT: &str = "text/plain; charset=utf-8";

pub(crate) async fn to<B>(request: Request<B>, shelf: Arc<Shelf>, flight: Flight) -> Response<Counted> {
    let served = shelf.served.clone();
    let mut answer = found(request, shelf).await;
    answer.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    served.answered(answer.status());
    answer.map(|inner| Counted::new(inner, served, flight))
}

async fn found<B>(request: Request<B>, shelf: Arc<Shelf>) -> Response<Inner> {
    let method = request.method();
    if method != Method::GET && method != Method::HEAD {
        let mut answer = refusal(StatusCode::METHOD_NOT_ALLOWED, "no-store", "only GET and HEAD\n");
        set(&mut answer, ALLOW, "GET, HEAD");
        return answer;
    }
    let Some(key) = Key::parse(request.uri().path()) else { return absent(method) };
    let (method, headers) = (method.clone(), request.headers().clone());
    let looked_up = tokio::task::spawn_blocking(move || {
        let Some(content) = Content::open(&shelf.directory, &key)? else { return Ok(absent(&method)) };
        if conditions::not_modified(&headers, &content.etag) {
            return Ok(headed(StatusCode::NOT_MODIFIED, &key, &content.etag, body::empty()));
        }
        if method == Method::HEAD {
            let mut answer = headed(StatusCode::OK, &key, &content.etag, body::empty());
            describe(&mut answer, &key, content.length);
            return Ok(answer);
        }
        given(&key, content, &headers)
    });
    let failed = |error: io::Error| {
        tracing::warn!(%error, "content cannot be read");
        refusal(StatusCode::INTERNAL_SERVER_ERROR, "no-store", "the content cannot be read; see the log\n")
    };
    looked_up.await.unwrap_or_else(|ended| Err(io::Error::other(ended))).unwrap_or_else(failed)
}

/// The content, or the part of it that is asked for. Blocking.
fn given(key: &Key, content: Content, headers: &hyper::HeaderMap) -> io::Result<Response<Inner>> {
    let (etag, length) = (content.etag.clone(), content.length);
    let whole = |content: Content| content.piece(0, length);
    let (status, piece, range) = match conditions::wanted(headers, &etag, length) {
        Wanted::Whole => (StatusCode::OK, whole(content)?, None),
        Wanted::Part { first, last } => {
            let range = format!("bytes {first}-{last}/{length}");
            (StatusCode::PARTIAL_CONTENT, content.piece(first, last - first + 1)?, Some(range))
        }
        Wanted::Nothing => {
            let mut answer = refusal(StatusCode::RANGE_NOT_SATISFIABLE, "no-store", "no such range\n");
            set(&mut answer, CONTENT_RANGE, &format!("bytes */{length}"));
            return Ok(answer);
        }
    };
    let sent = match &piece {
        Piece::File(_, count) => *count,
        Piece::Bytes(bytes) => bytes.len() as u64,
    };
    let mut answer = headed(status, key, &etag, body::of(piece));
    describe(&mut answer, key, sent);
    if let Some(range) = range {
        set(&mut answer, CONTENT_RANGE, &range);
    }
    Ok(answer)
}

fn headed(status: StatusCode, key: &Key, etag: &str, inner: Inner) -> Response<Inner> {
    let mut answer = Response::new(inner);
    *answer.status_mut() = status;
    set(&mut answer, CACHE_CONTROL, key.cache_control());
    set(&mut answer, ETAG, etag);
    set(&mut answer, ACCEPT_RANGES, "bytes");
    answer
}

fn describe(answer: &mut Response<Inner>, key: &Key, length: u64) {
    set(answer, CONTENT_TYPE, key.content_type());
    answer.headers_mut().insert(CONTENT_LENGTH, length.into());
}

fn absent(method: &Method) -> Response<Inner> {
    let mut answer = refusal(StatusCode::NOT_FOUND, Key::cache_control_of_absence(), "nothing lies here\n");
    if method == Method::HEAD {
        *answer.body_mut() = body::empty();
    }
    answer
}

fn refusal(status: StatusCode, cache: &str, text: &'static str) -> Response<Inner> {
    let mut answer = Response::new(body::text(text));
    *answer.status_mut() = status;
    set(&mut answer, CACHE_CONTROL, cache);
    set(&mut answer, CONTENT_TYPE, TEXT);
    answer
}

fn set(answer: &mut Response<Inner>, name: HeaderName, value: &str) {
    // All values are ours: digests, numbers and fixed texts.
    if let Ok(value) = HeaderValue::from_str(value) {
        answer.headers_mut().insert(name, value);
    }
}
