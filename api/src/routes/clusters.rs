//! Clusters, for people: `GET|PATCH|DELETE /v1/clusters/{cluster}`, `GET /v1/clusters`, and the three decisions
//! `POST /v1/clusters/{cluster}/approve|revoke|recover`. `{cluster}` is an id or a name.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use cdn::document::{self, Health, ProjectValues, Removal, Report, Set, Sync, Values};
use cdn::limits::VALUES_BYTES;
use cdn::name::is_dns_label;
use cdn::{ClusterId, Digest, ProjectName, ServiceName};
use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

pub use super::queries::ClusterQuery;
pub use crate::nouns::clusters::{Cluster, ClusterState};

use super::page::{Page, rows};
use super::{commit, commit_and_assign};
use crate::app::{App, audited};
use crate::auth::Admin;
use crate::clock::timestamp;
use crate::db::clusters::{Changed, ClusterRow, Listed};
use crate::db::{self, Conn, Write, documents, holds, nat};
use crate::desired::Extras;
use crate::error::{Error, Result};
use crate::extract::{Conditions, InPath, Json as Body, Query, tagged};
use crate::nouns::seq;
use crate::pass;
use crate::selector::{self, Selector};

/// One cluster with all that is known of it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ClusterDetail {
    /// What the list shows too.
    #[serde(flatten)]
    pub cluster: Cluster,
    /// Its values, by project.
    #[schema(value_type = Object)]
    pub values: BTreeMap<ProjectName, ProjectValues>,
    /// What it should run.
    pub assigned: Vec<Assigned>,
    /// What it should take away.
    #[schema(value_type = Vec<Object>)]
    pub removals: Vec<Removal>,
    /// Services that are meant for it and are left out, and why.
    pub notes: Vec<String>,
    /// Its last report.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub report: Option<Report>,
}

/// A service that a cluster should run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Assigned {
    /// The service.
    #[schema(value_type = String)]
    pub service: ServiceName,
    /// Its release.
    #[schema(value_type = String)]
    pub release: Digest,
}

/// `PATCH /v1/clusters/{cluster}`: what is given replaces what was; what is absent stays.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ClusterChange {
    /// A new name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// All labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<BTreeMap<String, String>>,
    /// All projects; empty means every project.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<String>>)]
    pub projects: Option<Vec<ProjectName>>,
    /// All values, by project.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub values: Option<BTreeMap<ProjectName, ProjectValues>>,
}

/// Labels of one cluster.
const MAX_LABELS: usize = 64;

/// The clusters, by name.
#[utoipa::path(get, path = "/v1/clusters", tag = "clusters", security(("admin" = [])), params(ClusterQuery),
    responses((status = 200, body = Page<Cluster>), (status = 400, body = crate::routes::openapi::Problem)))]
pub(crate) async fn list(
    _admin: Admin,
    State(app): State<Arc<App>>,
    Query(query): Query<ClusterQuery>,
) -> Result<Json<Page<Cluster>>> {
    let wrong = |error| Error::malformed(format!("In `selector`: {error}."));
    let selector: Option<Selector> = query.selector.as_deref().map(str::parse).transpose().map_err(wrong)?;
    let limit = rows(query.limit);
    let listed = Listed {
        selector: selector.as_ref(),
        state: query.state,
        name_prefix: query.name.as_deref(),
        after: query.cursor.as_deref(),
        limit,
    };
    let found = db::clusters::list(&mut *app.db.read().await?, &listed).await?;
    let page = Page::of(found, limit, |row| row.cluster.name.clone());
    Ok(Json(page.map(|row| seen(&app, row.cluster))))
}

/// One cluster, with all that is known of it.
#[utoipa::path(get, path = "/v1/clusters/{cluster}", tag = "clusters", security(("admin" = [])),
    params(("cluster" = String, Path, description = "Its name or id")),
    responses((status = 200, body = ClusterDetail), (status = 404, body = crate::routes::openapi::Problem)))]
pub(crate) async fn get(
    _admin: Admin,
    State(app): State<Arc<App>>,
    InPath(cluster): InPath<String>,
) -> Result<(HeaderMap, Json<ClusterDetail>)> {
    let mut conn = app.db.read().await?;
    let row = found(&mut conn, &cluster).await?;
    let version = nat(row.version);
    Ok(tagged(version, detail(&app, &mut conn, row).await?))
}

/// Changes a cluster's name, labels, projects or values.
#[utoipa::path(patch, path = "/v1/clusters/{cluster}", tag = "clusters", security(("admin" = [])),
    params(("cluster" = String, Path), ("If-Match" = Option<String>, Header)), request_body = ClusterChange,
    responses((status = 200, body = ClusterDetail), (status = 409, body = crate::routes::openapi::Problem),
        (status = 412, body = crate::routes::openapi::Problem), (status = 422, body = crate::routes::openapi::Problem)))]
