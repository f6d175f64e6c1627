//! Sources: where manifests come from. `GET|PUT|DELETE /v1/sources/{project}/{name}`, `GET /v1/sources`. The api never
//! reads one: it tells publishers, whose own rules say what may be rendered.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use cdn::wire::{Described, Source as Place};
use http::{HeaderMap, StatusCode};
use serde_json::json;

pub use crate::nouns::sources::Source;

use super::commit;
use super::page::{Page, PageQuery};
use crate::app::{App, audited};
use crate::auth::Admin;
use crate::db::sources::SourceRow;
use crate::db::{self, Conn, nat};
use crate::error::{Error, Result};
use crate::extract::{Conditions, InProject, Json as Body, Query, tagged};

/// The sources, by project and name.
#[utoipa::path(get, path = "/v1/sources", tag = "sources", security(("admin" = [])), params(PageQuery),
    responses((status = 200, body = Page<Source>)))]
pub(crate) async fn list(
    _admin: Admin,
    State(app): State<Arc<App>>,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<Source>>> {
    let found = db::sources::list(&mut *app.db.read().await?, query.cursor.as_deref(), query.rows()).await?;
    let key = |row: &SourceRow| format!("{}/{}", row.source.project, row.source.name);
    Ok(Json(Page::of(found, query.rows(), key).map(|row| row.source)))
}

/// One source.
#[utoipa::path(get, path = "/v1/sources/{project}/{name}", tag = "sources", security(("admin" = [])),
    params(("project" = String, Path), ("name" = String, Path)),
    responses((status = 200, body = Source), (status = 404, body = crate::routes::openapi::Problem)))]
pub(crate) async fn get(
    _admin: Admin,
    State(app): State<Arc<App>>,
    at: InProject,
) -> Result<(HeaderMap, Json<Source>)> {
    let row = found(&mut *app.db.read().await?, &at).await?;
    Ok(tagged(nat(row.version), row.source))
}

/// Makes a source, or moves it.
#[utoipa::path(put, path = "/v1/sources/{project}/{name}", tag = "sources", security(("admin" = [])),
    params(("project" = String, Path), ("name" = String, Path),
        ("If-Match" = Option<String>, Header), ("If-None-Match" = Option<String>, Header)),
    request_body(content = Object, description = "`cdn::wire::Source`: `{git: {url, ref}}` or `{directory: {path}}`"),
    responses((status = 200, body = Source), (status = 201, body = Source),
        (status = 412, body = crate::routes::openapi::Problem), (status = 422, body = crate::routes::openapi::Problem)))]
pub(crate) async fn put(
    admin: Admin,
    State(app): State<Arc<App>>,
    at: InProject,
    conditions: Conditions,
    Body(spec): Body<Place>,
) -> Result<(StatusCode, HeaderMap, Json<Source>)> {
    check(&spec)?;
    let mut tx = app.db.write().await?;
    let before = db::sources::get(&mut tx, &at.project, &at.name).await?;
    conditions.check(before.as_ref().map(|row| nat(row.version)))?;
    let spec = Described::Known(spec);
    let source = Source { project: at.project, name: at.name, spec, created_at: app.clock.now() };
    db::sources::put(&mut tx, &source).await?;
    let object = format!("{}/{}", source.project, source.name);
    audited(&mut tx, &app, &admin.who, ("source.put", &object), json!(source.spec)).await?;
    let row = db::sources::get(&mut tx, &source.project, &source.name).await?;
    let SourceRow { source, version } = row.expect("it was put in this transaction");
    commit(tx, &app).await?;
    let status = if before.is_some() { StatusCode::OK } else { StatusCode::CREATED };
    let (headers, body) = tagged(nat(version), source);
    Ok((status, headers, body))
}

/// Forgets a source that no service uses.
#[utoipa::path(delete, path = "/v1/sources/{project}/{name}", tag = "sources", security(("admin" = [])),
    params(("project" = String, Path), ("name" = String, Path), ("If-Match" = Option<String>, Header)),
    responses((status = 204), (status = 404, body = crate::routes::openapi::Problem),
        (status = 409, body = crate::routes::openapi::Problem)))]
pub(crate) async fn delete(
    admin: Admin,
    State(app): State<Arc<App>>,
    at: InProject,
    conditions: Conditions,
) -> Result<StatusCode> {
    let mut tx = app.db.write().await?;
    let row = found(&mut tx, &at).await?;
    conditions.check(Some(nat(row.version)))?;
    let users = db::sources::users(&mut tx, &at.project, &at.name).await?;
    if !users.is_empty() {
        let detail =
            format!("Services are rendered from it: {}. Delete or move them first.", users.join(", "));
        return Err(Error::conflict("in_use", detail));
    }
    db::sources::delete(&mut tx, &at.project, &at.name).await?;
    let object = format!("{}/{}", at.project, at.name);
    audited(&mut tx, &app, &admin.who, ("source.delete", &object), json!({})).await?;
    commit(tx, &app).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn found(conn: &mut Conn, at: &InProject) -> Result<SourceRow> {
    let missing = || Error::not_found("There is no such source; `windlass get sources` lists them.");
    db::sources::get(conn, &at.project, &at.name).await?.ok_or_else(missing)
}

/// A source's address is shown to people and told to publishers, so it holds no password.
fn check(place: &Place) -> Result<()> {
    let wrong = |detail: &str| Err(Error::invalid("invalid_source", detail));
    match place {
        Place::Git(git) => {
            let authority =
                git.url.split_once("://").map_or("", |(_, rest)| rest.split('/').next().unwrap_or(""));
            let has_password = authority.rsplit_once('@').is_some_and(|(user, _)| user.contains(':'));
            if git.url.is_empty()
                || git.url.len() > 2_048
                || git.reference.is_empty()
                || git.reference.len() > 255
            {
                return wrong("`url` has 1 to 2,048 characters, `ref` 1 to 255.");
            }
            if has_password || (authority.contains('@') && git.url.starts_with("http")) {
                return wrong("`url` holds a credential; publishers have their own, by name.");
            }
            Ok(())
        }
        Place::Directory(directory) => {
            if directory.path.starts_with('/') && directory.path.len() <= 4_096 {
                return Ok(());
            }
            wrong("`path` is an absolute path on the publisher's machine.")
        }
    }
}
