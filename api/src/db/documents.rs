//! Sets and values, by digest.

use std::collections::BTreeSet;

use cdn::document::Set;
use cdn::{Digest, ServiceName, document};
use sqlx::AssertSqlSafe;

use super::{BATCH, Conn, Result};

/// What kind of document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Set,
    Values,
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Self::Set => "set",
            Self::Values => "values",
        }
    }
}

pub(crate) async fn put(conn: &mut Conn, digest: Digest, kind: Kind, bytes: &[u8], at: i64) -> Result<()> {
    let text = String::from_utf8(bytes.to_vec()).map_err(|error| sqlx::Error::Encode(Box::new(error)))?;
    let sql = "insert into documents (digest, kind, bytes, created_at) values ($1, $2, $3, $4)
               on conflict (digest) do nothing";
    sqlx::query(sql)
        .bind(digest.to_string())
        .bind(kind.word())
        .bind(text)
        .bind(at)
        .execute(conn)
        .await
        .map(drop)
}

pub(crate) async fn get(conn: &mut Conn, digest: Digest) -> Result<Option<Vec<u8>>> {
    let sql = "select bytes from documents where digest = $1";
    let row: Option<(String,)> = sqlx::query_as(sql).bind(digest.to_string()).fetch_optional(conn).await?;
    Ok(row.map(|row| row.0.into_bytes()))
}

/// The services of a set; none of one that is not there.
pub(crate) async fn services_of(conn: &mut Conn, set: Digest) -> Result<BTreeSet<ServiceName>> {
    let Some(bytes) = get(conn, set).await? else { return Ok(BTreeSet::new()) };
    let set: Set = document::read(&bytes).map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
    Ok(set.services.into_iter().map(|entry| entry.name).collect())
}

/// Which of these are there.
pub(crate) async fn known(conn: &mut Conn, digests: &[Digest]) -> Result<Vec<Digest>> {
    let mut known = Vec::new();
    for part in digests.chunks(BATCH) {
        let list: Vec<String> = (1..=part.len()).map(|n| format!("${n}")).collect();
        let sql = format!("select digest from documents where digest in ({})", list.join(","));
        let mut query = sqlx::query_as(AssertSqlSafe(sql)).persistent(false);
        for digest in part {
            query = query.bind(digest.to_string());
        }
        let found: Vec<(String,)> = query.fetch_all(&mut *conn).await?;
        for row in found {
            known.push(super::text(&row.0)?);
        }
    }
    Ok(known)
}
