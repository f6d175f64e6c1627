//! Removals: what clusters are to take away, until they report it done.

use cdn::document::{Removal as Wire, RemovalMode};
use cdn::{ClusterId, Digest, ServiceName};
use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, FromRow, Row};

use super::filter::Filter;
use super::{BATCH, Conn, Result, int, nat, of_word, rows, text, word};
use crate::clock::timestamp;
use crate::id;
use crate::nouns::removals::Removal;

const SELECT: &str =
    "select m.id, m.cluster, c.name as cluster_name, m.service, m.mode, m.created_at, m.created_by,
       m.done_at from removals m join clusters c on c.id = m.cluster";

struct RemovalRow(Removal);

impl FromRow<'_, AnyRow> for RemovalRow {
    fn from_row(row: &AnyRow) -> Result<Self> {
        Ok(Self(Removal {
            id: row.try_get("id")?,
            cluster: text(row.try_get("cluster")?)?,
            cluster_name: row.try_get("cluster_name")?,
            service: text(row.try_get("service")?)?,
            mode: of_word(row.try_get("mode")?)?,
            created_at: timestamp(row.try_get("created_at")?),
            created_by: row.try_get("created_by")?,
            done_at: row.try_get::<Option<i64>, _>("done_at")?.map(timestamp),
        }))
    }
}

/// A removal to be written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NewRemoval<'a> {
    pub(crate) cluster: &'a ClusterId,
    pub(crate) service: &'a ServiceName,
    pub(crate) mode: RemovalMode,
    pub(crate) by: &'a str,
    pub(crate) at: i64,
}

/// What becomes of one that is open already: with another mode it is carried by a sequence that is still to come.
const AGAIN: &str = "mode = excluded.mode,
  assigned_seq = case when removals.mode = excluded.mode then removals.assigned_seq else null end";

/// Writes it down; one that is open already gets the new mode.
pub(crate) async fn add(conn: &mut Conn, new: &NewRemoval<'_>) -> Result<String> {
    let sql = format!(
        "insert into removals (id, cluster, service, mode, created_at, created_by)
               values ($1, $2, $3, $4, $5, $6)
               on conflict (cluster, service) where done_at is null do update set {AGAIN} returning id"
    );
    let row: (String,) = sqlx::query_as(AssertSqlSafe(sql))
        .bind(id::new("rm", new.at))
        .bind(new.cluster.as_str())
        .bind(new.service.to_string())
        .bind(word(&new.mode))
        .bind(new.at)
        .bind(new.by)
        .fetch_one(conn)
        .await?;
    Ok(row.0)
}

/// A removal for every cluster that runs a service.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Everywhere<'a> {
    pub(crate) service: &'a ServiceName,
    pub(crate) mode: RemovalMode,
    pub(crate) by: &'a str,
    pub(crate) at: i64,
}

/// Writes it down for the clusters that run the service, by their assignment (these sets) or by their report; says for
/// how many. A few statements, however many clusters there are: all of it happens under the lock that writers share.
pub(crate) async fn add_everywhere(conn: &mut Conn, new: &Everywhere<'_>, sets: &[Digest]) -> Result<u64> {
    let reporting = "c.id in (select r.cluster from running r where r.service = $2)";
    add_where(conn, new, reporting, &[]).await?;
    for part in sets.chunks(BATCH) {
        let list: Vec<String> = (1..=part.len()).map(|n| format!("${}", n + 6)).collect();
        add_where(conn, new, &format!("c.set_digest in ({})", list.join(",")), part).await?;
    }
    let sql = "select count(*) from removals where service = $1 and done_at is null";
    let row: (i64,) = sqlx::query_as(sql).bind(new.service.to_string()).fetch_one(conn).await?;
    Ok(nat(row.0))
}

async fn add_where(conn: &mut Conn, new: &Everywhere<'_>, which: &str, sets: &[Digest]) -> Result<()> {
    // Ids grow with time: all of these begin with one, and a cluster's own end makes each unique.
    let sql = format!(
        "insert into removals (id, cluster, service, mode, created_at, created_by)
         select $1 || substr(c.id, 4), c.id, $2, $3, $4, $5 from clusters c where c.state <> $6 and {which}
         on conflict (cluster, service) where done_at is null do update set {AGAIN}"
    );
    let mut query = sqlx::query(AssertSqlSafe(sql))
        .persistent(false)
        .bind(id::new("rm", new.at))
        .bind(new.service.to_string())
        .bind(word(&new.mode))
        .bind(new.at)
        .bind(new.by)
        .bind("revoked");
    for set in sets {
        query = query.bind(set.to_string());
    }
    query.execute(conn).await.map(drop)
}

