//! `GET /v1/audit`: every write, newest first.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;

pub use crate::nouns::audit::Entry;

use super::page::{Page, PageQuery};
use crate::app::App;
use crate::auth::Admin;
use crate::error::Result;
use crate::extract::Query;

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
