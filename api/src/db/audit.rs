//! The audit log: a row for every write, in the write's own transaction.

use serde_json::Value;

use super::{Conn, Result, json, to_json};
use crate::clock::timestamp;
use crate::id;
use crate::nouns::audit::Entry;

/// Who did what to what.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Act<'a> {
    pub(crate) who: &'a str,
    pub(crate) verb: &'a str,
    pub(crate) object: &'a str,
    pub(crate) at: i64,
}

/// Writes it down. `detail` holds no secret.
pub(crate) async fn add(conn: &mut Conn, act: Act<'_>, detail: &Value) -> Result<()> {
    let sql = "insert into audit (id, at, who, verb, object, detail) values ($1, $2, $3, $4, $5, $6)";
    sqlx::query(sql)
        .bind(id::new("au", act.at))
        .bind(act.at)
        .bind(act.who)
        .bind(act.verb)
        .bind(act.object)
        .bind(to_json(detail))
        .execute(conn)
        .await
        .map(drop)
}

/// A page, newest first.
pub(crate) async fn list(conn: &mut Conn, before: Option<&str>, limit: i64) -> Result<Vec<Entry>> {
    let sql = "select id, at, who, verb, object, detail from audit where id < $1 order by id desc limit $2";
    let rows: Vec<(String, i64, String, String, String, String)> =
        sqlx::query_as(sql).bind(before.unwrap_or("av")).bind(limit).fetch_all(conn).await?;
    let entry = |(id, at, who, verb, object, detail): (String, i64, String, String, String, String)| {
        Ok(Entry { id, at: timestamp(at), who, verb, object, detail: json(&detail)? })
    };
    rows.into_iter().map(entry).collect()
}
