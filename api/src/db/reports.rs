//! Reports: a cluster's last one, and what lists and counts show of it.

use cdn::ClusterId;
use cdn::document::{Health, Hold, HoldReason, Report, Sync};
use sqlx::AssertSqlSafe;

use super::{BATCH, Conn, Result, int, nat, rows, to_json, word};

/// Writes a report unless it or a newer one was there: gives the number of that one then.
pub(crate) async fn put(
    conn: &mut Conn,
    cluster: &ClusterId,
    report: &Report,
    at: i64,
) -> Result<Option<u64>> {
    let sql = "update clusters set report = $2, reported_number = $3, reported_at = $4, reported_seq = $5, sync = $6,
                 health = $7, services = $8, holds = $9, agent = $10, last_seen = $4
               where id = $1 and reported_number < $3";
    let done = sqlx::query(sql)
        .bind(cluster.as_str())
        .bind(to_json(report))
        .bind(int(report.number)?)
        .bind(at)
        .bind(int(report.seq)?)
        .bind(word(&sync_of(report)))
        .bind(word(&health_of(report)))
        .bind(int(report.services.len() as u64)?)
        .bind(int(holds(report).count() as u64)?)
        .bind(&report.agent)
        .execute(&mut *conn)
        .await?;
    if done.rows_affected() == 0 {
        return number_of(conn, cluster).await.map(Some);
    }
    put_running(conn, cluster, report).await?;
    put_holds(conn, cluster, report).await?;
    Ok(None)
}

/// The number of a cluster's last report; 0 where it has none, or is gone.
pub(crate) async fn number_of(conn: &mut Conn, cluster: &ClusterId) -> Result<u64> {
    let sql = "select reported_number from clusters where id = $1";
    let row: Option<(i64,)> = sqlx::query_as(sql).bind(cluster.as_str()).fetch_optional(conn).await?;
    Ok(row.map_or(0, |row| nat(row.0)))
}

async fn put_running(conn: &mut Conn, cluster: &ClusterId, report: &Report) -> Result<()> {
    sqlx::query("delete from running where cluster = $1").bind(cluster.as_str()).execute(&mut *conn).await?;
    for part in report.services.chunks(BATCH) {
        let list = rows(part.len(), 5);
        // A report that names a service twice must not fail the batch that it is in.
        let sql = format!(
            "insert into running (cluster, service, release, sync, health) values {list}
             on conflict (cluster, service) do nothing"
        );
        let mut query = sqlx::query(AssertSqlSafe(sql)).persistent(false);
        for service in part {
            query = query
                .bind(cluster.as_str())
                .bind(service.name.to_string())
                .bind(service.release.map(|release| release.to_string()))
                .bind(word(&service.sync))
                .bind(word(&service.health));
        }
        query.execute(&mut *conn).await?;
    }
    Ok(())
}

async fn put_holds(conn: &mut Conn, cluster: &ClusterId, report: &Report) -> Result<()> {
    let sql = "delete from holds where cluster = $1 and place >= 0";
    sqlx::query(sql).bind(cluster.as_str()).execute(&mut *conn).await?;
    let places: Vec<_> = (0_i64..).zip(holds(report)).collect();
    for part in places.chunks(BATCH) {
        let list = rows(part.len(), 6);
        let sql = format!("insert into holds (cluster, place, digest, reason, service, hold) values {list}");
        let mut query = sqlx::query(AssertSqlSafe(sql)).persistent(false);
        for (place, hold) in part {
            query = query
                .bind(cluster.as_str())
                .bind(*place)
                .bind(hold.digest.map(|digest| digest.to_string()))
                .bind(hold.reason.code())
                .bind(hold.service.as_ref().map(ToString::to_string))
                .bind(to_json(hold));
        }
        query.execute(&mut *conn).await?;
    }
    Ok(())
}

/// What a report adds to what the api holds itself: an agent that is told why it gets nothing says it back, and goes on
/// saying it until it has polled after a person's word.
fn holds(report: &Report) -> impl Iterator<Item = &Hold> {
    let is_ours =
        |hold: &&Hold| matches!(hold.reason, HoldReason::DuplicateIdentity | HoldReason::AgentAhead);
    report.holds.iter().filter(move |hold| !is_ours(hold))
}

/// The worst of all services; a hold makes it held.
fn sync_of(report: &Report) -> Sync {
    let rank = |sync| match sync {
        Sync::Unknown => 0,
        Sync::Synced => 1,
        Sync::Pending => 2,
        Sync::Held => 3,
    };
    let services = report.services.iter().map(|service| service.sync);
    let held = holds(report).next().map(|_| Sync::Held);
    services.chain(held).max_by_key(|sync| rank(*sync)).unwrap_or(Sync::Synced)
}

fn health_of(report: &Report) -> Health {
    report.services.iter().map(|service| service.health).fold(Health::Unknown, Health::and)
}
