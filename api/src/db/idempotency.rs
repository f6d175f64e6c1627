//! What an `Idempotency-Key` made before.

use super::{Conn, Result};

pub(crate) async fn made(conn: &mut Conn, key: &str, verb: &str) -> Result<Option<String>> {
    let sql = "select made from idempotency where key = $1 and verb = $2";
    let row: Option<(String,)> = sqlx::query_as(sql).bind(key).bind(verb).fetch_optional(conn).await?;
    Ok(row.map(|row| row.0))
}

pub(crate) async fn remember(conn: &mut Conn, key: &str, verb: &str, made: &str, at: i64) -> Result<()> {
    let sql = "insert into idempotency (key, verb, made, at) values ($1, $2, $3, $4)";
    sqlx::query(sql).bind(key).bind(verb).bind(made).bind(at).execute(conn).await.map(drop)
}

/// Forgets keys from before this time.
pub(crate) async fn forget(conn: &mut Conn, before: i64) -> Result<()> {
    sqlx::query("delete from idempotency where at < $1").bind(before).execute(conn).await.map(drop)
}
