//! Clusters: who they are and whether they may poll. Their assignments are in [`assignment`], what memory keeps of them in
//! [`slots`].

pub(crate) mod assignment;
pub(crate) mod slots;

use std::collections::BTreeMap;

use cdn::document::ProjectValues;
use cdn::{ClusterId, Digest, ProjectName, PublicKey};
use sqlx::any::AnyRow;
use sqlx::{FromRow, Row};

use super::filter::Filter;
use super::{Conn, Result, json, maybe, nat, of_word, text, to_json};
use crate::clock::timestamp;
use crate::nouns::clusters::{Cluster, ClusterState};
use crate::selector::Selector;

/// A cluster that joins.
#[derive(Debug)]
pub(crate) struct NewCluster<'a> {
    pub(crate) id: &'a ClusterId,
    pub(crate) name: &'a str,
    pub(crate) labels: &'a BTreeMap<String, String>,
    pub(crate) projects: &'a [ProjectName],
    pub(crate) state: ClusterState,
    pub(crate) credential: Digest,
    pub(crate) key: PublicKey,
    pub(crate) join_token: &'a str,
    pub(crate) agent: &'a str,
    pub(crate) at: i64,
    pub(crate) change: i64,
}

/// Adds it. Its name is free: who adds it has looked in the same transaction, and holds the lock of all that write.
pub(crate) async fn add(conn: &mut Conn, new: &NewCluster<'_>) -> Result<()> {
    let sql = "insert into clusters (id, name, labels, projects, own_values, state, credential, key, join_token,
                 joined_at, agent, seq, changed_at, extras, stale, change, agent_start, reported_number, reported_seq,
                 sync, health, services, holds, version)
               values ($1, $2, $3, $4, '{}', $5, $6, $7, $8,
                 $9, $10, 0, $9, '', 1, $11, 0, 0, 0,
                 'unknown', 'unknown', 0, 0, 1)";
    sqlx::query(sql)
        .bind(new.id.as_str())
        .bind(new.name)
        .bind(to_json(new.labels))
        .bind(to_json(&new.projects))
        .bind(super::word(&new.state))
        .bind(new.credential.to_string())
        .bind(new.key.to_string())
        .bind(new.join_token)
        .bind(new.at)
        .bind(new.agent)
        .bind(new.change)
        .execute(&mut *conn)
        .await?;
    index_labels(conn, new.id, new.labels).await
}

/// Whether a name is taken.
pub(crate) async fn name_taken(conn: &mut Conn, name: &str) -> Result<bool> {
    let sql = "select id from clusters where name = $1";
    let row: Option<(String,)> = sqlx::query_as(sql).bind(name).fetch_optional(conn).await?;
    Ok(row.is_some())
}

/// A join that may be asked for again, since its answer got lost.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked<'a> {
    /// The join token's id.
    pub(crate) token: &'a str,
    pub(crate) name: &'a str,
    pub(crate) key: PublicKey,
    pub(crate) at: i64,
}

/// The cluster that this very join made, as long as it has never been heard of: its credential cannot be in use. A token
/// that was revoked or has expired, and a cluster that was revoked, give nothing again.
pub(crate) async fn unheard(conn: &mut Conn, asked: &Asked<'_>) -> Result<Option<(ClusterId, ClusterState)>> {
    let sql = "select c.id, c.state from clusters c join join_tokens t on t.id = c.join_token
               where t.id = $1 and t.revoked_at is null and t.expires_at > $2 and c.name = $3 and c.key = $4
                 and c.state <> 'revoked' and c.last_seen is null and c.reported_number = 0 and c.agent_start = 0
                 and c.next_credential is null";
    let query = sqlx::query_as(sql).bind(asked.token).bind(asked.at);
    let query = query.bind(asked.name).bind(asked.key.to_string());
    let row: Option<(String, String)> = query.fetch_optional(conn).await?;
    row.map(|(id, state)| Ok((text(&id)?, of_word(&state)?))).transpose()
}

/// Puts a new credential in the place of one that nobody has used.
pub(crate) async fn replace_credential(
    conn: &mut Conn,
    id: &ClusterId,
    credential: Digest,
    change: i64,
) -> Result<()> {
    let sql = "update clusters set credential = $2, change = $3 where id = $1";
    let query = sqlx::query(sql).bind(id.as_str()).bind(credential.to_string()).bind(change);
    query.execute(conn).await.map(drop)
}

async fn index_labels(conn: &mut Conn, id: &ClusterId, labels: &BTreeMap<String, String>) -> Result<()> {
    sqlx::query("delete from cluster_labels where cluster = $1")
        .bind(id.as_str())
        .execute(&mut *conn)
        .await?;
    for (key, value) in labels {
        let sql = "insert into cluster_labels (cluster, key, value) values ($1, $2, $3)";
        sqlx::query(sql).bind(id.as_str()).bind(key).bind(value).execute(&mut *conn).await?;
    }
    Ok(())
}

