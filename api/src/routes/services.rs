//! Services: `GET /v1/services` lists both kinds, `PUT /v1/services/{project}/{name}` makes one with explicit targets,
//! `PUT /v1/global-services/{project}/{name}` one with a selector; a name is unique over both.

mod change;
mod check;
mod follow;

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use cdn::document::ServiceOptions;
use cdn::wire::{PublishStatus, Renderer};
use cdn::{Digest, ProjectName, ServiceName};
use http::HeaderMap;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use super::queries::{DeleteQuery, ServiceQuery};

use super::page::{Page, rows};
use crate::app::App;
use crate::auth::Admin;
use crate::db::services::Listed;
use crate::db::{self, Conn};
use crate::error::{Error, Result};
use crate::extract::{InProject, Query, tagged};

pub(crate) use change::{__path_delete, __path_put, Put, delete, delete_one, put, put_one};
pub(crate) use follow::{__path_pin, __path_resume, __path_undo, pin, resume, undo};

pub use crate::selector::{Expression, Operator, Selector};

/// A service as people see it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Service {
    /// `project/name`.
    #[schema(value_type = String)]
    pub name: ServiceName,
    /// With explicit targets, or with a selector.
    pub kind: ServiceKind,
    /// What was put.
    pub spec: ServiceSpec,
    /// Which release it runs.
    pub follow: Follow,
    /// The release that clusters are assigned now; none before the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub release: Option<Digest>,
    /// The newest release; none before the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub latest: Option<Digest>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Its ETag's number: grows with every change of the spec or of what it follows.
    pub version: u64,
    /// How many clusters report it, by health; only in the answer for one service.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub health: BTreeMap<String, u64>,
    /// What its publisher last said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub publish: Option<Published>,
}

/// What a service's publisher last said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Published {
    /// When.
    pub at: Timestamp,
    /// What.
    #[serde(flatten)]
    pub status: PublishStatus,
}

/// How a service finds its clusters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub enum ServiceKind {
    /// Explicit targets.
    ServiceDeployment,
    /// A selector.
    GlobalService,
}

/// Which release a service runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case", tag = "mode")]
pub enum Follow {
    /// Always the newest.
    Latest,
    /// This one, until resumed.
    Pinned {
        /// The release.
        #[schema(value_type = String)]
        release: Digest,
    },
}

/// The `spec` of a `ServiceDeployment` or `GlobalService` document.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ServiceSpec {
    /// The name of a source of the same project.
    pub source: String,
    /// The folder in the source, relative; empty for its top.
    #[serde(default)]
    pub path: String,
    /// The namespace of objects that name none.
    pub namespace: String,
    /// What makes manifests of the folder: `{"plain": {}}`, `{"kustomize": {}}` or `{"helm": {...}}`.
    #[serde(default)]
    #[schema(value_type = Object)]
    pub renderer: Renderer,
    /// Targets of a `ServiceDeployment`: names or ids of clusters. A name that is not there yet counts once it joins.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub clusters: Vec<String>,
    /// Targets of a `GlobalService`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selector: Option<Selector>,
    /// Services of the same project that must be applied and healthy first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub depends_on: Vec<String>,
    /// How agents treat it.
    #[serde(default)]
    pub options: Options,
}

/// How agents treat a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Options {
    /// Whether objects that left the bundle are deleted; true unless said.
    #[serde(default = "yes")]
    pub prune: bool,
    /// Whether the service is left as it is: no apply, no repair, no prune.
    #[serde(default)]
    pub suspend: bool,
    /// Former names of the service, in the same project: their objects become its own (a rename).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub formerly: Vec<String>,
    /// What becomes of its objects in a cluster that is no longer a target.
    #[serde(default)]
    pub on_unassign: OnUnassign,
}

fn yes() -> bool {
    true
}

impl Default for Options {
    fn default() -> Self {
        Self { prune: true, suspend: false, formerly: Vec::new(), on_unassign: OnUnassign::default() }
    }
}

impl ServiceSpec {
    /// The services that it depends on; names were checked when it was put.
    pub(crate) fn depends_on_names(&self, project: &ProjectName) -> Vec<ServiceName> {
        full_names(&self.depends_on, project)
    }
}

impl Options {
    /// As sets carry them.
    pub(crate) fn to_wire(&self, project: &ProjectName) -> ServiceOptions {
        let formerly = full_names(&self.formerly, project);
        ServiceOptions { prune: self.prune, suspend: self.suspend, formerly }
    }
}

fn full_names(names: &[String], project: &ProjectName) -> Vec<ServiceName> {
    names.iter().filter_map(|name| ServiceName::new(project.clone(), name).ok()).collect()
}

/// What becomes of a service's objects in a cluster that is no longer a target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnUnassign {
    /// Nothing is removed: the cluster keeps them, repairs them no longer and shows the service as `Unassigned` until
    /// a person removes it. A label that somebody mistyped never deletes anything.
    #[default]
    Keep,
    /// They stay and are no longer ours: a removal with mode `orphan` is written.
    Orphan,
    /// They are deleted, on the same proof as every prune: a removal with mode `delete` is written.
    Delete,
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
