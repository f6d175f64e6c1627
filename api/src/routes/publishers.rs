//! Publishers' credentials: `POST|GET /v1/publishers`, `POST /v1/publishers/{id}/revoke`. What a publisher itself asks
//! is in [`super::publisher`].

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use cdn::name::is_dns_label;
use cdn::secret::{Token, TokenKind};
use cdn::{ProjectName, Secret};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

pub use crate::nouns::publishers::Publisher;

use super::page::{Page, PageQuery};
use super::{commit, made_before, remember};
use crate::app::{App, audited};
use crate::auth::Admin;
use crate::db;
use crate::error::{Error, Result};
use crate::extract::{Idempotency, InPath, Json as Body, Query};
use crate::id;

/// `POST /v1/publishers`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPublisher {
    /// A name for people, a DNS label.
    pub name: String,
    /// The one project that it publishes for; `default` unless said.
    #[serde(default)]
    #[schema(value_type = String)]
    pub project: ProjectName,
}

/// The answer to `POST /v1/publishers`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct PublisherCreated {
    /// What the list shows too.
    #[serde(flatten)]
    pub publisher: Publisher,
    /// Its token, shown this once; absent when the same `Idempotency-Key` was used before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub token: Option<Secret>,
}

/// Makes a publisher's credential. It is shown this once.
#[utoipa::path(post, path = "/v1/publishers", tag = "publishers", security(("admin" = [])),
    params(("Idempotency-Key" = Option<String>, Header)), request_body = NewPublisher,
    responses((status = 200, body = PublisherCreated, description = "This key made it before; the token is not shown again"),
        (status = 201, body = PublisherCreated), (status = 409, body = crate::routes::openapi::Problem),
        (status = 422, body = crate::routes::openapi::Problem)))]
pub(crate) async fn create(
    admin: Admin,
    State(app): State<Arc<App>>,
    Idempotency(key): Idempotency,
    Body(new): Body<NewPublisher>,
) -> Result<(StatusCode, Json<PublisherCreated>)> {
    if !is_dns_label(&new.name) {
        return Err(Error::invalid(
            "invalid_name",
            "A publisher's name is a DNS label of up to 63 characters.",
        ));
    }
    let mut tx = app.db.write().await?;
    let before = made_before(&mut tx, key.as_deref(), "publisher.create").await?;
    if let Some(id) = before {
        let missing = || Error::not_found("The publisher that this Idempotency-Key made is gone.");
        let publisher = db::publishers::get(&mut tx, &id).await?.ok_or_else(missing)?;
        return Ok((StatusCode::OK, Json(PublisherCreated { publisher, token: None })));
    }
    let token = Token::random(TokenKind::Publisher, None);
    let publisher = Publisher {
        id: id::new("pb", app.clock.now_ms()),
        name: new.name,
        project: new.project,
        created_at: app.clock.now(),
        created_by: admin.who.clone(),
        revoked_at: None,
    };
    if !db::publishers::add(&mut tx, &publisher, token.hash()).await? {
        let detail =
            format!("Project {} has a publisher of this name; choose another name.", publisher.project);
        return Err(Error::conflict("name_taken", detail));
    }
    remember(&mut tx, &app, key.as_deref(), ("publisher.create", &publisher.id)).await?;
    audited(&mut tx, &app, &admin.who, ("publisher.create", &publisher.id), json!(publisher)).await?;
    commit(tx, &app).await?;
    let token = Some(token.secret().clone());
    Ok((StatusCode::CREATED, Json(PublisherCreated { publisher, token })))
}

/// The publishers, newest first.
#[utoipa::path(get, path = "/v1/publishers", tag = "publishers", security(("admin" = [])), params(PageQuery),
    responses((status = 200, body = Page<Publisher>)))]
pub(crate) async fn list(
    _admin: Admin,
    State(app): State<Arc<App>>,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<Publisher>>> {
    let found =
        db::publishers::list(&mut *app.db.read().await?, query.cursor.as_deref(), query.rows()).await?;
    Ok(Json(Page::of(found, query.rows(), |publisher| publisher.id.clone())))
}

/// Revokes a publisher's credential. What it has published stays.
#[utoipa::path(post, path = "/v1/publishers/{id}/revoke", tag = "publishers", security(("admin" = [])),
    params(("id" = String, Path)),
    responses((status = 200, body = Publisher), (status = 404, body = crate::routes::openapi::Problem)))]
pub(crate) async fn revoke(
    admin: Admin,
    State(app): State<Arc<App>>,
    InPath(id): InPath<String>,
) -> Result<Json<Publisher>> {
    let missing = || Error::not_found("There is no such publisher; `GET /v1/publishers` lists them.");
    let mut tx = app.db.write().await?;
    db::publishers::revoke(&mut tx, &id, app.clock.now_ms()).await?;
    let publisher = db::publishers::get(&mut tx, &id).await?.ok_or_else(missing)?;
    audited(&mut tx, &app, &admin.who, ("publisher.revoke", &id), json!({"name": publisher.name})).await?;
    commit(tx, &app).await?;
    Ok(Json(publisher))
}
