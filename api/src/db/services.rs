//! Services of both kinds, and which release each runs.

use std::collections::BTreeMap;

use cdn::wire::{Described, PublishStatus, WantedService};
use cdn::{Digest, ProjectName, ServiceName};
use serde_json::Value;
use sqlx::any::AnyRow;
use sqlx::{FromRow, Row};

use super::filter::Filter;
use super::releases::latest;
use super::{Conn, Result, Write, json, maybe, nat, of_word, text, to_json, word};
use crate::clock::timestamp;
use crate::nouns::services::{Follow, Published, Service, ServiceKind, ServiceSpec};

const SELECT: &str = concat!(
    "select s.name, s.kind, s.spec, s.pinned, s.created_at, s.version, s.publish, s.publish_at, o.spec as source, ",
    latest!(),
    " as latest from services s join sources o on o.project = s.project and o.name = s.source"
);

struct ServiceRow(Service);

impl FromRow<'_, AnyRow> for ServiceRow {
    fn from_row(row: &AnyRow) -> Result<Self> {
        let pinned: Option<Digest> = maybe(row.try_get::<Option<String>, _>("pinned")?.as_deref())?;
        let latest: Option<Digest> = maybe(row.try_get::<Option<String>, _>("latest")?.as_deref())?;
        let status: Option<String> = row.try_get("publish")?;
        let status: Option<PublishStatus> = status.as_deref().map(json).transpose()?;
        let at: Option<i64> = row.try_get("publish_at")?;
        let (name, spec): (&str, &str) = (row.try_get("name")?, row.try_get("spec")?);
        let publish = match status.zip(at) {
            Some((status, at)) => {
                let asked = digest(&described(name, spec, row.try_get("source")?)?);
                let current = status.asked.map(|looked_at| looked_at == asked);
                Some(Published { at: timestamp(at), current, status })
            }
            None => None,
        };
        Ok(Self(Service {
            name: text(name)?,
            kind: of_word(row.try_get("kind")?)?,
            spec: json(spec)?,
            follow: pinned.map_or(Follow::Latest, |release| Follow::Pinned { release }),
            release: pinned.or(latest),
            latest,
            created_at: timestamp(row.try_get("created_at")?),
            version: nat(row.try_get("version")?),
            health: BTreeMap::new(),
            publish,
        }))
    }
}

pub(crate) async fn get(conn: &mut Conn, name: &ServiceName) -> Result<Option<Service>> {
    let mut filter = Filter::new(SELECT);
    filter.and("s.name = ?", [name.to_string().into()]);
    Ok(filter.fetch::<ServiceRow>(conn, "s.name", 1).await?.pop().map(|row| row.0))
}

/// Which services a list shows.
#[derive(Debug, Default)]
pub(crate) struct Listed<'a> {
    pub(crate) kind: Option<ServiceKind>,
    pub(crate) project: Option<&'a ProjectName>,
    pub(crate) after: Option<&'a str>,
    pub(crate) limit: i64,
}

/// A page by name.
pub(crate) async fn list(conn: &mut Conn, listed: &Listed<'_>) -> Result<Vec<Service>> {
    let mut filter = Filter::new(SELECT);
    if let Some(kind) = listed.kind {
        filter.and("s.kind = ?", [word(&kind).into()]);
    }
    if let Some(project) = listed.project {
        filter.and("s.project = ?", [project.as_str().into()]);
    }
    if let Some(after) = listed.after {
        filter.and("s.name > ?", [after.into()]);
    }
    let rows = filter.fetch::<ServiceRow>(conn, "s.name", listed.limit).await?;
    Ok(rows.into_iter().map(|row| row.0).collect())
}

/// Makes it or replaces its spec; what it follows stays.
pub(crate) async fn put(
    tx: &mut Write,
    name: &ServiceName,
    kind: ServiceKind,
    spec: &ServiceSpec,
    at: i64,
) -> Result<()> {
    let change = tx.change();
    let sql = "insert into services (name, project, kind, source, spec, created_at, made, version)
               values ($1, $2, $3, $4, $5, $6, $7, 1)
               on conflict (name) do update set source = excluded.source, spec = excluded.spec,
                 version = services.version + 1";
    sqlx::query(sql)
        .bind(name.to_string())
        .bind(name.project().as_str())
        .bind(word(&kind))
        .bind(&spec.source)
        .bind(to_json(spec))
        .bind(at)
        .bind(change)
        .execute(&mut **tx)
        .await
        .map(drop)
}

/// Pins it to a release, or lets it follow the latest.
pub(crate) async fn pin(conn: &mut Conn, name: &ServiceName, release: Option<Digest>) -> Result<()> {
    let sql = "update services set pinned = $2, version = version + 1 where name = $1";
    let release = release.map(|release| release.to_string());
    sqlx::query(sql).bind(name.to_string()).bind(release).execute(conn).await.map(drop)
}

/// Writes down what its publisher said; `false` if there is no such service.
pub(crate) async fn published(conn: &mut Conn, status: &PublishStatus, at: i64) -> Result<bool> {
    let sql = "update services set publish = $2, publish_at = $3 where name = $1";
    let query = sqlx::query(sql).bind(status.service.to_string()).bind(to_json(status)).bind(at);
    Ok(query.execute(conn).await?.rows_affected() == 1)
}

/// Forgets it. Its releases are kept.
pub(crate) async fn delete(conn: &mut Conn, name: &ServiceName) -> Result<()> {
    sqlx::query("delete from services where name = $1").bind(name.to_string()).execute(conn).await.map(drop)
}

/// A project's services with their sources and their newest releases, for its publishers.
pub(crate) async fn wanted(conn: &mut Conn, project: &ProjectName) -> Result<Vec<Described<WantedService>>> {
    let sql = concat!(
        "select s.name, s.spec, o.spec, ",
        latest!(),
        " from services s join sources o on o.project = s.project and o.name = s.source
          where s.project = $1 order by s.name"
    );
    let rows: Vec<(String, String, String, Option<String>)> =
        sqlx::query_as(sql).bind(project.as_str()).fetch_all(conn).await?;
    let service = |(name, spec, source, newest): &(String, String, String, Option<String>)| {
        let mut wanted = described(name, spec, source)?;
        wanted["asked"] = digest(&wanted).to_string().into();
        wanted["newest"] = newest.as_deref().into();
        serde_json::from_value(wanted).map_err(|error| sqlx::Error::Decode(Box::new(error)))
    };
    rows.iter().map(service).collect()
}

/// What a publisher is asked of a service. How it is rendered is passed on as it was put: a replica need not know every
/// word that a later one took.
fn described(name: &str, spec: &str, source: &str) -> Result<Value> {
    let (spec, source): (Value, Value) = (json(spec)?, json(source)?);
    let mut described = serde_json::json!({"name": name, "source": source});
    for word in ["path", "namespace", "renderer"] {
        if let Some(said) = spec.get(word) {
            described[word] = said.clone();
        }
    }
    Ok(described)
}

/// Names a description: a publisher repeats it, and so tells which one it has looked at.
fn digest(described: &Value) -> Digest {
    Digest::of(&cdn::json::canonical(described))
}

/// How many clusters report it, by health.
pub(crate) async fn health(conn: &mut Conn, name: &ServiceName) -> Result<BTreeMap<String, u64>> {
    let sql = "select health, count(*) from running where service = $1 group by health";
    let rows: Vec<(String, i64)> = sqlx::query_as(sql).bind(name.to_string()).fetch_all(conn).await?;
    Ok(rows.into_iter().map(|(health, count)| (health, nat(count))).collect())
}
