//! What routes take from a request beside who asks: bounded bodies, conditions, names in paths. Each says itself what is
//! wrong with it, as a problem.

mod turn;

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts};
use bytes::{Bytes, BytesMut};
use cdn::limits::Limits;
use cdn::{ProjectName, ServiceName};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Request, header};
use http_body_util::BodyExt;
use serde::de::DeserializeOwned;

use crate::app::App;
use crate::error::{Error, Result};
use turn::Room;
pub(crate) use turn::Turn;

/// The largest body of people's routes: a cluster's values are at most 64 KiB.
const BODY_BYTES: usize = 128 << 10;
/// How much of a body that is too large is still taken, and how long.
const DISCARD_BYTES: usize = 8 << 20;
const DISCARD_TIME: Duration = Duration::from_secs(2);
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// A body of at most `N` bytes, as it came.
#[derive(Debug)]
pub(crate) struct Raw<const N: usize>(pub(crate) Bytes);

impl<const N: usize> FromRequest<Arc<App>> for Raw<N> {
    type Rejection = Error;

    async fn from_request(request: Request<axum::body::Body>, app: &Arc<App>) -> Result<Self> {
        read::<N>(request, app).await.map(Self)
    }
}

/// Reads a body, and gives the request's turn to others until all of it is there.
async fn read<const N: usize>(request: Request<axum::body::Body>, app: &App) -> Result<Bytes> {
    let turn = request.extensions().get::<Turn>().cloned();
    let mut room = Room::take(app)?;
    turn.iter().for_each(Turn::pause);
    let bytes = receive::<N>(request.into_body(), &mut room).await?;
    turn.map_or(Ok(()), |turn| turn.resume(app))?;
    Ok(bytes)
}

async fn receive<const N: usize>(mut body: axum::body::Body, room: &mut Room<'_>) -> Result<Bytes> {
    let mut bytes = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Error::malformed("The body ended early; send it again."))?;
        let Ok(piece) = frame.into_data() else { continue };
        if bytes.len() + piece.len() > N {
            discard(body).await;
            return Err(Error::too_large(N));
        }
        room.grow(bytes.len() + piece.len())?;
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes.freeze())
}

/// Takes a little of what is too much: who is still sending does not read the answer, and a connection that is closed
/// on unread bytes takes the answer with it.
async fn discard(mut body: axum::body::Body) {
    let mut left = DISCARD_BYTES;
    let rest = async {
        while let Some(Ok(frame)) = body.frame().await {
            left = left.saturating_sub(frame.data_ref().map_or(0, Bytes::len));
            if left == 0 {
                break;
            }
        }
    };
    // Over when it is over: the answer is the same.
    tokio::time::timeout(DISCARD_TIME, rest).await.unwrap_or_default();
}

/// A JSON body: no duplicate keys, bounded in size and depth (FAULTS B7). No body at all is `{}`.
#[derive(Debug)]
pub(crate) struct Json<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<Arc<App>> for Json<T> {
    type Rejection = Error;

    async fn from_request(request: Request<axum::body::Body>, app: &Arc<App>) -> Result<Self> {
        let bytes = read::<BODY_BYTES>(request, app).await?;
        let bytes = if bytes.is_empty() { Bytes::from_static(b"{}") } else { bytes };
        let value = cdn::json::parse(&bytes, Limits::DEFAULT.depth).map_err(|error| {
            Error::malformed(format!("The body is not JSON as it is read here: {error}."))
        })?;
        let wrong = |error| {
            Error::invalid("invalid_body", format!("The body is not what this route takes: {error}."))
        };
        serde_json::from_value(value).map(Self).map_err(wrong)
    }
}

/// The query string.
#[derive(Debug)]
pub(crate) struct Query<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequestParts<Arc<App>> for Query<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self> {
        let query: std::result::Result<axum::extract::Query<T>, QueryRejection> =
            axum::extract::Query::from_request_parts(parts, app).await;
        query.map(|query| Self(query.0)).map_err(|error| Error::malformed(format!("{}.", error.body_text())))
    }
}

/// One name of a path.
#[derive(Debug)]
pub(crate) struct InPath<T>(pub(crate) T);

impl<T> FromRequestParts<Arc<App>> for InPath<T>
where
    T: FromStr + Send,
    T::Err: std::error::Error,
{
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self> {
        let name: String = path(parts, app).await?;
        name.parse().map(Self).map_err(|error: T::Err| Error::malformed(format!("In the path: {error}.")))
    }
}