pub(crate) async fn get(conn: &mut Conn, id: &str) -> Result<Option<Removal>> {
    let mut filter = Filter::new(SELECT);
    filter.and("m.id = ?", [id.into()]);
    Ok(filter.fetch::<RemovalRow>(conn, "m.id", 1).await?.pop().map(|row| row.0))
}

/// Which removals a list shows.
#[derive(Debug, Default)]
pub(crate) struct Listed<'a> {
    pub(crate) cluster: Option<&'a ClusterId>,
    pub(crate) done: bool,
    pub(crate) before: Option<&'a str>,
    pub(crate) limit: i64,
}

/// A page, newest first.
pub(crate) async fn list(conn: &mut Conn, listed: &Listed<'_>) -> Result<Vec<Removal>> {
    let mut filter = Filter::new(SELECT);
    if let Some(cluster) = listed.cluster {
        filter.and("m.cluster = ?", [cluster.as_str().into()]);
    }
    if !listed.done {
        filter.and("m.done_at is null", []);
    }
    if let Some(before) = listed.before {
        filter.and("m.id < ?", [before.into()]);
    }
    let rows = filter.fetch::<RemovalRow>(conn, "m.id desc", listed.limit).await?;
    Ok(rows.into_iter().map(|row| row.0).collect())
}

/// A removal that a cluster has yet to report done.
#[derive(Clone, Debug)]
pub(crate) struct Open {
    pub(crate) removal: Wire,
    /// Its service was deleted, and another one has been made under its name since.
    pub(crate) is_of_namesake: bool,
}

/// Those of a range of clusters that are open, by age.
pub(crate) async fn open(
    conn: &mut Conn,
    (first, last): (&ClusterId, &ClusterId),
) -> Result<Vec<(ClusterId, Open)>> {
    let sql = "select m.cluster, m.service, m.mode, m.created_at, s.created_at
               from removals m left join services s on s.name = m.service
               where m.done_at is null and m.cluster >= $1 and m.cluster <= $2 order by m.id";
    let query = sqlx::query_as(sql).bind(first.as_str()).bind(last.as_str());
    let rows: Vec<(String, String, String, i64, Option<i64>)> = query.fetch_all(conn).await?;
    let open = |(cluster, service, mode, at, made): &(String, String, String, i64, Option<i64>)| {
        let removal = Wire { service: text(service)?, mode: of_word(mode)? };
        Ok((text(cluster)?, Open { removal, is_of_namesake: made.is_some_and(|made| made > *at) }))
    };
    rows.iter().map(open).collect()
}

/// Notes the first sequence that carries each: that of the clusters whose rows these are, as assigned at this change.
pub(crate) async fn note_assigned(conn: &mut Conn, assigned: &[(ClusterId, i64)]) -> Result<()> {
    for part in assigned.chunks(BATCH) {
        let sql = format!(
            "update removals set assigned_seq = (select c.seq from clusters c where c.id = removals.cluster)
             where assigned_seq is null and done_at is null and cluster in
               (select c.id from clusters c join (values {}) as v on c.id = v.column1 and c.change = v.column2)",
            rows(part.len(), 2)
        );
        let mut query = sqlx::query(AssertSqlSafe(sql)).persistent(false);
        for (id, change) in part {
            query = query.bind(id.as_str()).bind(*change);
        }
        query.execute(&mut *conn).await?;
    }
    Ok(())
}

/// Ends an open one whose cluster reports it done by a pass of its sequence; `false` if there is none. A removal that was
/// made behind that pass is another one.
pub(crate) async fn finish(
    conn: &mut Conn,
    (cluster, service): (&ClusterId, &ServiceName),
    passed: u64,
    at: i64,
) -> Result<bool> {
    let sql = "update removals set done_at = $4
               where cluster = $1 and service = $2 and done_at is null and assigned_seq <= $3";
    let query = sqlx::query(sql).bind(cluster.as_str()).bind(service.to_string()).bind(int(passed)?).bind(at);
    Ok(query.execute(conn).await?.rows_affected() > 0)
}

/// Ends an open one whose service is assigned again.
pub(crate) async fn withdraw(
    conn: &mut Conn,
    cluster: &ClusterId,
    service: &ServiceName,
    at: i64,
) -> Result<()> {
    let sql = "update removals set done_at = $3 where cluster = $1 and service = $2 and done_at is null";
    let query = sqlx::query(sql).bind(cluster.as_str()).bind(service.to_string()).bind(at);
    query.execute(conn).await.map(drop)
}
