//! Holds: as clusters last reported them, from place 0 on, and below it what the api itself holds until a person has looked.

use cdn::{ClusterId, Digest, document};
use sqlx::any::AnyRow;
use sqlx::{FromRow, Row};

use super::filter::Filter;
use super::{Conn, Result, json, text, to_json};
use crate::clock::timestamp;
use crate::nouns::holds::Hold;

const SELECT: &str = "select h.cluster, c.name as cluster_name, h.hold, h.place, a.approved_at
     from holds h join clusters c on c.id = h.cluster
     left join approvals a on a.hold = h.digest and a.cluster = h.cluster and a.done_at is null";

/// A hold's row; `place` is its place in the report.
#[derive(Debug)]
pub(crate) struct HoldRow {
    pub(crate) hold: Hold,
    pub(crate) place: i64,
}

impl FromRow<'_, AnyRow> for HoldRow {
    fn from_row(row: &AnyRow) -> Result<Self> {
        let hold: document::Hold = json(row.try_get("hold")?)?;
        let hold = Hold {
            cluster: text(row.try_get("cluster")?)?,
            cluster_name: row.try_get("cluster_name")?,
            next: hold.reason.next().to_owned(),
            hold,
            approved_at: row.try_get::<Option<i64>, _>("approved_at")?.map(timestamp),
        };
        Ok(Self { hold, place: row.try_get("place")? })
    }
}

/// Which holds a list shows.
#[derive(Debug, Default)]
pub(crate) struct Listed<'a> {
    pub(crate) cluster: Option<&'a ClusterId>,
    pub(crate) reason: Option<&'a str>,
    pub(crate) after: Option<(&'a ClusterId, i64)>,
    pub(crate) limit: i64,
}

/// A page by cluster and place.
pub(crate) async fn list(conn: &mut Conn, listed: &Listed<'_>) -> Result<Vec<HoldRow>> {
    let mut filter = Filter::new(SELECT);
    if let Some(cluster) = listed.cluster {
        filter.and("h.cluster = ?", [cluster.as_str().into()]);
    }
    if let Some(reason) = listed.reason {
        filter.and("h.reason = ?", [reason.into()]);
    }
    if let Some((cluster, place)) = listed.after {
        let id = || cluster.as_str().into();
        filter.and("(h.cluster > ? or (h.cluster = ? and h.place > ?))", [id(), id(), place.into()]);
    }
    filter.fetch(conn, "h.cluster, h.place", listed.limit).await
}

/// Writes down what the api itself holds of a cluster, once for each reason.
pub(crate) async fn put_own(conn: &mut Conn, cluster: &ClusterId, hold: &document::Hold) -> Result<()> {
    let sql = "insert into holds (cluster, place, reason, hold)
               values ($1, (select coalesce(min(place), 0) - 1 from holds where cluster = $1 and place < 0), $2, $3)
               on conflict (cluster, reason) where place < 0 do nothing";
    let query = sqlx::query(sql).bind(cluster.as_str()).bind(hold.reason.code()).bind(to_json(hold));
    query.execute(conn).await.map(drop)
}

/// Lets go of it.
pub(crate) async fn release_own(conn: &mut Conn, cluster: &ClusterId) -> Result<()> {
    let sql = "delete from holds where cluster = $1 and place < 0";
    sqlx::query(sql).bind(cluster.as_str()).execute(conn).await.map(drop)
}

/// How many there are, by reason.
pub(crate) async fn count(conn: &mut Conn) -> Result<Vec<(String, i64)>> {
    sqlx::query_as("select reason, count(*) from holds group by reason").fetch_all(conn).await
}

/// The clusters that report this digest, by name; at most so many. Honest ones share none, since the cluster is part of
/// what it is made of; but any may repeat another's.
pub(crate) async fn reporting(
    conn: &mut Conn,
    digest: Digest,
    limit: i64,
) -> Result<Vec<(ClusterId, String)>> {
    let sql = "select c.id, c.name from clusters c where c.id in (select h.cluster from holds h where h.digest = $1)
               order by c.name limit $2";
    let query = sqlx::query_as(sql).bind(digest.to_string()).bind(limit);
    let rows: Vec<(String, String)> = query.fetch_all(conn).await?;
    rows.into_iter().map(|(id, name)| Ok((text(&id)?, name))).collect()
}

/// The hold with this digest, as a cluster reports it.
pub(crate) async fn of_digest(conn: &mut Conn, digest: Digest, cluster: &ClusterId) -> Result<Option<Hold>> {
    let mut filter = Filter::new(SELECT);
    filter.and("h.digest = ? and h.cluster = ?", [digest.to_string().into(), cluster.as_str().into()]);
    Ok(filter.fetch::<HoldRow>(conn, "h.cluster, h.place", 1).await?.pop().map(|row| row.hold))
}
