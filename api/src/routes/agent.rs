//! The agent's protocol, and nothing else: `GET /v1/desired`, `POST /v1/report`, `POST /v1/join`, `POST /v1/renew`. Its
//! bodies are `cdn::wire` and `cdn::document`. Which cluster asks follows from the credential alone (law L9).

use std::cmp::Ordering;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Extension, State};
use axum::response::Response;
use cdn::document::Report;
use cdn::limits::REPORT_BYTES;
use cdn::name::is_dns_label;
use cdn::secret::{Token, TokenKind};
use cdn::wire::{JoinAnswer, JoinRequest, JoinState, RenewAnswer};
use cdn::{ClusterId, Digest, document};
use http::{HeaderMap, StatusCode};
use serde_json::json;

use super::{commit, commit_and_assign};
use crate::app::{App, audited};
use crate::auth::{Cluster, Joiner, Peer};
use crate::db::clusters::{Asked, NewCluster, name_taken};
use crate::db::{Conn, Write, clusters, join_tokens, reports};
use crate::error::{Error, Result};
use crate::extract::Raw;
use crate::front::poll;
use crate::nouns::clusters::ClusterState;
use crate::nouns::seq;

const JOIN_BYTES: usize = 4 << 10;
/// What a report and a renewal cost of a cluster's allowance in a minute.
const REPORT_COST: u8 = 1;
const RENEW_COST: u8 = 12;

/// What this cluster should run: 304 if it is what it holds.
#[utoipa::path(get, path = "/v1/desired", tag = "agents", security(("cluster" = [])),
    params(
        ("If-None-Match" = Option<String>, Header, description = "The digest of the payload that the agent holds"),
        ("windlass-seq" = Option<u64>, Header, description = "The sequence that the agent holds"),
        ("windlass-start" = Option<String>, Header, description = "16 random hex digits, made anew at each start"),
    ),
    responses(
        (status = 200, body = Object, description = "The signed document, and beside it small documents that it leads to"),
        (status = 304, description = "Nothing new"),
        (status = 400, body = crate::routes::openapi::Problem, description = "`windlass-seq` is no sequence"),
        (status = 401, body = crate::routes::openapi::Problem),
        (status = 403, body = crate::routes::openapi::Problem, description = "`pending`: a person has to approve it first"),
        (status = 409, body = crate::routes::openapi::Problem, description = "`agent_ahead` or `duplicate_identity`"),
    ))]
pub(crate) async fn desired(
    State(app): State<Arc<App>>,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
) -> Response {
    poll::answer(&app, &headers, peer.0).await
}

/// What this cluster runs. One with a number below the last one's is refused, and told that number.
#[utoipa::path(post, path = "/v1/report", tag = "agents", security(("cluster" = [])),
    request_body(content = Object, description = "`cdn::document::Report`, at most 1 MiB"),
    responses((status = 204), (status = 409, body = crate::routes::openapi::Problem, description = "`report_outdated`"),
        (status = 429, body = crate::routes::openapi::Problem)))]
pub(crate) async fn report(
    cluster: Cluster,
    State(app): State<Arc<App>>,
    Raw(bytes): Raw<REPORT_BYTES>,
) -> Result<StatusCode> {
    let report: Report = document::read(&bytes)
        .map_err(|error| Error::invalid("invalid_report", format!("The report is not one: {error}.")))?;
    match report.number.cmp(&cluster.known.reported) {
        Ordering::Less => Err(Error::outdated_report(cluster.known.reported)),
        // Sent again: it was taken.
        Ordering::Equal => Ok(StatusCode::NO_CONTENT),
        Ordering::Greater => {
            cluster.spend(&app, REPORT_COST)?;
            check_numbers(&app, &cluster, &report).await?;
            app.reports.add(cluster.id, report, bytes.len()).await?;
            Ok(StatusCode::NO_CONTENT)
        }
    }
}

/// No number of a report may leave none above it: the cluster's later reports would all be outdated (FAULTS A3).
async fn check_numbers(app: &App, cluster: &Cluster, report: &Report) -> Result<()> {
    let mut may_follow = seq::may_follow(report.number, cluster.known.reported);
    if !may_follow {
        // Another replica may have taken, and told, a higher one.
        let last = reports::number_of(&mut *app.db.read().await?, &cluster.id).await?;
        may_follow = seq::may_follow(report.number, last);
    }
    if may_follow && report.seq.max(report.passed) <= seq::LAST {
        return Ok(());
    }
    let detail =
        "Its number or its sequence is none that an agent comes to; look at the clock of its machine.";
    Err(Error::invalid("invalid_report", detail))
}

/// A new cluster joins: it gets an id and a credential of its own.
#[utoipa::path(post, path = "/v1/join", tag = "agents", security(("join" = [])),
    request_body(content = Object, description = "`cdn::wire::JoinRequest`"),
    responses((status = 201, body = Object, description = "`cdn::wire::JoinAnswer`; the credential is shown this once"),
        (status = 401, body = crate::routes::openapi::Problem),
        (status = 403, body = crate::routes::openapi::Problem, description = "`name_not_allowed`: the token is for other names")))]
