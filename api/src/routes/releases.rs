//! Releases: a publisher registers one with `POST /v1/releases` (the envelope as it is, at most 16 KiB); people list
//! those of a service with `GET /v1/services/{project}/{name}/releases` and read one with `GET /v1/releases/{digest}`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use cdn::Digest;
use cdn::document::Release as Document;
use cdn::envelope::Envelope;
use cdn::trust::{MinSeqs, Trust, Verified};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

pub use crate::nouns::releases::Release;

use super::commit_and_assign;
use super::page::{Page, PageQuery};
use super::services::found;
use crate::app::{App, audited};
use crate::auth::{Admin, Publisher};
use crate::db::releases::NewRelease;
use crate::db::{self, Conn, fleet, services};
use crate::error::{Error, Result};
use crate::extract::{InPath, InProject, Query, Raw};
use crate::nouns::seq::LAST;

const ENVELOPE_BYTES: usize = <Document as cdn::document::Document>::MAX_BYTES;

/// One release with the document that its publisher signed.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ReleaseDetail {
    /// What the list shows too.
    #[serde(flatten)]
    pub release: Release,
    /// What the publisher signed.
    #[schema(value_type = Object)]
    pub document: Document,
}

/// The answer to `POST /v1/releases`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Registered {
    /// Its name.
    #[schema(value_type = String)]
    pub release: Digest,
    /// Whether clusters are assigned it now; not while the service is pinned to another.
    pub current: bool,
}

/// Registers a release: the envelope as it lies in the store, and nothing of what it names.
#[utoipa::path(post, path = "/v1/releases", tag = "publishers", security(("publisher" = [])),
    request_body(content = Object, description = "The signed release, at most 16 KiB"),
    responses((status = 200, body = Registered, description = "It was registered before"), (status = 201, body = Registered),
        (status = 403, body = crate::routes::openapi::Problem), (status = 404, body = crate::routes::openapi::Problem),
        (status = 409, body = crate::routes::openapi::Problem), (status = 422, body = crate::routes::openapi::Problem)))]
pub(crate) async fn register(
    publisher: Publisher,
    State(app): State<Arc<App>>,
    Raw(bytes): Raw<ENVELOPE_BYTES>,
) -> Result<(StatusCode, Json<Registered>)> {
    let trust = app.signer.trust();
    let (document, envelope) = verified(&trust, &publisher, &bytes)?;
    let (digest, service) = (Digest::of(&bytes), document.service.clone());
    let mut tx = app.db.write().await?;
    if fleet::get(&mut tx).await?.root > trust.version() {
        return Err(Error::unavailable("A newer root counts, which is not here yet; ask again.", 10));
    }
    let missing = || {
        Error::not_found(format!(
            "There is no service {service}; a person makes it first: `windlass apply -f`."
        ))
    };
    let before = services::get(&mut tx, &service).await?.ok_or_else(missing)?;
    let is_known = db::releases::get(&mut tx, digest).await?.is_some();
    if is_known && !db::releases::adopt(&mut tx, digest).await? {
        let current = before.release == Some(digest);
        return Ok((StatusCode::OK, Json(Registered { release: digest, current })));
    }
    check_order(&mut tx, (digest, &document)).await?;
    if !is_known {
        let at = app.clock.now_ms();
        let new = NewRelease { digest, document: &document, envelope, publisher: &publisher.name, at };
        db::releases::add(&mut tx, &new).await?;
    }
    fleet::touch_catalog(&mut tx).await?;
    let detail = json!({"service": service, "bundle": document.bundle, "seq": document.seq,
        "revision": document.revision.id});
    audited(&mut tx, &app, &publisher.who, ("release.register", &digest.to_string()), detail).await?;
    let current = found(&mut tx, &service).await?.release == Some(digest);
    commit_and_assign(tx, &app).await?;
    Ok((StatusCode::CREATED, Json(Registered { release: digest, current })))
}

