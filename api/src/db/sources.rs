//! Sources.

use cdn::ProjectName;
use sqlx::any::AnyRow;
use sqlx::{FromRow, Row};

use super::filter::Filter;
use super::{Conn, Result, json, text, to_json};
use crate::clock::timestamp;
use crate::nouns::sources::Source;

const SELECT: &str = "select project, name, spec, created_at, version from sources";

/// A source's row.
#[derive(Debug)]
pub(crate) struct SourceRow {
    pub(crate) source: Source,
    pub(crate) version: i64,
}

impl FromRow<'_, AnyRow> for SourceRow {
    fn from_row(row: &AnyRow) -> Result<Self> {
        let source = Source {
            project: text(row.try_get("project")?)?,
            name: row.try_get("name")?,
            spec: json(row.try_get("spec")?)?,
            created_at: timestamp(row.try_get("created_at")?),
        };
        Ok(Self { source, version: row.try_get("version")? })
    }
}

pub(crate) async fn get(conn: &mut Conn, project: &ProjectName, name: &str) -> Result<Option<SourceRow>> {
    let mut filter = Filter::new(SELECT);
    filter.and("project = ? and name = ?", [project.as_str().into(), name.into()]);
    Ok(filter.fetch(conn, "name", 1).await?.pop())
}

/// Makes it or replaces its place.
pub(crate) async fn put(conn: &mut Conn, source: &Source) -> Result<()> {
    let sql = "insert into sources (project, name, spec, created_at, version) values ($1, $2, $3, $4, 1)
               on conflict (project, name) do update set spec = excluded.spec, version = sources.version + 1";
    sqlx::query(sql)
        .bind(source.project.as_str())
        .bind(&source.name)
        .bind(to_json(&source.spec))
        .bind(source.created_at.as_millisecond())
        .execute(conn)
        .await
        .map(drop)
}

/// A page by project and name; the cursor is `project/name`.
pub(crate) async fn list(conn: &mut Conn, after: Option<&str>, limit: i64) -> Result<Vec<SourceRow>> {
    let mut filter = Filter::new(SELECT);
    if let Some(after) = after {
        filter.and("project || '/' || name > ?", [after.into()]);
    }
    filter.fetch(conn, "project || '/' || name", limit).await
}

/// Services that are rendered from it.
pub(crate) async fn users(conn: &mut Conn, project: &ProjectName, name: &str) -> Result<Vec<String>> {
    let sql = "select name from services where project = $1 and source = $2 order by name limit 5";
    let rows: Vec<(String,)> = sqlx::query_as(sql).bind(project.as_str()).bind(name).fetch_all(conn).await?;
    Ok(rows.into_iter().map(|row| row.0).collect())
}

/// Forgets it; `false` if there is none.
pub(crate) async fn delete(conn: &mut Conn, project: &ProjectName, name: &str) -> Result<bool> {
    let sql = "delete from sources where project = $1 and name = $2";
    let done = sqlx::query(sql).bind(project.as_str()).bind(name).execute(conn).await?;
    Ok(done.rows_affected() == 1)
}
