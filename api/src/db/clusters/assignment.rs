//! What clusters are assigned: what a pass reads of them, and what it writes.

use std::collections::{BTreeMap, BTreeSet};

use cdn::document::{Named, ProjectValues};
use cdn::{ClusterId, Digest, ProjectName};
use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, FromRow, Row};

use super::super::{BATCH, Conn, Result, Write, int, json, maybe, nat, rows, text};

/// What a pass reads of an active cluster.
#[derive(Debug)]
pub(crate) struct AssignedRow {
    pub(crate) id: ClusterId,
    pub(crate) name: String,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) projects: Vec<ProjectName>,
    pub(crate) own_values: BTreeMap<ProjectName, ProjectValues>,
    pub(crate) seq: u64,
    pub(crate) set: Option<Digest>,
    pub(crate) values: Option<Digest>,
    pub(crate) extras: String,
    pub(crate) stale: bool,
    pub(crate) change: i64,
}

const SELECT: &str =
    "select id, name, labels, projects, own_values, seq, set_digest, values_digest, extras, stale, change
                      from clusters";

impl FromRow<'_, AnyRow> for AssignedRow {
    fn from_row(row: &AnyRow) -> Result<Self> {
        Ok(Self {
            id: text(row.try_get("id")?)?,
            name: row.try_get("name")?,
            labels: json(row.try_get("labels")?)?,
            projects: json(row.try_get("projects")?)?,
            own_values: json(row.try_get("own_values")?)?,
            seq: nat(row.try_get("seq")?),
            set: maybe(row.try_get::<Option<String>, _>("set_digest")?.as_deref())?,
            values: maybe(row.try_get::<Option<String>, _>("values_digest")?.as_deref())?,
            extras: row.try_get("extras")?,
            stale: row.try_get::<i64, _>("stale")? != 0,
            change: row.try_get("change")?,
        })
    }
}

/// A page of the active clusters, by id: of all, or of those whose own inputs changed. One whose agent is ahead of this
/// database is left to a person.
pub(crate) async fn active(conn: &mut Conn, only_stale: bool, after: &str) -> Result<Vec<AssignedRow>> {
    // The condition on `stale` is a literal, as the partial index has it.
    let which = if only_stale { "and stale = 1" } else { "" };
    let sql = format!(
        "{SELECT} where state = 'active' and agent_ahead is null {which} and id > $1 order by id limit $2"
    );
    let limit = i64::try_from(2 * BATCH).unwrap_or(i64::MAX);
    sqlx::query_as(AssertSqlSafe(sql)).bind(after).bind(limit).fetch_all(conn).await
}

/// The same of one cluster, whatever its state.
pub(crate) async fn one(conn: &mut Conn, id: &ClusterId) -> Result<Option<AssignedRow>> {
    let sql = format!("{SELECT} where id = $1");
    sqlx::query_as(AssertSqlSafe(sql)).bind(id.as_str()).fetch_optional(conn).await
}

/// A cluster's new assignment, and the change that it was computed from.
#[derive(Clone, Debug)]
pub(crate) struct NewAssignment {
    pub(crate) id: ClusterId,
    pub(crate) read_at_change: i64,
    pub(crate) set: Named,
    pub(crate) values: Option<Named>,
    pub(crate) extras: String,
}

/// Writes assignments. A cluster that was changed by somebody else meanwhile keeps what it has; the count of those
/// written tells.
pub(crate) async fn write(tx: &mut Write, all: &[NewAssignment], now_ms: i64) -> Result<usize> {
    let mut written = 0;
    for part in all.chunks(BATCH) {
        let list = rows(part.len(), 7);
        let [now, change, seq] = [1, 2, 3].map(|n| part.len() * 7 + n);
        let sql = format!(
            "update clusters set set_digest = v.column3, set_length = v.column4, values_digest = v.column5,
               values_length = v.column6, extras = v.column7, changed_at = ${now}, stale = 0, change = ${change},
               seq = case when clusters.seq + 1 > ${seq} then clusters.seq + 1 else ${seq} end
             from (values {list}) as v where clusters.id = v.column1 and clusters.change = v.column2"
        );
        let mut query = sqlx::query(AssertSqlSafe(sql)).persistent(false);
        for one in part {
            query = query
                .bind(one.id.as_str())
                .bind(one.read_at_change)
                .bind(one.set.digest.to_string())
                .bind(int(one.set.length))
                .bind(one.values.map(|values| values.digest.to_string()))
                .bind(one.values.map(|values| int(values.length)))
                .bind(one.extras.as_str());
        }
        let done = query.bind(now_ms).bind(tx.change()).bind(int(tx.seq())).execute(&mut **tx).await?;
        written += usize::try_from(done.rows_affected()).unwrap_or(0);
    }
    Ok(written)
}

/// Says that these clusters' assignments are still right.
pub(crate) async fn confirm(conn: &mut Conn, all: &[(ClusterId, i64)]) -> Result<usize> {
    let mut written = 0;
    for part in all.chunks(BATCH) {
        let sql = format!(
            "update clusters set stale = 0 from (values {}) as v
             where clusters.id = v.column1 and clusters.change = v.column2",
            rows(part.len(), 2)
        );
        let mut query = sqlx::query(AssertSqlSafe(sql)).persistent(false);
        for (id, change) in part {
            query = query.bind(id.as_str()).bind(*change);
        }
        let done = query.execute(&mut *conn).await?;
        written += usize::try_from(done.rows_affected()).unwrap_or(0);
    }
    Ok(written)
}

/// Those of these clusters that nobody has changed since they were read.
pub(crate) async fn as_read(conn: &mut Conn, all: &[(ClusterId, i64)]) -> Result<BTreeSet<ClusterId>> {
    let mut found = BTreeSet::new();
    for part in all.chunks(BATCH) {
        let sql = format!(
            "select clusters.id from clusters join (values {}) as v
             on clusters.id = v.column1 and clusters.change = v.column2",
            rows(part.len(), 2)
        );
        let mut query = sqlx::query_as(AssertSqlSafe(sql)).persistent(false);
        for (id, change) in part {
            query = query.bind(id.as_str()).bind(*change);
        }
        let rows: Vec<(String,)> = query.fetch_all(&mut *conn).await?;
        for row in rows {
            found.insert(text(&row.0)?);
        }
    }
    Ok(found)
}

/// The sets that clusters are assigned.
pub(crate) async fn sets_in_use(conn: &mut Conn) -> Result<Vec<Digest>> {
    let sql = "select distinct set_digest from clusters where set_digest is not null";
    let rows: Vec<(String,)> = sqlx::query_as(sql).fetch_all(conn).await?;
    rows.iter().map(|row| text(&row.0)).collect()
}
