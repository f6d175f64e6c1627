//! `GET /v1/audit`: every write, newest first.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::page::{Page, PageQuery};
use crate::app::App;
use crate::auth::Admin;
use crate::error::Result;
use crate::extract::Query;

/// One write.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Entry {
    /// Its id; ids grow with time.
    pub id: String,
    /// When.
    pub at: Timestamp,
    /// Who: `admin`, `publisher:<name>`, `cluster:<id>`, `join:<token id>` or `api`.
    pub who: String,
    /// What was done: `service.put`, `cluster.approve` ...
    pub verb: String,
    /// To what.
    pub object: String,
    /// The particulars.
    #[schema(value_type = Object)]
    pub detail: serde_json::Value,
}

/// The writes, newest first.
#[utoipa::path(get, path = "/v1/audit", tag = "audit", security(("admin" = [])), params(PageQuery),
    responses((status = 200, body = Page<Entry>)))]
pub(crate) async fn list(
    _admin: Admin,
    State(app): State<Arc<App>>,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<Entry>>> {
    let mut conn = app.db.read().await?;
    let found = crate::db::audit::list(&mut conn, query.cursor.as_deref(), query.rows()).await?;
    Ok(Json(Page::of(found, query.rows(), |entry| entry.id.clone())))
}
