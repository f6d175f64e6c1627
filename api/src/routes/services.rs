//! Services: `GET /v1/services` lists both kinds, `PUT /v1/services/{project}/{name}` makes one with explicit targets,
//! `PUT /v1/global-services/{project}/{name}` one with a selector; a name is unique over both.

mod change;
mod check;
mod follow;
mod reach;
mod standings;

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use cdn::{Digest, ServiceName};
use http::HeaderMap;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use super::queries::{DeleteQuery, PutQuery, ServiceQuery};
pub use crate::assign::cycle;

use super::page::{Page, rows};
use crate::app::App;
use crate::auth::Admin;
use crate::db::services::Listed;
use crate::db::{self, Conn};
use crate::error::{Error, Result};
use crate::extract::{InProject, Query, tagged};

pub(crate) use change::{__path_delete, __path_put, Put, Wanted, delete, delete_one, put, put_one};
pub(crate) use follow::{__path_pin, __path_resume, __path_undo, pin, resume, undo};
pub(crate) use standings::{__path_clusters, clusters};

pub use crate::nouns::services::{
    Follow, OnUnassign, Options, Published, Reach, Service, ServiceKind, ServiceSpec, Standing,
};
pub use crate::selector::{Expression, Operator, Selector};

/// The answer to a `PUT`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Changed {
    /// The service as it is now, or would be.
    #[serde(flatten)]
    pub service: Service,
    /// Which clusters it concerns; not where its targets stay what they were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reach: Option<Reach>,
}

/// The answer to a `DELETE`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Deleted {
    /// Clusters that were told to take it away.
    pub removals: u64,
}

/// `POST /v1/services/{project}/{name}/pin`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Pin {
    /// A release of the service.
    #[schema(value_type = String)]
    pub release: Digest,
}

/// The answer to `pin`, `undo` and `resume`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Moved {
    /// The release before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub from: Option<Digest>,
    /// The release from now on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub to: Option<Digest>,
    /// What it follows now.
    pub follow: Follow,
    /// The same in one sentence, with the next step.
    pub message: String,
}

/// The services of both kinds, by name.
#[utoipa::path(get, path = "/v1/services", tag = "services", security(("admin" = [])), params(ServiceQuery),
    responses((status = 200, body = Page<Service>)))]
pub(crate) async fn list(
    _admin: Admin,
    State(app): State<Arc<App>>,
    Query(query): Query<ServiceQuery>,
) -> Result<Json<Page<Service>>> {
    page(&app, &query, None).await.map(Json)
}

/// A page of one kind, or of both.
pub(crate) async fn page(
    app: &App,
    query: &ServiceQuery,
    kind: Option<ServiceKind>,
) -> Result<Page<Service>> {
    let limit = rows(query.limit);
    let listed = Listed { kind, project: query.project.as_ref(), after: query.cursor.as_deref(), limit };
    let found = db::services::list(&mut *app.db.read().await?, &listed).await?;
    Ok(Page::of(found, limit, |service| service.name.to_string()))
}

/// One service of either kind.
#[utoipa::path(get, path = "/v1/services/{project}/{name}", tag = "services", security(("admin" = [])),
    params(("project" = String, Path), ("name" = String, Path)),
    responses((status = 200, body = Service), (status = 404, body = crate::routes::openapi::Problem)))]
pub(crate) async fn get(
    _admin: Admin,
    State(app): State<Arc<App>>,
    at: InProject,
) -> Result<(HeaderMap, Json<Service>)> {
    let service = shown(&app, &at.service()?).await?;
    Ok(tagged(service.version, service))
}

/// A service with its counts.
pub(crate) async fn shown(app: &App, name: &ServiceName) -> Result<Service> {
    let mut conn = app.db.read().await?;
    let mut service = found(&mut conn, name).await?;
    service.health = db::services::health(&mut conn, name).await?;
    Ok(service)
}

/// The row of a name.
pub(crate) async fn found(conn: &mut Conn, name: &ServiceName) -> Result<Service> {
    let missing =
        || Error::not_found(format!("There is no service {name}; `windlass get services` lists them."));
    db::services::get(conn, name).await?.ok_or_else(missing)
}
