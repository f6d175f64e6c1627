//! What clusters are assigned: what a pass reads of them, and what it writes.

use std::collections::{BTreeMap, BTreeSet};

use cdn::document::{Health, Named, ProjectValues, Sync};
use cdn::{ClusterId, Digest, ProjectName, ServiceName};
use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, FromRow, Row};

use super::super::{BATCH, Conn, Result, Write, int, json, maybe, nat, of_word, rows, text};
use crate::nouns::services::Standing;

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

/// The clusters of a page.
const PAGE: i64 = 2_000;

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
    sqlx::query_as(AssertSqlSafe(sql)).bind(after).bind(PAGE).fetch_all(conn).await
}

/// A page of all active clusters, by id, those whose agent is ahead among them: what they would be assigned once a person
/// has looked.
pub(crate) async fn all_active(conn: &mut Conn, after: &str) -> Result<Vec<AssignedRow>> {
    let sql = format!("{SELECT} where state = 'active' and id > $1 order by id limit $2");
    sqlx::query_as(AssertSqlSafe(sql)).bind(after).bind(PAGE).fetch_all(conn).await
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
                .bind(int(one.set.length)?)
                .bind(one.values.map(|values| values.digest.to_string()))
                .bind(one.values.map(|values| int(values.length)).transpose()?)
                .bind(one.extras.as_str());
        }
        let done = query.bind(now_ms).bind(tx.change()).bind(int(tx.seq())?).execute(&mut **tx).await?;
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

/// Which standings a list shows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stands<'a> {
    pub(crate) service: &'a ServiceName,
    /// The sets that it is in.
    pub(crate) sets: &'a [Digest],
    /// The name of the last cluster of the page before.
    pub(crate) after: &'a str,
    pub(crate) limit: i64,
}

/// The active clusters with these sets, by name, each with what it reports of the service.
pub(crate) async fn standings(conn: &mut Conn, stands: &Stands<'_>) -> Result<Vec<Standing>> {
    let mut found = Vec::new();
    for part in stands.sets.chunks(BATCH) {
        let list: Vec<String> = (1..=part.len()).map(|n| format!("${}", n + 3)).collect();
        let sql = format!(
            "select c.name, c.id, r.release, r.sync, r.health from clusters c
               left join running r on r.cluster = c.id and r.service = $1
             where c.state = 'active' and c.name > $2 and c.set_digest in ({}) order by c.name limit $3",
            list.join(",")
        );
        let mut query = sqlx::query_as(AssertSqlSafe(sql))
            .persistent(false)
            .bind(stands.service.to_string())
            .bind(stands.after)
            .bind(stands.limit);
        for set in part {
            query = query.bind(set.to_string());
        }
        let rows: Vec<StandingRow> = query.fetch_all(&mut *conn).await?;
        for row in rows {
            found.push(standing(&row)?);
        }
    }
    found.sort_by(|a, b| a.cluster.cmp(&b.cluster));
    found.truncate(usize::try_from(stands.limit).unwrap_or(usize::MAX));
    Ok(found)
}

type StandingRow = (String, String, Option<String>, Option<String>, Option<String>);

fn standing((name, id, release, sync, health): &StandingRow) -> Result<Standing> {
    Ok(Standing {
        cluster: name.clone(),
        id: text(id)?,
        release: maybe(release.as_deref())?,
        sync: sync.as_deref().map_or(Ok(Sync::Unknown), of_word)?,
        health: health.as_deref().map_or(Ok(Health::Unknown), of_word)?,
    })
}