/// Believes a release as an agent would: by its project's keys in the newest root. What a credential may register is
/// its own project's, whoever signed it.
fn verified<'a>(trust: &Trust, publisher: &Publisher, bytes: &'a [u8]) -> Result<(Document, &'a str)> {
    let refused =
        |error: String| Error::invalid("release_refused", format!("The release is refused: {error}."));
    let document: Document = Envelope::claim(bytes).map_err(|error| refused(error.to_string()))?;
    if *document.service.project() != publisher.project {
        let detail = format!("This credential publishes for project {}.", publisher.project);
        return Err(Error::forbidden("wrong_project", detail));
    }
    // What is above the last sequence would be the newest for ever; counts have their columns' bound (FAULTS A3).
    let Document { seq, objects, length, .. } = document;
    if seq.max(objects).max(length) > LAST {
        return Err(refused(format!("it says a number above {LAST}, which is the last that is read here")));
    }
    Verified::check(trust, &document.service, bytes, &MinSeqs::default())
        .map_err(|error| refused(error.to_string()))?;
    let text = std::str::from_utf8(bytes).map_err(|error| refused(error.to_string()))?;
    Ok((document, text))
}

/// Two publishers at once: the second one is told what the first one published.
async fn check_order(conn: &mut Conn, (digest, document): (Digest, &Document)) -> Result<()> {
    let Document { service, seq, revision, .. } = document;
    let newest = db::releases::newest(conn, service).await?;
    if let Some(newest) = newest.filter(|newest| newest.digest != digest && newest.seq >= *seq) {
        let detail = format!(
            "{service} is at revision {} with sequence {}; this is revision {} with sequence {seq}. Publish again from what \
             is newest.",
            newest.revision, newest.seq, revision.id
        );
        return Err(Error::conflict("not_newer", detail));
    }
    let namesake = db::releases::with_seq(conn, service, *seq).await?;
    if let Some(other) = namesake.filter(|other| *other != digest) {
        let detail = format!(
            "{service} had sequence {seq} already, in its release {}, which no longer counts; publish again with a later one.",
            other.short()
        );
        return Err(Error::conflict("not_newer", detail));
    }
    Ok(())
}

/// A service's releases, newest first.
#[utoipa::path(get, path = "/v1/services/{project}/{name}/releases", tag = "releases", security(("admin" = [])),
    params(("project" = String, Path), ("name" = String, Path), PageQuery),
    responses((status = 200, body = Page<Release>), (status = 404, body = crate::routes::openapi::Problem)))]
pub(crate) async fn list(
    _admin: Admin,
    State(app): State<Arc<App>>,
    at: InProject,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<Release>>> {
    let cursor = query.cursor.as_deref().map(str::parse).transpose();
    let below = cursor.map_err(|_| Error::malformed("`cursor` is none of a page of this list."))?;
    let mut conn = app.db.read().await?;
    let service = at.service()?;
    found(&mut conn, &service).await?;
    let found = db::releases::list(&mut conn, &service, below.unwrap_or(i64::MAX), query.rows()).await?;
    Ok(Json(Page::of(found, query.rows(), |release| release.seq.to_string())))
}

/// One release, with what its publisher signed.
#[utoipa::path(get, path = "/v1/releases/{digest}", tag = "releases", security(("admin" = [])),
    params(("digest" = String, Path)),
    responses((status = 200, body = ReleaseDetail), (status = 404, body = crate::routes::openapi::Problem)))]
pub(crate) async fn get(
    _admin: Admin,
    State(app): State<Arc<App>>,
    InPath(digest): InPath<Digest>,
) -> Result<Json<ReleaseDetail>> {
    let missing = || Error::not_found("There is no such release.");
    let mut conn = app.db.read().await?;
    let release = db::releases::get(&mut conn, digest).await?.ok_or_else(missing)?;
    let envelope = db::releases::envelope(&mut conn, digest).await?.ok_or_else(missing)?;
    let document = Envelope::claim(&envelope).map_err(|error| {
        Error::invalid("release_refused", format!("What is stored cannot be read: {error}."))
    })?;
    Ok(Json(ReleaseDetail { release, document }))
}
