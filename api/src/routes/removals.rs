//! Removals: services that clusters are to take away. `GET /v1/removals`, `POST /v1/removals`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use cdn::ServiceName;
use cdn::document::RemovalMode;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

pub use super::queries::RemovalQuery;
pub use crate::nouns::removals::Removal;

use super::page::{Page, rows};
use super::{clusters, commit_and_assign};
use crate::app::{App, audited};
use crate::auth::Admin;
use crate::db::removals::Listed;
use crate::db::{self, documents};
use crate::error::{Error, Result};
use crate::extract::{Json as Body, Query};

/// `POST /v1/removals`: takes a service that is no longer assigned away from a cluster.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewRemoval {
    /// The cluster's name or id.
    pub cluster: String,
    /// The service.
    #[schema(value_type = String)]
    pub service: ServiceName,
    /// What becomes of its objects.
    #[schema(value_type = String)]
    pub mode: RemovalMode,
}

/// The removals, newest first.
#[utoipa::path(get, path = "/v1/removals", tag = "removals", security(("admin" = [])), params(RemovalQuery),
    responses((status = 200, body = Page<Removal>)))]
pub(crate) async fn list(
    _admin: Admin,
    State(app): State<Arc<App>>,
    Query(query): Query<RemovalQuery>,
) -> Result<Json<Page<Removal>>> {
    let mut conn = app.db.read().await?;
    let cluster = match &query.cluster {
        Some(cluster) => Some(clusters::found(&mut conn, cluster).await?.cluster.id),
        None => None,
    };
    let limit = rows(query.limit);
    let listed =
        Listed { cluster: cluster.as_ref(), done: query.done, before: query.cursor.as_deref(), limit };
    let found = db::removals::list(&mut conn, &listed).await?;
    Ok(Json(Page::of(found, limit, |removal| removal.id.clone())))
}

/// Takes a service that is no longer assigned to a cluster away from it.
#[utoipa::path(post, path = "/v1/removals", tag = "removals", security(("admin" = [])), request_body = NewRemoval,
    responses((status = 201, body = Removal), (status = 404, body = crate::routes::openapi::Problem),
        (status = 409, body = crate::routes::openapi::Problem)))]
pub(crate) async fn create(
    admin: Admin,
    State(app): State<Arc<App>>,
    Body(new): Body<NewRemoval>,
) -> Result<(StatusCode, Json<Removal>)> {
    let mut tx = app.db.write().await?;
    let row = clusters::found(&mut tx, &new.cluster).await?.cluster;
    let is_assigned = match row.set {
        Some(set) => documents::services_of(&mut tx, set).await?.contains(&new.service),
        None => false,
    };
    if is_assigned {
        let detail =
            format!("{} is assigned to {}; take it off its targets or labels first.", new.service, row.name);
        return Err(Error::conflict("still_assigned", detail));
    }
    let (at, change) = (app.clock.now_ms(), tx.change());
    let removal = db::removals::NewRemoval {
        cluster: &row.id,
        service: &new.service,
        mode: new.mode,
        by: &admin.who,
        at,
    };
    let id = db::removals::add(&mut tx, &removal).await?;
    db::clusters::touch(&mut tx, &row.id, change).await?;
    let detail = json!({"service": new.service, "mode": new.mode});
    audited(&mut tx, &app, &admin.who, ("removal.create", row.id.as_str()), detail).await?;
    let made = db::removals::get(&mut tx, &id).await?;
    commit_and_assign(tx, &app).await?;
    let missing = || Error::not_found("The removal was done meanwhile.");
    Ok((StatusCode::CREATED, Json(made.ok_or_else(missing)?)))
}
