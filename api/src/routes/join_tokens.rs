//! Join tokens: `POST|GET /v1/join-tokens`, `POST /v1/join-tokens/{id}/revoke`. A token is shown once; what is kept is
//! its hash.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use cdn::name::is_dns_label;
use cdn::secret::{Token, TokenKind};
use cdn::{ClusterId, ProjectName, Secret};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

pub use crate::nouns::join_tokens::JoinToken;

use super::clusters::check_labels;
use super::page::{Page, PageQuery};
use super::{commit, made_before, remember};
use crate::app::{App, audited};
use crate::auth::Admin;
use crate::clock::timestamp;
use crate::db;
use crate::error::{Error, Result};
use crate::extract::{Idempotency, InPath, Json as Body, Query};
use crate::id;

const HOUR: u64 = 3_600;
const MAX_TTL: u64 = 30 * 24 * HOUR;
const MAX_USES: u64 = 100_000;

/// `POST /v1/join-tokens`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewJoinToken {
    /// How long it can be used: an hour unless said, at most 30 days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl_seconds: Option<u64>,
    /// How many clusters may join with it: 1 unless said, at most 100,000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_uses: Option<u64>,
    /// The labels of each cluster that joins with it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// The name of the cluster that joins with it, or how its name begins and `*`: services are meant for clusters by
    /// name too. Any name unless said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster_name: Option<String>,
    /// The projects whose services may come to these clusters; empty means every project.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<String>)]
    pub projects: Vec<ProjectName>,
    /// Whether clusters may poll at once. Unless said: yes with one use, no with more, where a person approves each.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approve: Option<bool>,
}

/// The answer to `POST /v1/join-tokens`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct JoinTokenCreated {
    /// What the list shows too.
    #[serde(flatten)]
    pub join_token: JoinToken,
    /// The token, shown this once; absent when the same `Idempotency-Key` was used before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub token: Option<Secret>,
}

/// Makes a join token. It is shown this once.
#[utoipa::path(post, path = "/v1/join-tokens", tag = "join tokens", security(("admin" = [])),
    params(("Idempotency-Key" = Option<String>, Header)), request_body = NewJoinToken,
    responses((status = 200, body = JoinTokenCreated, description = "This key made it before; the token is not shown again"),
        (status = 201, body = JoinTokenCreated), (status = 422, body = crate::routes::openapi::Problem)))]
pub(crate) async fn create(
    admin: Admin,
    State(app): State<Arc<App>>,
    Idempotency(key): Idempotency,
    Body(new): Body<NewJoinToken>,
) -> Result<(StatusCode, Json<JoinTokenCreated>)> {
    let (ttl, max_uses) = (new.ttl_seconds.unwrap_or(HOUR), new.max_uses.unwrap_or(1));
    if !(1..=MAX_TTL).contains(&ttl) || !(1..=MAX_USES).contains(&max_uses) {
        let detail = format!("`ttl_seconds` is 1 to {MAX_TTL} (30 days), `max_uses` 1 to {MAX_USES}.");
        return Err(Error::invalid("invalid_join_token", detail));
    }
    check_labels(new.labels.iter())?;
    check_name(new.cluster_name.as_deref())?;
    let mut tx = app.db.write().await?;
    let before = made_before(&mut tx, key.as_deref(), "join-token.create").await?;
    if let Some(id) = before {
        let missing = || Error::not_found("The join token that this Idempotency-Key made is gone.");
        let join_token = db::join_tokens::get(&mut tx, &id).await?.ok_or_else(missing)?;
        return Ok((StatusCode::OK, Json(JoinTokenCreated { join_token, token: None })));
    }
    let now = app.clock.now_ms();
    let token = Token::random(TokenKind::Join, Some(app.signer.trust().fleet()));
    let join_token = JoinToken {
        id: id::new("jt", now),
        created_at: timestamp(now),
        created_by: admin.who.clone(),
        expires_at: timestamp(now.saturating_add(i64::try_from(ttl * 1_000).unwrap_or(i64::MAX))),
        max_uses,
        uses: 0,
        labels: new.labels,
        projects: new.projects,
        approve: new.approve.unwrap_or(max_uses == 1),
        cluster_name: new.cluster_name,
        revoked_at: None,
    };
    db::join_tokens::add(&mut tx, &join_token, token.hash()).await?;
    remember(&mut tx, &app, key.as_deref(), ("join-token.create", &join_token.id)).await?;
    audited(&mut tx, &app, &admin.who, ("join-token.create", &join_token.id), json!(join_token)).await?;
    commit(tx, &app).await?;
    let token = Some(token.secret().clone());
    Ok((StatusCode::CREATED, Json(JoinTokenCreated { join_token, token })))
}

fn check_name(pattern: Option<&str>) -> Result<()> {
    let is_name = |pattern: &str| match pattern.strip_suffix('*') {
        Some(prefix) => is_dns_label(&format!("{prefix}x")),
        None => is_dns_label(pattern) && pattern.parse::<ClusterId>().is_err(),
    };
    if pattern.is_none_or(is_name) {
        return Ok(());
    }
    let detail = "`cluster_name` is a DNS label and no cluster's id, or the beginning of one and `*`.";
    Err(Error::invalid("invalid_join_token", detail))
}

/// The join tokens, newest first.
#[utoipa::path(get, path = "/v1/join-tokens", tag = "join tokens", security(("admin" = [])), params(PageQuery),
    responses((status = 200, body = Page<JoinToken>)))]
pub(crate) async fn list(
    _admin: Admin,
    State(app): State<Arc<App>>,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<JoinToken>>> {
    let found =
        db::join_tokens::list(&mut *app.db.read().await?, query.cursor.as_deref(), query.rows()).await?;
    Ok(Json(Page::of(found, query.rows(), |token| token.id.clone())))
}

/// Revokes a join token. Clusters that have joined with it stay.
#[utoipa::path(post, path = "/v1/join-tokens/{id}/revoke", tag = "join tokens", security(("admin" = [])),
    params(("id" = String, Path)),
    responses((status = 200, body = JoinToken), (status = 404, body = crate::routes::openapi::Problem)))]
pub(crate) async fn revoke(
    admin: Admin,
    State(app): State<Arc<App>>,
    InPath(id): InPath<String>,
) -> Result<Json<JoinToken>> {
    let missing = || Error::not_found("There is no such join token; `windlass join-token list` lists them.");
    let mut tx = app.db.write().await?;
    db::join_tokens::revoke(&mut tx, &id, app.clock.now_ms()).await?;
    let token = db::join_tokens::get(&mut tx, &id).await?.ok_or_else(missing)?;
    audited(&mut tx, &app, &admin.who, ("join-token.revoke", &id), json!({"uses": token.uses})).await?;
    commit(tx, &app).await?;
    Ok(Json(token))
}
