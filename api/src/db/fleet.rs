//! The fleet's one row: who it is, the head of the change log, and whether an assignment is due.

use cdn::Digest;

use super::{Conn, Result, nat, text};

/// The row.
#[derive(Clone, Debug)]
pub(crate) struct Fleet {
    pub(crate) id: Digest,
    pub(crate) terms: String,
    pub(crate) change: i64,
    pub(crate) catalog: u64,
    pub(crate) assigned: u64,
}

/// Makes the row on the first start.
pub(crate) async fn found(conn: &mut Conn, id: Digest) -> Result<()> {
    let sql = "insert into fleet (one, id, terms, change, catalog, assigned) values (1, $1, '', 0, 0, 0)
               on conflict (one) do nothing";
    sqlx::query(sql).bind(id.to_string()).execute(conn).await.map(drop)
}

pub(crate) async fn get(conn: &mut Conn) -> Result<Fleet> {
    let sql = "select id, terms, change, catalog, assigned from fleet where one = 1";
    let row: (String, String, i64, i64, i64) = sqlx::query_as(sql).fetch_one(conn).await?;
    Ok(Fleet { id: text(&row.0)?, terms: row.1, change: row.2, catalog: nat(row.3), assigned: nat(row.4) })
}

/// Takes the next number of the change log, and with it the lock under which writers follow each other.
pub(crate) async fn advance(conn: &mut Conn) -> Result<i64> {
    let sql = "update fleet set change = change + 1 where one = 1 returning change";
    sqlx::query_as::<_, (i64,)>(sql).fetch_one(conn).await.map(|row| row.0)
}

/// Says that every cluster's assignment may be another now.
pub(crate) async fn touch_catalog(conn: &mut Conn) -> Result<()> {
    sqlx::query("update fleet set catalog = catalog + 1 where one = 1").execute(conn).await.map(drop)
}

/// Says that all clusters have been assigned by this catalog.
pub(crate) async fn set_assigned(conn: &mut Conn, catalog: u64) -> Result<()> {
    let sql = "update fleet set assigned = $1 where one = 1 and assigned < $1";
    sqlx::query(sql).bind(super::int(catalog)).execute(conn).await.map(drop)
}

/// What every desired says beside the assignment. A change of it is a change of every desired, so every sequence
/// grows with it: two different documents of one sequence would be a `SeqConflict`.
pub(crate) async fn set_terms(conn: &mut Conn, terms: &str, now_ms: i64, change: i64) -> Result<()> {
    sqlx::query("update fleet set terms = $1 where one = 1").bind(terms).execute(&mut *conn).await?;
    let sql = "update clusters set seq = case when seq + 1 > $1 then seq + 1 else $1 end, changed_at = $1, change = $2
               where seq > 0";
    sqlx::query(sql).bind(now_ms).bind(change).execute(conn).await.map(drop)
}
