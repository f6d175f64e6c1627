//! The fleet's one row: who it is, the head of the change log, and whether an assignment is due. Beside it: the times in
//! which nothing was written.

use cdn::Digest;

use super::{Conn, Engine, Result, Write, int, nat, text};

/// The row.
#[derive(Clone, Debug)]
pub(crate) struct Fleet {
    pub(crate) id: Digest,
    pub(crate) terms: String,
    pub(crate) change: i64,
    pub(crate) catalog: u64,
    pub(crate) assigned: u64,
    /// The newest root that was taken up, 0 before the first.
    pub(crate) root: u64,
}

/// Makes the row on the first start; `false` if it is there.
pub(crate) async fn found(conn: &mut Conn, id: Digest) -> Result<bool> {
    let sql = "insert into fleet (one, id, terms, change, catalog, assigned, written_at, written_before)
               values (1, $1, '', 0, 0, 0, 0, 0) on conflict (one) do nothing";
    Ok(sqlx::query(sql).bind(id.to_string()).execute(conn).await?.rows_affected() == 1)
}

pub(crate) async fn get(conn: &mut Conn) -> Result<Fleet> {
    let sql = "select id, terms, change, catalog, assigned, root from fleet where one = 1";
    let row: (String, String, i64, i64, i64, i64) = sqlx::query_as(sql).fetch_one(conn).await?;
    Ok(Fleet {
        id: text(&row.0)?,
        terms: row.1,
        change: row.2,
        catalog: nat(row.3),
        assigned: nat(row.4),
        root: nat(row.5),
    })
}

/// Takes the next number of the change log, and with it the lock under which writers follow each other. Beside it the
/// time of this write: now, or just above the last one, whatever the replicas' clocks say.
pub(crate) async fn advance(conn: &mut Conn, now_ms: i64) -> Result<(i64, u64)> {
    let sql = "update fleet set change = change + 1, written_before = written_at,
                 written_at = case when written_at + 1 > $1 then written_at + 1 else $1 end
               where one = 1 returning change, written_at";
    let row: (i64, i64) = sqlx::query_as(sql).bind(now_ms).fetch_one(conn).await?;
    Ok((row.0, nat(row.1)))
}

/// Notes at a start, as the first write after it, that nothing was written since the write before.
pub(crate) async fn note_gap(conn: &mut Conn) -> Result<()> {
    // One start after another: the times without a write are one.
    let longer = "update gaps set ended = (select written_at from fleet where one = 1)
                  where ended = (select written_before from fleet where one = 1)";
    if sqlx::query(longer).execute(&mut *conn).await?.rows_affected() > 0 {
        return Ok(());
    }
    let new = "insert into gaps (began, ended) select written_before, written_at from fleet
               where one = 1 and written_before > 0 and written_at > written_before + 1";
    sqlx::query(new).execute(conn).await.map(drop)
}

/// The times in which nothing was written, in order.
pub(crate) async fn gaps(conn: &mut Conn) -> Result<Vec<(u64, u64)>> {
    let rows: Vec<(i64, i64)> =
        sqlx::query_as("select began, ended from gaps order by began").fetch_all(conn).await?;
    Ok(rows.into_iter().map(|(began, ended)| (nat(began), nat(ended))).collect())
}

/// Says that every cluster's assignment may be another now.
pub(crate) async fn touch_catalog(conn: &mut Conn) -> Result<()> {
    sqlx::query("update fleet set catalog = catalog + 1 where one = 1").execute(conn).await.map(drop)
}

/// Says which root was taken up.
pub(crate) async fn set_root(conn: &mut Conn, version: u64) -> Result<()> {
    sqlx::query("update fleet set root = $1 where one = 1").bind(int(version)?).execute(conn).await.map(drop)
}

/// Says that all clusters have been assigned by this catalog.
pub(crate) async fn set_assigned(conn: &mut Conn, catalog: u64) -> Result<()> {
    let sql = "update fleet set assigned = $1 where one = 1 and assigned < $1";
    sqlx::query(sql).bind(int(catalog)?).execute(conn).await.map(drop)
}

/// What every desired says beside the assignment. A change of it is a change of every desired, so every sequence
/// grows with it: two different documents of one sequence would be a `SeqConflict`. A cluster whose agent is ahead of
/// this database is left to a person.
pub(crate) async fn set_terms(tx: &mut Write, terms: &str, now_ms: i64) -> Result<()> {
    if tx.engine() == Engine::Postgres {
        // A million rows take longer than any request may, and without them no api of this fleet would start.
        sqlx::query("set local statement_timeout = 0").execute(&mut **tx).await?;
    }
    let (change, seq) = (tx.change(), int(tx.seq())?);
    sqlx::query("update fleet set terms = $1 where one = 1").bind(terms).execute(&mut **tx).await?;
    let sql = "update clusters set seq = case when seq + 1 > $1 then seq + 1 else $1 end, changed_at = $2, change = $3
               where seq > 0 and agent_ahead is null";
    sqlx::query(sql).bind(seq).bind(now_ms).bind(change).execute(&mut **tx).await.map(drop)
}