const SELECT: &str =
    "select c.id, c.name, c.labels, c.projects, c.state, c.joined_at, c.join_token, c.last_seen, c.agent, c.seq,
       c.set_digest, c.reported_at, c.reported_seq, c.sync, c.health, c.services, c.holds, c.duplicate_since,
       c.agent_ahead, c.own_values, c.report, c.version, c.extras
     from clusters c";

/// A cluster's row.
#[derive(Debug)]
pub(crate) struct ClusterRow {
    pub(crate) cluster: Cluster,
    pub(crate) values: BTreeMap<ProjectName, ProjectValues>,
    pub(crate) report: Option<String>,
    pub(crate) version: i64,
    pub(crate) extras: String,
}

impl FromRow<'_, AnyRow> for ClusterRow {
    fn from_row(row: &AnyRow) -> Result<Self> {
        let time = |at: Option<i64>| at.map(timestamp);
        let duplicate_since = time(row.try_get("duplicate_since")?);
        let agent_ahead = row.try_get::<Option<i64>, _>("agent_ahead")?.map(nat);
        let own_holds = u64::from(duplicate_since.is_some()) + u64::from(agent_ahead.is_some());
        let cluster = Cluster {
            id: text(row.try_get("id")?)?,
            name: row.try_get("name")?,
            labels: json(row.try_get("labels")?)?,
            projects: json(row.try_get("projects")?)?,
            state: of_word(row.try_get("state")?)?,
            joined_at: timestamp(row.try_get("joined_at")?),
            join_token: row.try_get("join_token")?,
            last_seen: time(row.try_get("last_seen")?),
            agent: row.try_get("agent")?,
            seq: nat(row.try_get("seq")?),
            set: maybe(row.try_get::<Option<String>, _>("set_digest")?.as_deref())?,
            reported_at: time(row.try_get("reported_at")?),
            reported_seq: nat(row.try_get("reported_seq")?),
            sync: of_word(row.try_get("sync")?)?,
            health: of_word(row.try_get("health")?)?,
            services: nat(row.try_get("services")?),
            holds: nat(row.try_get("holds")?) + own_holds,
            duplicate_since,
            agent_ahead,
        };
        Ok(Self {
            cluster,
            values: json(row.try_get("own_values")?)?,
            report: row.try_get("report")?,
            version: row.try_get("version")?,
            extras: row.try_get("extras")?,
        })
    }
}

/// Which clusters a list shows.
#[derive(Debug, Default)]
pub(crate) struct Listed<'a> {
    pub(crate) selector: Option<&'a Selector>,
    pub(crate) state: Option<ClusterState>,
    pub(crate) name_prefix: Option<&'a str>,
    pub(crate) after: Option<&'a str>,
    pub(crate) limit: i64,
}

/// A page by name.
pub(crate) async fn list(conn: &mut Conn, listed: &Listed<'_>) -> Result<Vec<ClusterRow>> {
    let mut filter = Filter::new(SELECT);
    if let Some(after) = listed.after {
        filter.and("c.name > ?", [after.into()]);
    }
    if let Some(state) = listed.state {
        filter.and("c.state = ?", [super::word(&state).into()]);
    }
    if let Some(prefix) = listed.name_prefix {
        filter.and("substr(c.name, 1, length(?)) = ?", [prefix.into(), prefix.into()]);
    }
    if let Some(selector) = listed.selector {
        filter.and_selected(selector);
    }
    filter.fetch(conn, "c.name", listed.limit).await
}

/// One by name or id.
pub(crate) async fn find(conn: &mut Conn, name_or_id: &str) -> Result<Option<ClusterRow>> {
    let mut filter = Filter::new(SELECT);
    match name_or_id.parse::<ClusterId>() {
        Ok(id) => filter.and("c.id = ?", [id.as_str().into()]),
        Err(_) => filter.and("c.name = ?", [name_or_id.into()]),
    }
    Ok(filter.fetch(conn, "c.name", 1).await?.pop())
}

/// What a person changes of a cluster.
#[derive(Debug)]
pub(crate) struct Changed<'a> {
    pub(crate) name: &'a str,
    pub(crate) labels: &'a BTreeMap<String, String>,
    pub(crate) projects: &'a [ProjectName],
    pub(crate) values: &'a BTreeMap<ProjectName, ProjectValues>,
}

