//! The three answers.

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;

use super::readiness::Readiness;
use super::record::Record;
use crate::http::{HeaderValue, Method, StatusCode, header};

const TEXT: &str = "text/plain; charset=utf-8";
const PROMETHEUS: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What there is to show.
#[derive(Debug, Clone)]
pub(super) struct Shown {
    pub(super) readiness: Readiness,
    pub(super) metrics: Record,
}

pub(super) fn to(request: &hyper::Request<Incoming>, shown: &Shown) -> hyper::Response<Full<Bytes>> {
    if request.method() != Method::GET && request.method() != Method::HEAD {
        return reply(StatusCode::METHOD_NOT_ALLOWED, TEXT, "only GET\n");
    }
    match request.uri().path() {
        "/healthz" => reply(StatusCode::OK, TEXT, "ok\n"),
        "/readyz" => {
            let (ready, body) = shown.readiness.shown();
            let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
            reply(status, "application/json", format!("{body}\n"))
        }
        "/metrics" => match shown.metrics.text() {
            Some(text) => reply(StatusCode::OK, PROMETHEUS, text),
            None => reply(StatusCode::SERVICE_UNAVAILABLE, TEXT, "metrics are not recorded here\n"),
        },
        _ => reply(StatusCode::NOT_FOUND, TEXT, "try /healthz, /readyz or /metrics\n"),
    }
}

fn reply(status: StatusCode, kind: &'static str, body: impl Into<Bytes>) -> hyper::Response<Full<Bytes>> {
    let mut reply = hyper::Response::new(Full::new(body.into()));
    *reply.status_mut() = status;
    reply.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    reply.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    reply
}
