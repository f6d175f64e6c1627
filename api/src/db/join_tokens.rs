//! Join tokens: their hashes, their bounds, and the count of their uses.

use std::collections::BTreeMap;

use cdn::{Digest, ProjectName};
use sqlx::any::AnyRow;
use sqlx::{FromRow, Row};

use super::filter::Filter;
use super::{Conn, Result, int, json, nat, to_json};
use crate::clock::timestamp;
use crate::nouns::join_tokens::JoinToken;

const SELECT: &str =
    "select id, created_at, created_by, expires_at, max_uses, uses, labels, projects, approve,
       revoked_at, cluster_name from join_tokens";

struct TokenRow(JoinToken);

impl FromRow<'_, AnyRow> for TokenRow {
    fn from_row(row: &AnyRow) -> Result<Self> {
        Ok(Self(JoinToken {
            id: row.try_get("id")?,
            created_at: timestamp(row.try_get("created_at")?),
            created_by: row.try_get("created_by")?,
            expires_at: timestamp(row.try_get("expires_at")?),
            max_uses: nat(row.try_get("max_uses")?),
            uses: nat(row.try_get("uses")?),
            labels: json(row.try_get("labels")?)?,
            projects: json(row.try_get("projects")?)?,
            approve: row.try_get::<i64, _>("approve")? != 0,
            cluster_name: row.try_get("cluster_name")?,
            revoked_at: row.try_get::<Option<i64>, _>("revoked_at")?.map(timestamp),
        }))
    }
}

pub(crate) async fn add(conn: &mut Conn, token: &JoinToken, hash: Digest) -> Result<()> {
    let sql = "insert into join_tokens (id, hash, created_at, created_by, expires_at, max_uses, uses, labels, projects,
                 approve, cluster_name) values ($1, $2, $3, $4, $5, $6, 0, $7, $8, $9, $10)";
    sqlx::query(sql)
        .bind(&token.id)
        .bind(hash.to_string())
        .bind(token.created_at.as_millisecond())
        .bind(&token.created_by)
        .bind(token.expires_at.as_millisecond())
        .bind(int(token.max_uses)?)
        .bind(to_json(&token.labels))
        .bind(to_json(&token.projects))
        .bind(i64::from(token.approve))
        .bind(token.cluster_name.as_deref())
        .execute(conn)
        .await
        .map(drop)
}

pub(crate) async fn get(conn: &mut Conn, id: &str) -> Result<Option<JoinToken>> {
    let mut filter = Filter::new(SELECT);
    filter.and("id = ?", [id.into()]);
    Ok(filter.fetch::<TokenRow>(conn, "id", 1).await?.pop().map(|row| row.0))
}

/// The token of a hash, whatever became of it.
pub(crate) async fn of_hash(conn: &mut Conn, hash: Digest) -> Result<Option<JoinToken>> {
    let mut filter = Filter::new(SELECT);
    filter.and("hash = ?", [hash.to_string().into()]);
    Ok(filter.fetch::<TokenRow>(conn, "id", 1).await?.pop().map(|row| row.0))
}

/// A page, newest first.
pub(crate) async fn list(conn: &mut Conn, before: Option<&str>, limit: i64) -> Result<Vec<JoinToken>> {
    let mut filter = Filter::new(SELECT);
    if let Some(before) = before {
        filter.and("id < ?", [before.into()]);
    }
    let rows = filter.fetch::<TokenRow>(conn, "id desc", limit).await?;
    Ok(rows.into_iter().map(|row| row.0).collect())
}

/// What a use gives to the cluster that joins.
#[derive(Debug)]
pub(crate) struct Used {
    pub(crate) id: String,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) projects: Vec<ProjectName>,
    pub(crate) approve: bool,
    cluster_name: Option<String>,
}

impl Used {
    /// Whether a cluster may join under this name.
    pub(crate) fn lets(&self, name: &str) -> bool {
        self.cluster_name.as_deref().is_none_or(|pattern| match pattern.strip_suffix('*') {
            Some(prefix) => name.starts_with(prefix),
            None => name == pattern,
        })
    }
}

/// Uses a token once. All its bounds stand in the one statement that counts, so that of any number of joins at once
/// exactly `max_uses` succeed.
pub(crate) async fn spend(conn: &mut Conn, hash: Digest, now_ms: i64) -> Result<Option<Used>> {
    let sql = "update join_tokens set uses = uses + 1
               where hash = $1 and revoked_at is null and expires_at > $2 and uses < max_uses
               returning id, labels, projects, approve, cluster_name";
    let row: Option<(String, String, String, i64, Option<String>)> =
        sqlx::query_as(sql).bind(hash.to_string()).bind(now_ms).fetch_optional(conn).await?;
    let Some((id, labels, projects, approve, cluster_name)) = row else { return Ok(None) };
    let (labels, projects) = (json(&labels)?, json(&projects)?);
    Ok(Some(Used { id, labels, projects, approve: approve != 0, cluster_name }))
}

/// Revokes it; `false` if there is none.
pub(crate) async fn revoke(conn: &mut Conn, id: &str, at: i64) -> Result<bool> {
    let sql = "update join_tokens set revoked_at = coalesce(revoked_at, $2) where id = $1";
    let done = sqlx::query(sql).bind(id).bind(at).execute(conn).await?;
    Ok(done.rows_affected() == 1)
}
