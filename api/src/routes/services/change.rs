//! Putting and deleting services of either kind.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use cdn::ServiceName;
use http::{HeaderMap, StatusCode};
use serde_json::json;

use super::standings::sets_with;
use super::{
    Changed, DeleteQuery, Deleted, PutQuery, Service, ServiceKind, ServiceSpec, check, found, reach, shown,
};
use crate::app::{App, audited};
use crate::auth::Admin;
use crate::db::{Conn, fleet, removals, services};
use crate::error::{Error, Result};
use crate::extract::{Conditions, InProject, Json as Body, Query, tagged};
use crate::routes::commit_and_assign;

/// What a `PUT` answers.
pub(crate) type Put = (StatusCode, HeaderMap, Json<Changed>);

/// Makes a service with explicit targets, or replaces its spec.
#[utoipa::path(put, path = "/v1/services/{project}/{name}", tag = "services", security(("admin" = [])),
    params(("project" = String, Path), ("name" = String, Path), PutQuery,
        ("If-Match" = Option<String>, Header), ("If-None-Match" = Option<String>, Header)),
    request_body = ServiceSpec,
    responses((status = 200, body = Changed), (status = 201, body = Changed),
        (status = 409, body = crate::routes::openapi::Problem), (status = 412, body = crate::routes::openapi::Problem),
        (status = 422, body = crate::routes::openapi::Problem)))]
pub(crate) async fn put(
    admin: Admin,
    State(app): State<Arc<App>>,
    at: InProject,
    (Query(query), conditions): (Query<PutQuery>, Conditions),
    Body(spec): Body<ServiceSpec>,
) -> Result<Put> {
    let (name, kind) = (at.service()?, ServiceKind::ServiceDeployment);
    let wanted = Wanted { name, kind, spec, dry_run: query.dry_run };
    put_one(&app, &admin, &wanted, &conditions).await
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

/// A service as a person wants it.
pub(crate) struct Wanted {
    pub(crate) name: ServiceName,
    pub(crate) kind: ServiceKind,
    pub(crate) spec: ServiceSpec,
    pub(crate) dry_run: bool,
}

/// Puts a service of a kind, or says what would come of it.
pub(crate) async fn put_one(
    app: &App,
    admin: &Admin,
    wanted: &Wanted,
    conditions: &Conditions,
) -> Result<Put> {
    let Wanted { name, kind, spec, dry_run } = wanted;
    let mut tx = app.db.write().await?;
    let before = checked(&mut tx, wanted, conditions).await?;
    let service = match &before {
        // Applying the same documents again, as people do from git, is no event and no new version.
        Some(before) if before.spec == *spec => {
            drop(tx);
            shown(app, name).await?
        }
        _ => {
            services::put(&mut tx, name, *kind, spec, app.clock.now_ms()).await?;
            if *dry_run {
                let service = found(&mut tx, name).await?;
                drop(tx);
                service
            } else {
                fleet::touch_catalog(&mut tx).await?;
                audited(&mut tx, app, &admin.who, ("service.put", &name.to_string()), json!(spec)).await?;
                commit_and_assign(tx, app).await?;
                shown(app, name).await?
            }
        }
    };
    let specs = (before.as_ref().map(|before| &before.spec), spec);
    let reach = reach::of_change(&mut *app.db.read().await?, name, specs).await?;
    let status = if before.is_some() || *dry_run { StatusCode::OK } else { StatusCode::CREATED };
    let (headers, body) = tagged(service.version, Changed { service, reach });
    Ok((status, headers, body))
}

/// What is there under the name, once nothing speaks against the new spec.
async fn checked(conn: &mut Conn, wanted: &Wanted, conditions: &Conditions) -> Result<Option<Service>> {
    let Wanted { name, kind, spec, .. } = wanted;
    check::check(name, *kind, spec)?;
    let before = services::get(conn, name).await?;
    if before.as_ref().is_some_and(|before| before.kind != *kind) {
        let detail = format!("{name} is there as the other kind; delete it first, or choose another name.");
        return Err(Error::conflict("other_kind", detail));
    }
    conditions.check(before.as_ref().map(|before| before.version))?;
    check::check_others(conn, name, spec).await?;
    Ok(before)
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
