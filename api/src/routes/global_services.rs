//! Services with a selector: `GET /v1/global-services`, `GET|PUT|DELETE /v1/global-services/{project}/{name}`. Their bodies
//! are those of [`super::services`].

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use http::HeaderMap;

use super::page::Page;
use super::services::{
    self, Changed, DeleteQuery, Deleted, PutQuery, Service, ServiceKind, ServiceQuery, ServiceSpec, Wanted,
    delete_one, put_one, shown,
};
use crate::app::App;
use crate::auth::Admin;
use crate::error::{Error, Result};
use crate::extract::{Conditions, InProject, Json as Body, Query, tagged};

/// The global services, by name.
#[utoipa::path(get, path = "/v1/global-services", tag = "services", security(("admin" = [])), params(ServiceQuery),
    responses((status = 200, body = Page<Service>)))]
pub(crate) async fn list(
    _admin: Admin,
    State(app): State<Arc<App>>,
    Query(query): Query<ServiceQuery>,
) -> Result<Json<Page<Service>>> {
    services::page(&app, &query, Some(ServiceKind::GlobalService)).await.map(Json)
}

/// One global service.
#[utoipa::path(get, path = "/v1/global-services/{project}/{name}", tag = "services", security(("admin" = [])),
    params(("project" = String, Path), ("name" = String, Path)),
    responses((status = 200, body = Service), (status = 404, body = crate::routes::openapi::Problem)))]
pub(crate) async fn get(
    _admin: Admin,
    State(app): State<Arc<App>>,
    at: InProject,
) -> Result<(HeaderMap, Json<Service>)> {
    let service = global(&app, &at).await?;
    Ok(tagged(service.version, service))
}

/// Makes a service with a selector, or replaces its spec.
#[utoipa::path(put, path = "/v1/global-services/{project}/{name}", tag = "services", security(("admin" = [])),
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
) -> Result<services::Put> {
    let (name, kind) = (at.service()?, ServiceKind::GlobalService);
    let wanted = Wanted { name, kind, spec, dry_run: query.dry_run };
    put_one(&app, &admin, &wanted, &conditions).await
}

/// Deletes a global service. `mode` says what becomes of its objects in the clusters that run it.
#[utoipa::path(delete, path = "/v1/global-services/{project}/{name}", tag = "services", security(("admin" = [])),
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
    let service = global(&app, &at).await?;
    delete_one(&app, &admin, &service.name, &query, &conditions).await.map(Json)
}

async fn global(app: &App, at: &InProject) -> Result<Service> {
    let service = shown(app, &at.service()?).await?;
    match service.kind {
        ServiceKind::GlobalService => Ok(service),
        ServiceKind::ServiceDeployment => {
            Err(Error::not_found(format!("{} is a ServiceDeployment: GET /v1/services.", service.name)))
        }
    }
}
