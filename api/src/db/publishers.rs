//! Publishers' credentials.

use cdn::Digest;
use sqlx::any::AnyRow;
use sqlx::{FromRow, Row};

use super::filter::Filter;
use super::{Conn, Result, text};
use crate::clock::timestamp;
use crate::nouns::publishers::Publisher;

const SELECT: &str = "select id, name, project, created_at, created_by, revoked_at from publishers";

struct PublisherRow(Publisher);

impl FromRow<'_, AnyRow> for PublisherRow {
    fn from_row(row: &AnyRow) -> Result<Self> {
        Ok(Self(Publisher {
            id: row.try_get("id")?,
            name: row.try_get("name")?,
            project: text(row.try_get("project")?)?,
            created_at: timestamp(row.try_get("created_at")?),
            created_by: row.try_get("created_by")?,
            revoked_at: row.try_get::<Option<i64>, _>("revoked_at")?.map(timestamp),
        }))
    }
}

/// Adds one; `false` if the name is taken in its project.
pub(crate) async fn add(conn: &mut Conn, publisher: &Publisher, hash: Digest) -> Result<bool> {
    let sql = "insert into publishers (id, name, project, hash, created_at, created_by)
               values ($1, $2, $3, $4, $5, $6) on conflict (project, name) do nothing";
    let done = sqlx::query(sql)
        .bind(&publisher.id)
        .bind(&publisher.name)
        .bind(publisher.project.as_str())
        .bind(hash.to_string())
        .bind(publisher.created_at.as_millisecond())
        .bind(&publisher.created_by)
        .execute(conn)
        .await?;
    Ok(done.rows_affected() == 1)
}

pub(crate) async fn get(conn: &mut Conn, id: &str) -> Result<Option<Publisher>> {
    let mut filter = Filter::new(SELECT);
    filter.and("id = ?", [id.into()]);
    Ok(filter.fetch::<PublisherRow>(conn, "id", 1).await?.pop().map(|row| row.0))
}

/// The publisher that a credential speaks for, if it still may.
pub(crate) async fn of_credential(conn: &mut Conn, hash: Digest) -> Result<Option<Publisher>> {
    let mut filter = Filter::new(SELECT);
    filter.and("hash = ? and revoked_at is null", [hash.to_string().into()]);
    Ok(filter.fetch::<PublisherRow>(conn, "id", 1).await?.pop().map(|row| row.0))
}

/// A page, newest first.
pub(crate) async fn list(conn: &mut Conn, before: Option<&str>, limit: i64) -> Result<Vec<Publisher>> {
    let mut filter = Filter::new(SELECT);
    if let Some(before) = before {
        filter.and("id < ?", [before.into()]);
    }
    let rows = filter.fetch::<PublisherRow>(conn, "id desc", limit).await?;
    Ok(rows.into_iter().map(|row| row.0).collect())
}

/// Revokes it; `false` if there is none.
pub(crate) async fn revoke(conn: &mut Conn, id: &str, at: i64) -> Result<bool> {
    let sql = "update publishers set revoked_at = coalesce(revoked_at, $2) where id = $1";
    let done = sqlx::query(sql).bind(id).bind(at).execute(conn).await?;
    Ok(done.rows_affected() == 1)
}
