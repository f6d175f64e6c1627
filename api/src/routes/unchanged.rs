//! `ETag` and `If-None-Match` of every read but the poll: who holds what would be answered is told so, and sent nothing.

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use bytes::Bytes;
use cdn::Digest;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};

/// The layer around those routes.
pub(super) async fn unless_held(request: Request, next: Next) -> Response {
    let is_read = request.method() == Method::GET;
    let held = text(request.headers(), &header::IF_NONE_MATCH).map(str::to_owned);
    let answer = next.run(request).await;
    if !is_read || answer.status() != StatusCode::OK {
        return answer;
    }
    let (mut parts, body) = answer.into_parts();
    let body = to_bytes(body, usize::MAX).await.expect("these routes answer from memory and stream nothing");
    let version = text(&parts.headers, &header::ETAG);
    let tag = tag(version, Digest::of(&body));
    let is_held = held.is_some_and(|held| names(&held, &tag));
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        parts.headers.insert(header::ETAG, tag);
    }
    // It is one person's, and asked for each time.
    parts.headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    if is_held {
        parts.status = StatusCode::NOT_MODIFIED;
        parts.headers.remove(header::CONTENT_TYPE);
        parts.headers.remove(header::CONTENT_LENGTH);
        return Response::from_parts(parts, Body::empty());
    }
    Response::from_parts(parts, Body::from(body))
}

/// An answer that is the same for everyone and always: 304 to who holds it.
pub(super) fn constant(asked: &HeaderMap, tag: &HeaderValue, body: &Bytes) -> Response {
    let held = text(asked, &header::IF_NONE_MATCH);
    let is_held = held.is_some_and(|held| tag.to_str().is_ok_and(|tag| names(held, tag)));
    let mut answer = Response::new(Body::empty());
    answer.headers_mut().insert(header::ETAG, tag.clone());
    answer.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("public, no-cache"));
    if is_held {
        *answer.status_mut() = StatusCode::NOT_MODIFIED;
        return answer;
    }
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    *answer.body_mut() = Body::from(body.clone());
    answer
}

/// The tag of what is always the same.
pub(super) fn constant_tag(body: &[u8]) -> HeaderValue {
    HeaderValue::from_str(&tag(None, Digest::of(body))).unwrap_or_else(|_| HeaderValue::from_static("\"\""))
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// The version that a write can demand, where there is one, and the digest of what is shown. These are two, since a
/// cluster's health changes what is shown of it and is no reason to refuse a write.
fn tag(version: Option<&str>, shown: Digest) -> String {
    match version {
        Some(version) => format!("\"{}.{shown}\"", version.trim_matches('"')),
        None => format!("\"{shown}\""),
    }
}

/// Whether an `If-None-Match` names this tag, also weakened, as caches that compress do.
fn names(held: &str, tag: &str) -> bool {
    held.split(',').map(str::trim).any(|one| one == "*" || one.strip_prefix("W/").unwrap_or(one) == tag)
}

#[cfg(test)]
mod tests {
    use cdn::Digest;

    use super::{names, tag};

    #[test]
    fn a_tag_is_named_in_each_form_that_caches_make_of_it() {
        let tag = tag(Some("\"v3\""), Digest::of(b"x"));
        assert_eq!(tag, format!("\"v3.{}\"", Digest::of(b"x")));
        for held in [tag.clone(), format!("W/{tag}"), format!("\"other\", {tag}"), "*".to_owned()] {
            assert!(names(&held, &tag), "{held}");
        }
        for held in ["\"v3\"", "", "\"v3.\""] {
            assert!(!names(held, &tag), "{held}");
        }
    }
}