pub(crate) async fn change(conn: &mut Conn, id: &ClusterId, new: &Changed<'_>, change: i64) -> Result<()> {
    let sql =
        "update clusters set name = $2, labels = $3, projects = $4, own_values = $5, stale = 1, change = $6,
                 version = version + 1 where id = $1";
    sqlx::query(sql)
        .bind(id.as_str())
        .bind(new.name)
        .bind(to_json(new.labels))
        .bind(to_json(&new.projects))
        .bind(to_json(new.values))
        .bind(change)
        .execute(&mut *conn)
        .await?;
    index_labels(conn, id, new.labels).await
}

/// Approves or revokes.
pub(crate) async fn set_state(
    conn: &mut Conn,
    id: &ClusterId,
    state: ClusterState,
    change: i64,
) -> Result<()> {
    let sql = "update clusters set state = $2, stale = 1, change = $3, version = version + 1 where id = $1";
    sqlx::query(sql).bind(id.as_str()).bind(super::word(&state)).bind(change).execute(conn).await.map(drop)
}

/// Says that a cluster's own inputs changed.
pub(crate) async fn touch(conn: &mut Conn, id: &ClusterId, change: i64) -> Result<()> {
    let sql = "update clusters set stale = 1, change = $2 where id = $1";
    sqlx::query(sql).bind(id.as_str()).bind(change).execute(conn).await.map(drop)
}

/// Forgets a cluster, and tells replicas.
pub(crate) async fn delete(conn: &mut Conn, id: &ClusterId, change: i64) -> Result<()> {
    let sql = "insert into departures (change, cluster) values ($1, $2)";
    sqlx::query(sql).bind(change).bind(id.as_str()).execute(&mut *conn).await?;
    sqlx::query("delete from clusters where id = $1").bind(id.as_str()).execute(conn).await.map(drop)
}

/// Hands out the next credential. The one in use stays until the next one is used; a next one that was never used is
/// replaced.
pub(crate) async fn renew(conn: &mut Conn, id: &ClusterId, next: Digest, change: i64) -> Result<()> {
    let sql = "update clusters set next_credential = $2, change = $3 where id = $1";
    sqlx::query(sql).bind(id.as_str()).bind(next.to_string()).bind(change).execute(conn).await.map(drop)
}

/// Lets the next credential take over: it has been used. `false` if it has before.
pub(crate) async fn promote(conn: &mut Conn, next: Digest, change: i64) -> Result<bool> {
    let sql = "update clusters set credential = next_credential, next_credential = null, change = $2
               where next_credential = $1";
    let done = sqlx::query(sql).bind(next.to_string()).bind(change).execute(conn).await?;
    Ok(done.rows_affected() == 1)
}

/// Marks what only a person resolves; `false` if it is marked already.
pub(crate) async fn mark_duplicate(conn: &mut Conn, id: &ClusterId, at: i64, change: i64) -> Result<bool> {
    let sql =
        "update clusters set duplicate_since = $2, change = $3 where id = $1 and duplicate_since is null";
    let done = sqlx::query(sql).bind(id.as_str()).bind(at).bind(change).execute(conn).await?;
    Ok(done.rows_affected() == 1)
}

/// Notes the highest sequence that the agent holds and that this database never issued; `true` if none was noted before.
pub(crate) async fn mark_ahead(conn: &mut Conn, id: &ClusterId, seq: u64, change: i64) -> Result<bool> {
    let first = "update clusters set agent_ahead = $2, change = $3
                 where id = $1 and seq <> $2 and agent_ahead is null";
    let higher =
        "update clusters set agent_ahead = $2, change = $3 where id = $1 and seq <> $2 and agent_ahead < $2";
    let seq = super::int(seq)?;
    let done = sqlx::query(first).bind(id.as_str()).bind(seq).bind(change).execute(&mut *conn).await?;
    if done.rows_affected() == 1 {
        return Ok(true);
    }
    sqlx::query(higher).bind(id.as_str()).bind(seq).bind(change).execute(conn).await?;
    Ok(false)
}

/// A person's word that this database counts: marks are taken away, and the sequence lies above what the agent holds.
pub(crate) async fn recover(
    conn: &mut Conn,
    id: &ClusterId,
    (seq, accepted): (u64, Option<u64>),
    now_ms: i64,
    change: i64,
) -> Result<()> {
    let sql = "update clusters set duplicate_since = null, ahead_accepted = coalesce($5, ahead_accepted),
                 agent_ahead = null, stale = 1, seq = $2, changed_at = $3, change = $4, version = version + 1
               where id = $1";
    let accepted = accepted.map(super::int).transpose()?;
    let query = sqlx::query(sql).bind(id.as_str()).bind(super::int(seq)?).bind(now_ms).bind(change);
    query.bind(accepted).execute(conn).await.map(drop)
}
