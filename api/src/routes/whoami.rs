//! `GET /v1/whoami`: whether a credential works, and for which fleet.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use cdn::Digest;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app::App;
use crate::auth::Admin;

/// Who asks, and whom.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Whoami {
    /// Who the credential speaks for.
    pub who: String,
    /// The fleet's id.
    #[schema(value_type = String)]
    pub fleet: Digest,
    /// The newest root that the api knows.
    pub root: u64,
    /// The api's version.
    pub version: String,
    /// Where content lies: what agents are told.
    pub origins: Vec<String>,
}

/// Whom this credential speaks for.
#[utoipa::path(get, path = "/v1/whoami", tag = "people", security(("admin" = [])),
    responses((status = 200, body = Whoami), (status = 401, body = crate::routes::openapi::Problem)))]
pub(crate) async fn whoami(admin: Admin, State(app): State<Arc<App>>) -> Json<Whoami> {
    let trust = app.signer.trust();
    Json(Whoami {
        who: admin.who,
        fleet: trust.fleet(),
        root: trust.version(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        origins: app.table.terms().origins.clone(),
    })
}
