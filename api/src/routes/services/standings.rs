//! `GET /v1/services/{project}/{name}/clusters`: where a service is assigned, and how far it has come there. Who waits for a
//! rollout waits for these: a cluster that a service targets and is left out of will never report it.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use cdn::{Digest, ServiceName};

use super::{Standing, found};
use crate::app::App;
use crate::auth::Admin;
use crate::db::clusters::assignment::{self, Stands};
use crate::db::{Conn, documents};
use crate::error::Result;
use crate::extract::{InProject, Query};
use crate::routes::page::{Page, PageQuery};

/// The active clusters that a service is assigned to, by name, each with what it reports of it.
#[utoipa::path(get, path = "/v1/services/{project}/{name}/clusters", tag = "services", security(("admin" = [])),
    params(("project" = String, Path), ("name" = String, Path), PageQuery),
    responses((status = 200, body = Page<Standing>), (status = 404, body = crate::routes::openapi::Problem)))]
pub(crate) async fn clusters(
    _admin: Admin,
    State(app): State<Arc<App>>,
    at: InProject,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<Standing>>> {
    let mut conn = app.db.read().await?;
    let service = at.service()?;
    found(&mut conn, &service).await?;
    let sets = sets_with(&mut conn, &service).await?;
    let after = query.cursor.as_deref().unwrap_or_default();
    let stands = Stands { service: &service, sets: &sets, after, limit: query.rows() };
    let found = assignment::standings(&mut conn, &stands).await?;
    Ok(Json(Page::of(found, query.rows(), |standing| standing.cluster.clone())))
}

/// The sets in use that a service is in.
pub(super) async fn sets_with(conn: &mut Conn, name: &ServiceName) -> Result<Vec<Digest>> {
    let mut with = Vec::new();
    for set in assignment::sets_in_use(conn).await? {
        if documents::services_of(conn, set).await?.contains(name) {
            with.push(set);
        }
    }
    Ok(with)
}
