//! What publishers ask and say beside their releases: `GET /v1/wanted`, `POST /v1/publish-status`. A publisher sees its own
//! project, by its credential. Bodies are `cdn::wire`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use cdn::limits::TEXT_CHARS;
use cdn::wire::{Outcome, PublishStatus, Wanted};
use http::StatusCode;
use serde_json::json;

use super::commit;
use crate::app::{App, audited};
use crate::auth::Publisher;
use crate::db::services;
use crate::error::{Error, Result};
use crate::extract::Raw;

const STATUS_BYTES: usize = 16 << 10;

/// The services of the publisher's project that should be published.
#[utoipa::path(get, path = "/v1/wanted", tag = "publishers", security(("publisher" = [])),
    responses((status = 200, body = Object, description = "`cdn::wire::Wanted`")))]
pub(crate) async fn wanted(publisher: Publisher, State(app): State<Arc<App>>) -> Result<Json<Wanted>> {
    let services = services::wanted(&mut *app.db.read().await?, &publisher.project).await?;
    Ok(Json(Wanted { services, root: Some(app.signer.trust().version()) }))
}

/// What became of looking at a service, for people.
#[utoipa::path(post, path = "/v1/publish-status", tag = "publishers", security(("publisher" = [])),
    request_body(content = Object, description = "`cdn::wire::PublishStatus`"),
    responses((status = 204), (status = 404, body = crate::routes::openapi::Problem)))]
pub(crate) async fn publish_status(
    publisher: Publisher,
    State(app): State<Arc<App>>,
    Raw(bytes): Raw<STATUS_BYTES>,
) -> Result<StatusCode> {
    let status: PublishStatus = cdn::json::document(&bytes)
        .map_err(|error| Error::invalid("invalid_body", format!("This is no status: {error}.")))?;
    let too_long = status.message.chars().count() > TEXT_CHARS || status.commit.chars().count() > 200;
    if too_long {
        let detail = format!("A message has at most {TEXT_CHARS} characters, a commit at most 200.");
        return Err(Error::invalid("invalid_body", detail));
    }
    let unknown = || {
        Error::not_found(format!("There is no service {}; look at `GET /v1/wanted` again.", status.service))
    };
    if *status.service.project() != publisher.project {
        return Err(unknown());
    }
    let mut tx = app.db.write().await?;
    if !services::published(&mut tx, &status, app.clock.now_ms()).await? {
        return Err(unknown());
    }
    // A publisher that looks every minute and finds nothing new is no event.
    if status.outcome != Outcome::Unchanged {
        let object = status.service.to_string();
        let detail = json!({"outcome": status.outcome, "commit": status.commit});
        audited(&mut tx, &app, &publisher.who, ("service.publish-status", &object), detail).await?;
    }
    commit(tx, &app).await?;
    Ok(StatusCode::NO_CONTENT)
}