pub(crate) async fn patch(
    admin: Admin,
    State(app): State<Arc<App>>,
    InPath(cluster): InPath<String>,
    conditions: Conditions,
    Body(change): Body<ClusterChange>,
) -> Result<(HeaderMap, Json<ClusterDetail>)> {
    change.check()?;
    let mut tx = app.db.write().await?;
    let row = found(&mut tx, &cluster).await?;
    conditions.check(Some(nat(row.version)))?;
    let id = row.cluster.id.clone();
    let name = change.name.as_deref().unwrap_or(&row.cluster.name);
    if name != row.cluster.name && db::clusters::name_taken(&mut tx, name).await? {
        return Err(Error::conflict("name_taken", "Another cluster has this name; choose another one."));
    }
    let number = tx.change();
    let new = Changed {
        name,
        labels: change.labels.as_ref().unwrap_or(&row.cluster.labels),
        projects: change.projects.as_ref().unwrap_or(&row.cluster.projects),
        values: change.values.as_ref().unwrap_or(&row.values),
    };
    db::clusters::change(&mut tx, &id, &new, number).await?;
    audited(&mut tx, &app, &admin.who, ("cluster.patch", id.as_str()), json!(change)).await?;
    commit_and_assign(tx, &app).await?;
    shown(&app, id.as_str()).await
}

/// Lets a cluster that has joined poll.
#[utoipa::path(post, path = "/v1/clusters/{cluster}/approve", tag = "clusters", security(("admin" = [])),
    params(("cluster" = String, Path)), responses((status = 200, body = ClusterDetail),
        (status = 404, body = crate::routes::openapi::Problem), (status = 409, body = crate::routes::openapi::Problem)))]
pub(crate) async fn approve(
    admin: Admin,
    State(app): State<Arc<App>>,
    InPath(cluster): InPath<String>,
) -> Result<(HeaderMap, Json<ClusterDetail>)> {
    let mut tx = app.db.write().await?;
    let row = found(&mut tx, &cluster).await?;
    if row.cluster.state == ClusterState::Revoked {
        return Err(Error::conflict("revoked", "A revoked cluster stays revoked; let it join anew."));
    }
    move_to(&app, tx, &row, (ClusterState::Active, "cluster.approve", &admin.who)).await?;
    shown(&app, row.cluster.id.as_str()).await
}

/// Takes a cluster's credential away, for good. What it runs goes on running.
#[utoipa::path(post, path = "/v1/clusters/{cluster}/revoke", tag = "clusters", security(("admin" = [])),
    params(("cluster" = String, Path)), responses((status = 200, body = ClusterDetail),
        (status = 404, body = crate::routes::openapi::Problem)))]
pub(crate) async fn revoke(
    admin: Admin,
    State(app): State<Arc<App>>,
    InPath(cluster): InPath<String>,
) -> Result<(HeaderMap, Json<ClusterDetail>)> {
    let mut tx = app.db.write().await?;
    let row = found(&mut tx, &cluster).await?;
    move_to(&app, tx, &row, (ClusterState::Revoked, "cluster.revoke", &admin.who)).await?;
    shown(&app, row.cluster.id.as_str()).await
}

/// A person's word after a look at the cluster: one agent uses its identity, and this database is right. Takes away
/// `duplicate_since` and `agent_ahead`, and assigns with a sequence above what the agent holds.
#[utoipa::path(post, path = "/v1/clusters/{cluster}/recover", tag = "clusters", security(("admin" = [])),
    params(("cluster" = String, Path)), responses((status = 200, body = ClusterDetail),
        (status = 404, body = crate::routes::openapi::Problem)))]
pub(crate) async fn recover(
    admin: Admin,
    State(app): State<Arc<App>>,
    InPath(cluster): InPath<String>,
) -> Result<(HeaderMap, Json<ClusterDetail>)> {
    let mut tx = app.db.write().await?;
    let row = found(&mut tx, &cluster).await?.cluster;
    let now = app.clock.now_ms();
    let seq = seq::recovered(row.seq, row.agent_ahead, tx.seq());
    let change = tx.change();
    let assigned = (seq, seq::believed(row.agent_ahead));
    db::clusters::recover(&mut tx, &row.id, assigned, now, change).await?;
    holds::release_own(&mut tx, &row.id).await?;
    let did = json!({"duplicate_since": row.duplicate_since, "agent_ahead": row.agent_ahead, "seq": seq});
    audited(&mut tx, &app, &admin.who, ("cluster.recover", row.id.as_str()), did).await?;
    commit_and_assign(tx, &app).await?;
    shown(&app, row.id.as_str()).await
}

/// Forgets a cluster and its credential. What it runs goes on running.
#[utoipa::path(delete, path = "/v1/clusters/{cluster}", tag = "clusters", security(("admin" = [])),
    params(("cluster" = String, Path), ("If-Match" = Option<String>, Header)),
    responses((status = 204), (status = 404, body = crate::routes::openapi::Problem)))]
