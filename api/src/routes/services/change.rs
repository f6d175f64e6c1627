//! Putting and deleting services of either kind.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use cdn::ServiceName;
use http::{HeaderMap, StatusCode};
use serde_json::json;

use super::standings::sets_with;
use super::{DeleteQuery, Deleted, Service, ServiceKind, ServiceSpec, check, found, shown};
use crate::app::{App, audited};
use crate::auth::Admin;
use crate::db::{fleet, removals, services};
use crate::error::{Error, Result};
use crate::extract::{Conditions, InProject, Json as Body, Query, tagged};
use crate::routes::commit_and_assign;

/// What a `PUT` answers.
pub(crate) type Put = (StatusCode, HeaderMap, Json<Service>);

/// Makes a service with explicit targets, or replaces its spec.
#[utoipa::path(put, path = "/v1/services/{project}/{name}", tag = "services", security(("admin" = [])),
    params(("project" = String, Path), ("name" = String, Path),
        ("If-Match" = Option<String>, Header), ("If-None-Match" = Option<String>, Header)),
    request_body = ServiceSpec,
    responses((status = 200, body = Service), (status = 201, body = Service),
        (status = 409, body = crate::routes::openapi::Problem), (status = 412, body = crate::routes::openapi::Problem),
        (status = 422, body = crate::routes::openapi::Problem)))]
pub(crate) async fn put(
    admin: Admin,
    State(app): State<Arc<App>>,
    at: InProject,
    conditions: Conditions,
    Body(spec): Body<ServiceSpec>,
) -> Result<Put> {
    put_one(&app, &admin, (at.service()?, ServiceKind::ServiceDeployment), &conditions, &spec).await
}

/// Deletes a service of either kind. `mode` says what becomes of its objects in the clusters that run it; there is no
/// default, since nobody should delete, or leave behind, what they did not mean to.
#[utoipa::path(delete, path = "/v1/services/{project}/{name}", tag = "services", security(("admin" = [])),
    params(("project" = String, Path), ("name" = String, Path), DeleteQuery, ("If-Match" = Option<String>, Header)),
    responses((status = 200, body = Deleted), (status = 400, body = crate::routes::openapi::Problem),
        (status = 404, body = crate::routes::openapi::Problem), (status = 412, body = crate::routes::openapi::Problem)))]
pub(crate) async fn delete(
    admin: Admin,
    State(app): State<Arc<App>>,
    at: InProject,
    Query(query): Query<DeleteQuery>,
    conditions: Conditions,
) -> Result<Json<Deleted>> {
    delete_one(&app, &admin, &at.service()?, &query, &conditions).await.map(Json)
}

/// Puts a service of a kind.
pub(crate) async fn put_one(
    app: &App,
    admin: &Admin,
    (name, kind): (ServiceName, ServiceKind),
    conditions: &Conditions,
    spec: &ServiceSpec,
) -> Result<Put> {
    check::check(&name, kind, spec)?;
    let mut tx = app.db.write().await?;
    let before = services::get(&mut tx, &name).await?;
    if before.as_ref().is_some_and(|before| before.kind != kind) {
        let detail = format!("{name} is there as the other kind; delete it first, or choose another name.");
        return Err(Error::conflict("other_kind", detail));
    }
    conditions.check(before.as_ref().map(|before| before.version))?;
    check::check_others(&mut tx, &name, spec).await?;
    let is_same = before.as_ref().is_some_and(|before| before.spec == *spec);
    if is_same {
        // Applying the same documents again, as people do from git, is no event and no new version.
        drop(tx);
    } else {
        services::put(&mut tx, &name, kind, spec, app.clock.now_ms()).await?;
        fleet::touch_catalog(&mut tx).await?;
        audited(&mut tx, app, &admin.who, ("service.put", &name.to_string()), json!(spec)).await?;
        commit_and_assign(tx, app).await?;
    }
    let status = if before.is_some() { StatusCode::OK } else { StatusCode::CREATED };
    let service = shown(app, &name).await?;
    let (headers, body) = tagged(service.version, service);
    Ok((status, headers, body))
}

/// Deletes a service, and tells the clusters that run it what becomes of its objects.
pub(crate) async fn delete_one(
    app: &App,
    admin: &Admin,
    name: &ServiceName,
    query: &DeleteQuery,
    conditions: &Conditions,
) -> Result<Deleted> {
    let missing =
        "Say what becomes of its objects: `?mode=delete` or `?mode=orphan` (they stay, no longer ours).";
    let mode = query.mode.ok_or_else(|| Error::malformed(missing))?;
    let mut tx = app.db.write().await?;
    let service = found(&mut tx, name).await?;
    conditions.check(Some(service.version))?;
    let sets = sets_with(&mut tx, name).await?;
    let new = removals::Everywhere { service: name, mode, by: &admin.who, at: app.clock.now_ms() };
    let told = removals::add_everywhere(&mut tx, &new, &sets).await?;
    services::delete(&mut tx, name).await?;
    // The pass that follows reads every cluster with its removals.
    fleet::touch_catalog(&mut tx).await?;
    let detail = json!({"mode": mode, "clusters": told});
    audited(&mut tx, app, &admin.who, ("service.delete", &name.to_string()), detail).await?;
    commit_and_assign(tx, app).await?;
    Ok(Deleted { removals: told })
}
