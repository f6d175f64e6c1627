//! Approvals: a person's yes to one hold, carried by the cluster's desired until the cluster has acted on it.

use cdn::ClusterId;
use cdn::document::Approval as Wire;

use super::{Conn, Result, json, text, to_json};
use crate::nouns::holds::Approval;

/// Writes it down; a second yes replaces the signatures.
pub(crate) async fn put(conn: &mut Conn, approval: &Approval, wire: &Wire) -> Result<()> {
    let sql = "insert into approvals (hold, cluster, service, signatures, approved_at, approved_by)
               values ($1, $2, $3, $4, $5, $6)
               on conflict (hold, cluster) do update set signatures = excluded.signatures,
                 approved_at = excluded.approved_at, approved_by = excluded.approved_by, assigned_seq = null,
                 done_at = null";
    sqlx::query(sql)
        .bind(approval.hold.to_string())
        .bind(approval.cluster.as_str())
        .bind(approval.service.as_ref().map(ToString::to_string))
        .bind(to_json(&wire.signatures))
        .bind(approval.approved_at.as_millisecond())
        .bind(&approval.approved_by)
        .execute(conn)
        .await
        .map(drop)
}

/// Those of a range of clusters that are not done, by age.
pub(crate) async fn open(
    conn: &mut Conn,
    (first, last): (&ClusterId, &ClusterId),
) -> Result<Vec<(ClusterId, Wire)>> {
    let sql = "select cluster, hold, signatures from approvals
               where done_at is null and cluster >= $1 and cluster <= $2 order by approved_at, hold";
    let query = sqlx::query_as(sql).bind(first.as_str()).bind(last.as_str());
    let rows: Vec<(String, String, String)> = query.fetch_all(conn).await?;
    let wire = |(cluster, hold, signatures): &(String, String, String)| {
        Ok((text(cluster)?, Wire { hold: text(hold)?, signatures: json(signatures)? }))
    };
    rows.iter().map(wire).collect()
}

/// Notes the first sequence that carries each.
pub(crate) async fn note_assigned(conn: &mut Conn) -> Result<()> {
    let sql = "update approvals set assigned_seq = (select c.seq from clusters c where c.id = approvals.cluster)
               where assigned_seq is null and done_at is null and exists
                 (select 1 from clusters c where c.id = approvals.cluster and c.state = 'active' and c.stale = 0)";
    sqlx::query(sql).execute(conn).await.map(drop)
}

/// Ends those of a cluster that has made a pass of their sequence and no longer reports their hold.
pub(crate) async fn finish(conn: &mut Conn, cluster: &ClusterId, passed: u64, at: i64) -> Result<bool> {
    let sql = "update approvals set done_at = $3
               where cluster = $1 and done_at is null and assigned_seq <= $2
                 and hold not in (select h.digest from holds h where h.cluster = $1 and h.digest is not null)";
    let query = sqlx::query(sql).bind(cluster.as_str()).bind(super::int(passed)?).bind(at);
    Ok(query.execute(conn).await?.rows_affected() > 0)
}