pub(crate) async fn join(
    joiner: Joiner,
    State(app): State<Arc<App>>,
    Raw(bytes): Raw<JOIN_BYTES>,
) -> Result<(StatusCode, Json<JoinAnswer>)> {
    if joiner.fleet != Some(app.signer.trust().fleet()) {
        return Err(Error::unauthorized(
            "wrong_fleet",
            "The join token is another fleet's; ask for one of this fleet.",
        ));
    }
    let request = match requested(&bytes) {
        Ok(request) => request,
        Err(_) if joiner.is_spent => return Err(spent()),
        Err(error) => return Err(error),
    };
    // What can join nobody costs no write.
    if joiner.is_spent && unheard(&app, &mut *app.db.read().await?, &joiner, &request).await?.is_none() {
        return Err(spent());
    }
    let credential = Token::random(TokenKind::Cluster, None);
    let mut tx = app.db.write().await?;
    let (cluster, state) = match unheard(&app, &mut tx, &joiner, &request).await? {
        Some(before) => {
            let change = tx.change();
            clusters::replace_credential(&mut tx, &before.0, credential.hash(), change).await?;
            let who = format!("join:{}", joiner.token);
            let detail = json!({"name": request.name, "state": before.1, "again": true});
            audited(&mut tx, &app, &who, ("cluster.join", before.0.as_str()), detail).await?;
            before
        }
        None => admit(&app, &mut tx, &joiner, &request, credential.hash()).await?,
    };
    let state = if state == ClusterState::Active {
        commit_and_assign(tx, &app).await?;
        JoinState::Active
    } else {
        commit(tx, &app).await?;
        JoinState::Pending
    };
    let (credential, origins) = (credential.secret().clone(), app.table.terms().origins.clone());
    Ok((StatusCode::CREATED, Json(JoinAnswer { cluster, credential, state, origins })))
}

/// What a request to join says, checked.
fn requested(bytes: &[u8]) -> Result<JoinRequest> {
    let request: JoinRequest = cdn::json::document(bytes)
        .map_err(|error| Error::invalid("invalid_body", format!("This is no request to join: {error}.")))?;
    check_join(&request)?;
    Ok(request)
}

fn spent() -> Error {
    let detail =
        "The join token has been used as often as it may; ask for a new one: `windlass join-token create`.";
    Error::unauthorized("join_token_used", detail)
}

/// The cluster that this join made before, if the answer got lost: the same token, key and name, and nobody has heard of
/// it since. What memory has heard lately is not in the database yet.
async fn unheard(
    app: &App,
    conn: &mut Conn,
    joiner: &Joiner,
    request: &JoinRequest,
) -> Result<Option<(ClusterId, ClusterState)>> {
    let asked = Asked { token: &joiner.token, name: &request.name, key: request.key, at: app.clock.now_ms() };
    let found = clusters::unheard(conn, &asked).await?;
    Ok(found.filter(|(id, _)| app.table.last_seen(id).is_none()))
}

/// Spends the token once, and adds the cluster that joins with it.
async fn admit(
    app: &App,
    tx: &mut Write,
    joiner: &Joiner,
    request: &JoinRequest,
    credential: Digest,
) -> Result<(ClusterId, ClusterState)> {
    let (id, now, change) = (ClusterId::random(), app.clock.now_ms(), tx.change());
    // It could be used a moment ago, when the request was let in.
    let used = join_tokens::spend(tx, joiner.hash, now).await?.ok_or_else(spent)?;
    if !used.lets(&request.name) {
        let detail = "The join token is for clusters of other names; `windlass join-token list` shows which.";
        return Err(Error::forbidden("name_not_allowed", detail));
    }
    if name_taken(tx, &request.name).await? {
        let detail = "Another cluster has this name; choose another one, or delete the old cluster.";
        return Err(Error::conflict("name_taken", detail));
    }
    let state = if used.approve { ClusterState::Active } else { ClusterState::Pending };
    let new = NewCluster {
        id: &id,
        name: &request.name,
        labels: &used.labels,
        projects: &used.projects,
        state,
        credential,
        key: request.key,
        join_token: &used.id,
        agent: &request.agent,
        at: now,
        change,
    };
    clusters::add(tx, &new).await?;
    let who = format!("join:{}", used.id);
    let detail = json!({"name": request.name, "state": state, "agent": request.agent});
    audited(tx, app, &who, ("cluster.join", id.as_str()), detail).await?;
    Ok((id, state))
}

/// A name that is another cluster's id would bring what is meant for that one.
fn check_join(request: &JoinRequest) -> Result<()> {
    let is_name = is_dns_label(&request.name) && request.name.parse::<ClusterId>().is_err();
    let is_version = request.agent.chars().count() <= 64 && !request.agent.chars().any(char::is_control);
    if is_name && is_version {
        return Ok(());
    }
    let detail =
        "The name is a DNS label of up to 63 characters and no cluster's id, and the version has up to 64.";
    Err(Error::invalid("invalid_name", detail))
}

/// A new credential for the same identity; it takes no input. The one in use dies when the new one is first used.
/// No agent asks for it yet.
#[utoipa::path(post, path = "/v1/renew", tag = "agents", security(("cluster" = [])),
    responses((status = 200, body = Object, description = "`cdn::wire::RenewAnswer`; the credential is shown this once"),
        (status = 409, body = crate::routes::openapi::Problem, description = "`duplicate_identity`"),
        (status = 429, body = crate::routes::openapi::Problem)))]
pub(crate) async fn renew(cluster: Cluster, State(app): State<Arc<App>>) -> Result<Json<RenewAnswer>> {
    if cluster.known.duplicate {
        let detail = "Two agents use this identity; a person has to choose first: `windlass recover`.";
        return Err(Error::conflict("duplicate_identity", detail));
    }
    cluster.spend(&app, RENEW_COST)?;
    let next = Token::random(TokenKind::Cluster, None);
    let mut tx = app.db.write().await?;
    let change = tx.change();
    clusters::renew(&mut tx, &cluster.id, next.hash(), change).await?;
    let who = format!("cluster:{}", cluster.id);
    audited(&mut tx, &app, &who, ("cluster.renew", cluster.id.as_str()), json!({})).await?;
    commit(tx, &app).await?;
    Ok(Json(RenewAnswer { credential: next.secret().clone() }))
}
