//! What memory keeps of clusters: read after each change, written back in batches.

use cdn::document::Named;
use cdn::{ClusterId, Digest};
use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, FromRow, Row};

use super::super::{BATCH, Conn, Result, maybe, nat, of_word, rows, text};
use crate::nouns::clusters::ClusterState;

/// All of a cluster that a poll needs.
#[derive(Clone, Debug)]
pub(crate) struct SlotRow {
    pub(crate) id: ClusterId,
    pub(crate) state: ClusterState,
    pub(crate) credential: Digest,
    pub(crate) next_credential: Option<Digest>,
    pub(crate) seq: u64,
    pub(crate) changed_at: i64,
    pub(crate) set: Option<Named>,
    pub(crate) values: Option<Named>,
    pub(crate) extras: String,
    pub(crate) duplicate: bool,
    pub(crate) agent_ahead: Option<u64>,
    pub(crate) ahead_accepted: Option<u64>,
    pub(crate) agent_start: u32,
    pub(crate) reported_number: u64,
    pub(crate) last_seen: Option<i64>,
    pub(crate) change: i64,
}

const SELECT: &str = "select id, state, credential, next_credential, seq, changed_at, set_digest, set_length,
       values_digest, values_length, extras, duplicate_since, agent_ahead, ahead_accepted, agent_start,
       reported_number, last_seen, change from clusters";

fn named(row: &AnyRow, digest: &str, length: &str) -> Result<Option<Named>> {
    let digest: Option<Digest> = maybe(row.try_get::<Option<String>, _>(digest)?.as_deref())?;
    let length: Option<i64> = row.try_get(length)?;
    Ok(digest.zip(length).map(|(digest, length)| Named { digest, length: nat(length) }))
}

impl FromRow<'_, AnyRow> for SlotRow {
    fn from_row(row: &AnyRow) -> Result<Self> {
        Ok(Self {
            id: text(row.try_get("id")?)?,
            state: of_word(row.try_get("state")?)?,
            credential: text(row.try_get("credential")?)?,
            next_credential: maybe(row.try_get::<Option<String>, _>("next_credential")?.as_deref())?,
            seq: nat(row.try_get("seq")?),
            changed_at: row.try_get("changed_at")?,
            set: named(row, "set_digest", "set_length")?,
            values: named(row, "values_digest", "values_length")?,
            extras: row.try_get("extras")?,
            duplicate: row.try_get::<Option<i64>, _>("duplicate_since")?.is_some(),
            agent_ahead: row.try_get::<Option<i64>, _>("agent_ahead")?.map(nat),
            ahead_accepted: row.try_get::<Option<i64>, _>("ahead_accepted")?.map(nat),
            agent_start: u32::try_from(row.try_get::<i64, _>("agent_start")?).unwrap_or(0),
            reported_number: nat(row.try_get("reported_number")?),
            last_seen: row.try_get("last_seen")?,
            change: row.try_get("change")?,
        })
    }
}

/// A page of the clusters that changed after this place in the change log.
pub(crate) async fn since(conn: &mut Conn, change: i64, id: &str) -> Result<Vec<SlotRow>> {
    let sql = format!("{SELECT} where (change, id) > ($1, $2) order by change, id limit $3");
    let limit = i64::try_from(BATCH).unwrap_or(i64::MAX);
    sqlx::query_as(AssertSqlSafe(sql)).bind(change).bind(id).bind(limit).fetch_all(conn).await
}

/// The clusters that were deleted after `change`.
pub(crate) async fn departed_since(conn: &mut Conn, change: i64) -> Result<Vec<ClusterId>> {
    let sql = "select cluster from departures where change > $1";
    let rows: Vec<(String,)> = sqlx::query_as(sql).bind(change).fetch_all(conn).await?;
    rows.iter().map(|row| text(&row.0)).collect()
}

/// The cluster that a credential belongs to, also one that was handed out and not used yet.
pub(crate) async fn of_credential(conn: &mut Conn, hash: Digest) -> Result<Option<SlotRow>> {
    let sql = format!("{SELECT} where credential = $1 or next_credential = $1");
    sqlx::query_as(AssertSqlSafe(sql)).bind(hash.to_string()).fetch_optional(conn).await
}

/// Writes down when clusters were last seen. Does not count as a change.
pub(crate) async fn seen(conn: &mut Conn, seen: &[(ClusterId, i64)]) -> Result<()> {
    for part in seen.chunks(BATCH) {
        let sql = format!(
            "update clusters set last_seen = v.column2 from (values {}) as v
             where clusters.id = v.column1 and coalesce(clusters.last_seen, 0) < v.column2",
            rows(part.len(), 2)
        );
        let mut query = sqlx::query(AssertSqlSafe(sql)).persistent(false);
        for (id, at) in part {
            query = query.bind(id.as_str()).bind(*at);
        }
        query.execute(&mut *conn).await?;
    }
    Ok(())
}

/// An agent that spoke with another nonce than the one that the database knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Restart {
    pub(crate) id: ClusterId,
    /// What the database knows, as far as memory knows that.
    pub(crate) known: u32,
    pub(crate) now: u32,
}

/// Writes down which start of each agent spoke last, for the other replicas. One that another replica has written
/// meanwhile stays: which of the two was later is not known here, and memory hears of it.
pub(crate) async fn restarted(conn: &mut Conn, all: &[Restart], change: i64) -> Result<()> {
    for part in all.chunks(BATCH) {
        let sql = format!(
            "update clusters set agent_start = v.column3, change = ${} from (values {}) as v
             where clusters.id = v.column1 and clusters.agent_start = v.column2",
            part.len() * 3 + 1,
            rows(part.len(), 3)
        );
        let mut query = sqlx::query(AssertSqlSafe(sql)).persistent(false);
        for one in part {
            query = query.bind(one.id.as_str()).bind(i64::from(one.known)).bind(i64::from(one.now));
        }
        query.bind(change).execute(&mut *conn).await?;
    }
    Ok(())
}
