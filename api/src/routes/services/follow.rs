//! Which release a service runs: pinned by a person, or the latest. Going back to older content is always a newer
//! assignment (law L4).

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use cdn::{Digest, ServiceName};
use serde_json::json;

use super::{Follow, Moved, Pin, Service, found};
use crate::app::{App, audited};
use crate::auth::Admin;
use crate::db::{Conn, Write, fleet, releases, services};
use crate::error::{Error, Result};
use crate::extract::{Idempotency, InProject, Json as Body};
use crate::nouns::releases::Release;
use crate::routes::{commit_and_assign, made_before, remember};

/// Goes back to the release before the one that runs, and stays there until resumed.
#[utoipa::path(post, path = "/v1/services/{project}/{name}/undo", tag = "services", security(("admin" = [])),
    params(("project" = String, Path), ("name" = String, Path), ("Idempotency-Key" = Option<String>, Header)),
    responses((status = 200, body = Moved), (status = 404, body = crate::routes::openapi::Problem),
        (status = 409, body = crate::routes::openapi::Problem)))]
pub(crate) async fn undo(
    admin: Admin,
    State(app): State<Arc<App>>,
    at: InProject,
    Idempotency(key): Idempotency,
) -> Result<Json<Moved>> {
    let name = at.service()?;
    let mut tx = app.db.write().await?;
    let service = found(&mut tx, &name).await?;
    let verb = format!("undo {name}");
    if made_before(&mut tx, key.as_deref(), &verb).await?.is_some() {
        return Ok(Json(said(&service, service.release, "was undone by this request before")));
    }
    let to = before(&mut tx, &service).await?;
    remember(&mut tx, &app, key.as_deref(), (&verb, &to.digest.to_string())).await?;
    move_to(&app, tx, &admin, &service, ("service.undo", Some(to.digest))).await.map(Json)
}

/// Pins a service to one of its releases.
#[utoipa::path(post, path = "/v1/services/{project}/{name}/pin", tag = "services", security(("admin" = [])),
    params(("project" = String, Path), ("name" = String, Path)), request_body = Pin,
    responses((status = 200, body = Moved), (status = 404, body = crate::routes::openapi::Problem),
        (status = 409, body = crate::routes::openapi::Problem)))]
pub(crate) async fn pin(
    admin: Admin,
    State(app): State<Arc<App>>,
    at: InProject,
    Body(pin): Body<Pin>,
) -> Result<Json<Moved>> {
    let name = at.service()?;
    let mut tx = app.db.write().await?;
    let service = found(&mut tx, &name).await?;
    let missing = || Error::not_found(format!("{name} has no such release; GET .../releases lists them."));
    let release = releases::get(&mut tx, pin.release).await?.filter(|release| release.service == name);
    let release = release.ok_or_else(missing)?;
    if !release.trusted {
        let detail = format!(
            "The newest root does not believe it any more, so agents refuse it: its publisher's key, say, is no longer listed. \
             Pin one that is trusted: `windlass get releases {name}` lists them."
        );
        return Err(Error::conflict("not_trusted", detail));
    }
    let floor = releases::floor(&mut tx, &name).await?;
    if release.seq < floor {
        let detail = format!(
            "Its publisher has withdrawn everything of {name} below {floor}, and agents refuse it; pin one that is not \
             below: GET .../releases lists them."
        );
        return Err(Error::conflict("withdrawn", detail));
    }
    move_to(&app, tx, &admin, &service, ("service.pin", Some(release.digest))).await.map(Json)
}

/// Lets a service follow its latest release again.
#[utoipa::path(post, path = "/v1/services/{project}/{name}/resume", tag = "services", security(("admin" = [])),
    params(("project" = String, Path), ("name" = String, Path)),
    responses((status = 200, body = Moved), (status = 404, body = crate::routes::openapi::Problem)))]
pub(crate) async fn resume(admin: Admin, State(app): State<Arc<App>>, at: InProject) -> Result<Json<Moved>> {
    let mut tx = app.db.write().await?;
    let service = found(&mut tx, &at.service()?).await?;
    move_to(&app, tx, &admin, &service, ("service.resume", None)).await.map(Json)
}

/// The release before the one that runs, among those that agents still accept.
async fn before(conn: &mut Conn, service: &Service) -> Result<Release> {
    let none = || {
        let detail =
            format!("{} has no earlier release that agents accept; nothing was changed.", service.name);
        Error::conflict("nothing_to_undo", detail)
    };
    let now = match service.release {
        Some(release) => releases::get(conn, release).await?.ok_or_else(none)?,
        None => return Err(none()),
    };
    let floor = releases::floor(conn, &service.name).await?;
    let before = releases::before(conn, &service.name, now.seq).await?;
    before.filter(|before| before.seq >= floor).ok_or_else(none)
}

async fn move_to(
    app: &App,
    mut tx: Write,
    admin: &Admin,
    service: &Service,
    (verb, pinned): (&str, Option<Digest>),
) -> Result<Moved> {
    services::pin(&mut tx, &service.name, pinned).await?;
    fleet::touch_catalog(&mut tx).await?;
    let after = found(&mut tx, &service.name).await?;
    let detail = json!({"from": service.release, "to": after.release});
    audited(&mut tx, app, &admin.who, (verb, &service.name.to_string()), detail).await?;
    commit_and_assign(tx, app).await?;
    Ok(said(&after, service.release, "runs"))
}

/// What happened, in one sentence with the next step.
fn said(after: &Service, from: Option<Digest>, runs: &str) -> Moved {
    let short =
        |digest: Option<Digest>| digest.map_or_else(|| "no release".to_owned(), |digest| digest.short());
    let name: &ServiceName = &after.name;
    let next = match after.follow {
        Follow::Latest => "and follows its latest release.".to_owned(),
        Follow::Pinned { .. } => {
            format!("and is pinned there; `windlass rollout resume {name}` follows the latest again.")
        }
    };
    let message = format!("{name} {runs} {} {next}", short(after.release));
    Moved { from, to: after.release, follow: after.follow, message }
}