/// `{project}/{name}` of a path.
#[derive(Debug)]
pub(crate) struct InProject {
    pub(crate) project: ProjectName,
    pub(crate) name: String,
}

impl FromRequestParts<Arc<App>> for InProject {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self> {
        let (project, name): (String, String) = path(parts, app).await?;
        let full: ServiceName = format!("{project}/{name}")
            .parse()
            .map_err(|error| Error::malformed(format!("In the path: {error}.")))?;
        Ok(Self { project: full.project().clone(), name })
    }
}

impl InProject {
    /// As a service's name.
    pub(crate) fn service(&self) -> Result<ServiceName> {
        ServiceName::new(self.project.clone(), &self.name)
            .map_err(|error| Error::malformed(format!("{error}.")))
    }
}

async fn path<T: DeserializeOwned + Send>(parts: &mut Parts, app: &Arc<App>) -> Result<T> {
    let path: std::result::Result<axum::extract::Path<T>, PathRejection> =
        axum::extract::Path::from_request_parts(parts, app).await;
    path.map(|path| path.0).map_err(|error| Error::malformed(format!("{}.", error.body_text())))
}

/// `If-Match` and `If-None-Match` of a write.
#[derive(Debug)]
pub(crate) struct Conditions {
    matches: Option<String>,
    must_be_new: bool,
}

impl FromRequestParts<Arc<App>> for Conditions {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _app: &Arc<App>) -> Result<Self> {
        let must_be_new = condition(&parts.headers, &header::IF_NONE_MATCH)? == Some("*");
        let matches = condition(&parts.headers, &header::IF_MATCH)?;
        Ok(Self { matches: matches.map(str::to_owned), must_be_new })
    }
}

/// A condition as it was sent. One that cannot be read is not left out: the write that it was to prevent would be made
/// (FAULTS J8).
fn condition<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>> {
    let mut all = headers.get_all(name).iter();
    let Some(first) = all.next() else { return Ok(None) };
    match (first.to_str(), all.next()) {
        (Ok(text), None) => Ok(Some(text)),
        (Ok(_) | Err(_), _) => Err(Error::malformed(format!(
            "Send `{name}` once, with the `ETag` of a read as it is, or with `*`."
        ))),
    }
}

impl Conditions {
    /// Holds them against what is there: its version, or nothing.
    pub(crate) fn check(&self, version: Option<u64>) -> Result<()> {
        if self.must_be_new && version.is_some() {
            return Err(Error::stale(
                "It is there already; read it, or leave `If-None-Match` out to replace it.",
            ));
        }
        let Some(wanted) = &self.matches else { return Ok(()) };
        let is_so = version.is_some_and(|version| wanted == "*" || version_of(wanted) == tag(version));
        if is_so {
            Ok(())
        } else {
            Err(Error::stale("It was changed meanwhile; read it again and decide anew."))
        }
    }
}

/// A version as an `ETag`.
fn tag(version: u64) -> String {
    format!("\"v{version}\"")
}

/// The version in the `ETag` of a read, which has a digest of what was shown behind it (`routes/unchanged.rs`).
fn version_of(tag: &str) -> String {
    let tag = tag.trim();
    match tag.split_once('.') {
        Some((version, _)) => format!("{version}\""),
        None => tag.to_owned(),
    }
}

/// An answer with its `ETag`.
pub(crate) fn tagged<T>(version: u64, body: T) -> (HeaderMap, axum::Json<T>) {
    let mut headers = HeaderMap::new();
    headers.extend(HeaderValue::from_str(&tag(version)).ok().map(|value| (header::ETAG, value)));
    (headers, axum::Json(body))
}

/// `Idempotency-Key`: makes a POST that is sent twice make one thing.
#[derive(Debug)]
pub(crate) struct Idempotency(pub(crate) Option<String>);

impl FromRequestParts<Arc<App>> for Idempotency {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _app: &Arc<App>) -> Result<Self> {
        let Some(key) = parts.headers.get(IDEMPOTENCY_KEY) else { return Ok(Self(None)) };
        match key.to_str() {
            Ok(key) if (1..=128).contains(&key.len()) => Ok(Self(Some(key.to_owned()))),
            Ok(_) | Err(_) => Err(Error::malformed("An Idempotency-Key has 1 to 128 plain characters.")),
        }
    }
}