pub(crate) async fn delete(
    admin: Admin,
    State(app): State<Arc<App>>,
    InPath(cluster): InPath<String>,
    conditions: Conditions,
) -> Result<StatusCode> {
    let mut tx = app.db.write().await?;
    let row = found(&mut tx, &cluster).await?;
    conditions.check(Some(nat(row.version)))?;
    let change = tx.change();
    db::clusters::delete(&mut tx, &row.cluster.id, change).await?;
    let was = json!({"name": row.cluster.name});
    audited(&mut tx, &app, &admin.who, ("cluster.delete", row.cluster.id.as_str()), was).await?;
    commit(tx, &app).await?;
    Ok(StatusCode::NO_CONTENT)
}

impl ClusterChange {
    fn check(&self) -> Result<()> {
        let wrong = |detail: String| Err(Error::invalid("invalid_cluster", detail));
        if self.name.as_deref().is_some_and(|name| !is_dns_label(name) || name.parse::<ClusterId>().is_ok()) {
            return wrong("A name is a DNS label of up to 63 characters, and no cluster's id.".to_owned());
        }
        check_labels(self.labels.iter().flatten())?;
        if let Some(values) = &self.values {
            let bytes = Values::new(values.clone()).to_bytes().len();
            if bytes > VALUES_BYTES {
                return wrong(format!("The values have {bytes} bytes, and at most {VALUES_BYTES} are read."));
            }
        }
        Ok(())
    }
}

/// Labels that selectors can look at.
pub(crate) fn check_labels<'a>(labels: impl Iterator<Item = (&'a String, &'a String)>) -> Result<()> {
    for (count, (key, value)) in labels.enumerate() {
        let checked = selector::check_key(key).and_then(|()| selector::check_value(value));
        checked.map_err(|error| Error::invalid("invalid_label", format!("{error}.")))?;
        if count >= MAX_LABELS {
            return Err(Error::invalid(
                "invalid_label",
                format!("A cluster has at most {MAX_LABELS} labels."),
            ));
        }
    }
    Ok(())
}

/// The row of a name or id.
pub(crate) async fn found(conn: &mut Conn, cluster: &str) -> Result<ClusterRow> {
    let missing = || Error::not_found("There is no such cluster; `windlass get clusters` lists them.");
    db::clusters::find(conn, cluster).await?.ok_or_else(missing)
}

async fn move_to(
    app: &App,
    mut tx: Write,
    row: &ClusterRow,
    (state, verb, who): (ClusterState, &str, &str),
) -> Result<()> {
    let change = tx.change();
    db::clusters::set_state(&mut tx, &row.cluster.id, state, change).await?;
    let detail = json!({"was": row.cluster.state});
    audited(&mut tx, app, who, (verb, row.cluster.id.as_str()), detail).await?;
    commit_and_assign(tx, app).await
}

async fn shown(app: &App, id: &str) -> Result<(HeaderMap, Json<ClusterDetail>)> {
    let mut conn = app.db.read().await?;
    let row = found(&mut conn, id).await?;
    let version = nat(row.version);
    Ok(tagged(version, detail(app, &mut conn, row).await?))
}

async fn detail(app: &App, conn: &mut Conn, row: ClusterRow) -> Result<ClusterDetail> {
    let set = match row.cluster.set {
        Some(set) => documents::get(conn, set).await?,
        None => None,
    };
    let set: Option<Set> = set.and_then(|bytes| document::read(&bytes).ok());
    let notes = pass::notes_of(conn, &row.cluster.id).await?;
    let assigned = set.map(|set| set.services).unwrap_or_default().into_iter();
    let report = row.report.as_deref().and_then(|text| document::read(text.as_bytes()).ok());
    Ok(ClusterDetail {
        cluster: seen(app, row.cluster),
        values: row.values,
        assigned: assigned.map(|entry| Assigned { service: entry.name, release: entry.release }).collect(),
        removals: Extras::of_column(&row.extras)?.removals,
        notes,
        report,
    })
}

/// Memory knows better than the database when a cluster polled last, and a report is only the word of its moment.
fn seen(app: &App, mut cluster: Cluster) -> Cluster {
    cluster.last_seen = cluster.last_seen.max(app.table.last_seen(&cluster.id).map(timestamp));
    let is_lost = cluster.last_seen.is_none_or(|at| at < timestamp(app.lost_before_ms()));
    if is_lost {
        (cluster.sync, cluster.health) = (Sync::Unknown, Health::Unknown);
    } else if cluster.duplicate_since.is_some() || cluster.agent_ahead.is_some() {
        // It is told nothing until a person has decided.
        cluster.sync = Sync::Held;
    } else if cluster.sync == Sync::Synced
        && (cluster.reported_seq < cluster.seq || app.passes.failing().is_some())
    {
        cluster.sync = Sync::Pending;
    }
    cluster
}
