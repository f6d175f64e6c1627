//! Holds: what agents refuse or wait for. `GET /v1/holds`, `POST /v1/holds/{digest}/approve`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use cdn::document::{HoldReason, Roles};
use cdn::envelope::Signature;
use cdn::limits::SIGNATURES;
use cdn::{ClusterId, Digest, document};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

pub use super::queries::HoldQuery;
pub use crate::nouns::holds::{Approval, Hold};

use super::page::{Page, rows};
use super::{clusters, commit_and_assign};
use crate::app::{App, audited};
use crate::auth::Admin;
use crate::db::holds::{HoldRow, Listed};
use crate::db::{self, Conn, approvals};
use crate::error::{Error, Result};
use crate::extract::{InPath, Json as Body, Query};

/// `POST /v1/holds/{digest}/approve`. An empty body is enough where root lists no approvers and one cluster alone reports
/// the digest.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Approve {
    /// Signatures of approvers over the hold's digest, where root lists approvers; at most 16.
    #[serde(default)]
    #[schema(value_type = Vec<Object>)]
    pub signatures: Vec<Signature>,
    /// The cluster that is meant, by name or id; needed where several report this digest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
}

/// How many of the clusters that report one digest are named.
const NAMED: i64 = 16;

/// The holds of all clusters' last reports, and what the api itself holds of them.
#[utoipa::path(get, path = "/v1/holds", tag = "holds", security(("admin" = [])), params(HoldQuery),
    responses((status = 200, body = Page<Hold>)))]
pub(crate) async fn list(
    _admin: Admin,
    State(app): State<Arc<App>>,
    Query(query): Query<HoldQuery>,
) -> Result<Json<Page<Hold>>> {
    if let Some(reason) = query.reason.as_deref() {
        let known: Vec<_> = HoldReason::ALL.iter().map(|known| known.code()).collect();
        if !known.contains(&reason) {
            return Err(Error::malformed(format!("`reason` is one of {}.", known.join(", "))));
        }
    }
    let mut conn = app.db.read().await?;
    let cluster = match &query.cluster {
        Some(cluster) => Some(clusters::found(&mut conn, cluster).await?.cluster.id),
        None => None,
    };
    let after = query.cursor.as_deref().map(behind).transpose()?;
    let limit = rows(query.limit);
    let listed = Listed {
        cluster: cluster.as_ref(),
        reason: query.reason.as_deref(),
        after: after.as_ref().map(|(cluster, place)| (cluster, *place)),
        limit,
    };
    let found = db::holds::list(&mut conn, &listed).await?;
    let key = |row: &HoldRow| format!("{}.{}", row.hold.cluster, row.place);
    Ok(Json(Page::of(found, limit, key).map(|row| row.hold)))
}

fn behind(cursor: &str) -> Result<(ClusterId, i64)> {
    let wrong = || Error::malformed("`cursor` is none of a page of this list.");
    let (cluster, place) = cursor.split_once('.').ok_or_else(wrong)?;
    Ok((cluster.parse().map_err(|_| wrong())?, place.parse().map_err(|_| wrong())?))
}

/// Says yes to exactly one hold. Its cluster recomputes the digest, and acts on exactly that, once.
#[utoipa::path(post, path = "/v1/holds/{digest}/approve", tag = "holds", security(("admin" = [])),
    params(("digest" = String, Path)), request_body = Approve,
    responses((status = 200, body = Approval), (status = 404, body = crate::routes::openapi::Problem),
        (status = 409, body = crate::routes::openapi::Problem, description = "`several_clusters` report it: name one"),
        (status = 422, body = crate::routes::openapi::Problem)))]
pub(crate) async fn approve(
    admin: Admin,
    State(app): State<Arc<App>>,
    InPath(digest): InPath<Digest>,
    Body(approve): Body<Approve>,
) -> Result<Json<Approval>> {
    if approve.signatures.len() > SIGNATURES {
        return Err(Error::invalid("invalid_body", format!("At most {SIGNATURES} signatures are read.")));
    }
    let wire = document::Approval { hold: digest, signatures: approve.signatures };
    check_signed(&app.signer.trust().root().roles, &wire)?;
    let mut tx = app.db.write().await?;
    let held = meant(&mut tx, digest, approve.cluster.as_deref()).await?;
    let approval = Approval {
        hold: digest,
        cluster: held.cluster,
        service: held.hold.service,
        approved_at: app.clock.now(),
        approved_by: admin.who.clone(),
    };
    approvals::put(&mut tx, &approval, &wire).await?;
    let change = tx.change();
    db::clusters::touch(&mut tx, &approval.cluster, change).await?;
    let detail =
        json!({"cluster": approval.cluster, "service": approval.service, "reason": held.hold.reason});
    audited(&mut tx, &app, &admin.who, ("hold.approve", &digest.to_string()), detail).await?;
    commit_and_assign(tx, &app).await?;
    Ok(Json(approval))
}

/// The hold of the cluster that is named. Without a name it is the only one that reports the digest: a cluster that repeats
/// another's must not take that one's yes.
async fn meant(conn: &mut Conn, digest: Digest, cluster: Option<&str>) -> Result<Hold> {
    let missing =
        || Error::not_found("No such hold is reported now; it may be resolved, or be another one by now.");
    let cluster = if let Some(cluster) = cluster {
        clusters::found(conn, cluster).await?.cluster.id
    } else {
        let mut all = db::holds::reporting(conn, digest, NAMED).await?;
        if all.len() > 1 {
            return Err(several(digest, &all));
        }
        all.pop().ok_or_else(missing)?.0
    };
    db::holds::of_digest(conn, digest, &cluster).await?.ok_or_else(missing)
}

fn several(digest: Digest, all: &[(ClusterId, String)]) -> Error {
    let names: Vec<_> = all.iter().map(|(_, name)| name.as_str()).collect();
    let detail = format!(
        "Several clusters report this hold, and it can be one's alone: {}. Look at each, then name the one that is \
         meant: `windlass approve hold {digest} --cluster NAME`.",
        names.join(", ")
    );
    Error::conflict("several_clusters", detail)
}

/// Where root lists approvers, agents act on nothing that these have not signed. A yes replaces the one before, so one
/// that no agent believes would take away one that they do.
fn check_signed(roles: &Roles, approval: &document::Approval) -> Result<()> {
    let Some(approvers) = &roles.approver else { return Ok(()) };
    if approval.is_signed_by(approvers) {
        return Ok(());
    }
    let detail = format!(
        "This fleet's root lists approvers: {} of them have to sign this hold's digest, all in one request; give \
         their keys: `windlass approve hold {} --key FILE`.",
        approvers.threshold, approval.hold
    );
    Err(Error::invalid("signature_needed", detail))
}
