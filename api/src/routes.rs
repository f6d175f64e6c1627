//! Every route with its bodies, one file a noun. `openapi.json` is made from the same list.
//!
//! | who | routes |
//! |---|---|
//! | agents (`wlc_`, `wlj_`) | `GET /v1/desired`, `POST /v1/report`, `POST /v1/join`, `POST /v1/renew` |
//! | publishers (`wlp_`) | `GET /v1/wanted`, `POST /v1/releases`, `POST /v1/publish-status` |
//! | people (`wla_`) | `GET /v1/clusters`, `GET\|PATCH\|DELETE /v1/clusters/{cluster}`, `POST /v1/clusters/{cluster}/approve\|revoke\|recover` |
//! | | `GET /v1/sources`, `GET\|PUT\|DELETE /v1/sources/{project}/{name}` |
//! | | `GET /v1/services`, `GET\|PUT\|DELETE /v1/services/{project}/{name}`, `POST .../undo\|pin\|resume`, `GET .../releases\|clusters` |
//! | | `GET /v1/global-services`, `GET\|PUT\|DELETE /v1/global-services/{project}/{name}` |
//! | | `GET /v1/releases/{digest}` |
//! | | `GET\|POST /v1/removals`, `GET /v1/holds`, `POST /v1/holds/{digest}/approve` |
//! | | `GET\|POST /v1/join-tokens`, `POST /v1/join-tokens/{id}/revoke` |
//! | | `GET\|POST /v1/publishers`, `POST /v1/publishers/{id}/revoke` |
//! | | `GET /v1/audit`, `GET /v1/whoami` |
//! | anyone | `GET /v1/openapi.json` |
//!
//! Lists are [`page::Page`]s with `?limit=&cursor=`. Reads have an `ETag`, and are 304 to who holds it. Errors are `cdn::wire::Problem`.

pub mod agent;
pub mod audit;
pub mod clusters;
pub mod global_services;
pub mod holds;
pub mod join_tokens;
pub mod notice;
mod openapi;
pub mod page;
pub mod publisher;
pub mod publishers;
mod queries;
pub mod releases;
pub mod removals;
pub mod services;
pub mod sources;
mod unchanged;
pub mod whoami;

use std::sync::Arc;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::db::{Write, idempotency};
use crate::error::Result;
use crate::{follow, pass};

pub use openapi::openapi;

/// All routes, and the description that is made of them.
fn all() -> OpenApiRouter<Arc<App>> {
    let agents = OpenApiRouter::new()
        .routes(routes!(agent::desired))
        .routes(routes!(agent::report))
        .routes(routes!(agent::join))
        .routes(routes!(agent::renew));
    let publishers = OpenApiRouter::new()
        .routes(routes!(publisher::wanted))
        .routes(routes!(releases::register))
        .routes(routes!(publisher::publish_status));
    let reads_are_tagged = axum::middleware::from_fn(unchanged::unless_held);
    // What anyone may read is tagged once, not anew for each who asks.
    let anyone = OpenApiRouter::new().routes(routes!(openapi::shown));
    let known = publishers.merge(fleet()).merge(work()).merge(people()).route_layer(reads_are_tagged);
    agents.merge(known).merge(anyone)
}

fn fleet() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(clusters::list))
        .routes(routes!(clusters::get, clusters::patch, clusters::delete))
        .routes(routes!(clusters::approve))
        .routes(routes!(clusters::revoke))
        .routes(routes!(clusters::recover))
        .routes(routes!(removals::list, removals::create))
        .routes(routes!(holds::list))
        .routes(routes!(holds::approve))
}

fn work() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(sources::list))
        .routes(routes!(sources::get, sources::put, sources::delete))
        .routes(routes!(services::list))
        .routes(routes!(services::get, services::put, services::delete))
        .routes(routes!(services::undo))
        .routes(routes!(services::pin))
        .routes(routes!(services::resume))
        .routes(routes!(services::clusters))
        .routes(routes!(global_services::list))
        .routes(routes!(global_services::get, global_services::put, global_services::delete))
        .routes(routes!(releases::list))
        .routes(routes!(releases::get))
}

fn people() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(join_tokens::list, join_tokens::create))
        .routes(routes!(join_tokens::revoke))
        .routes(routes!(publishers::list, publishers::create))
        .routes(routes!(publishers::revoke))
        .routes(routes!(audit::list))
        .routes(routes!(whoami::whoami))
}

/// The router of a process.
pub(crate) fn router(app: Arc<App>) -> axum::Router {
    let (router, _description) = all().split_for_parts();
    let noticed = axum::middleware::from_fn_with_state(Arc::clone(&app), notice::add);
    router.fallback(no_route).method_not_allowed_fallback(no_method).layer(noticed).with_state(app)
}

async fn no_route() -> crate::error::Error {
    crate::error::Error::not_found("There is no such route; `GET /v1/openapi.json` lists them.")
}

async fn no_method() -> crate::error::Error {
    crate::error::Error::no_method()
}

/// What an `Idempotency-Key` made before, if it did.
pub(crate) async fn made_before(tx: &mut Write, key: Option<&str>, verb: &str) -> Result<Option<String>> {
    match key {
        Some(key) => Ok(idempotency::made(tx, key, verb).await?),
        None => Ok(None),
    }
}

/// Remembers what an `Idempotency-Key` made.
pub(crate) async fn remember(tx: &mut Write, app: &App, key: Option<&str>, made: (&str, &str)) -> Result<()> {
    match key {
        Some(key) => Ok(idempotency::remember(tx, key, made.0, made.1, app.clock.now_ms()).await?),
        None => Ok(()),
    }
}

/// Makes a write durable, and lets memory follow.
pub(crate) async fn commit(tx: Write, app: &App) -> Result<()> {
    tx.commit().await?;
    Ok(follow::follow(app).await?)
}

/// The same for a write after which assignments may be others: waits, for a while, until they are.
pub(crate) async fn commit_and_assign(tx: Write, app: &App) -> Result<()> {
    commit(tx, app).await?;
    pass::ask(app).await;
    Ok(())
}
