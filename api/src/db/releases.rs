//! Releases: kept as they were signed. Those that the newest root no longer believes come behind all others, and a
//! service that has no other names the last of them, so that its agents say what is wrong.

use cdn::document::Release as Document;
use cdn::{Digest, ServiceName};
use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, FromRow, Row};

use super::filter::Filter;
use super::{Conn, Result, Write, int, nat, text};
use crate::clock::timestamp;
use crate::nouns::releases::Release;

/// The digest of the newest release of the service `s`, in the order of this file's head.
macro_rules! latest {
    () => {
        "(select n.digest from releases n where n.service = s.name and n.registered > s.made
          order by n.trusted desc, n.seq desc limit 1)"
    };
}
pub(super) use latest;

const SELECT: &str = concat!(
    "select r.digest, r.service, r.bundle, r.seq, r.revision, r.subject, r.objects, r.length,
       r.created_at, r.publisher, r.trusted,
       case when r.digest = coalesce(s.pinned, ",
    latest!(),
    ") then 1 else 0 end as current_one
     from releases r left join services s on s.name = r.service"
);

struct ReleaseRow(Release);

impl FromRow<'_, AnyRow> for ReleaseRow {
    fn from_row(row: &AnyRow) -> Result<Self> {
        Ok(Self(Release {
            digest: text(row.try_get("digest")?)?,
            service: text(row.try_get("service")?)?,
            bundle: text(row.try_get("bundle")?)?,
            seq: nat(row.try_get("seq")?),
            revision: row.try_get("revision")?,
            subject: row.try_get("subject")?,
            objects: nat(row.try_get("objects")?),
            length: nat(row.try_get("length")?),
            created_at: timestamp(row.try_get("created_at")?),
            publisher: row.try_get("publisher")?,
            trusted: row.try_get::<i64, _>("trusted")? != 0,
            current: number(row, "current_one")? != 0,
        }))
    }
}

/// A computed number: PostgreSQL calls it int4, SQLite int8.
fn number(row: &AnyRow, column: &str) -> Result<i64> {
    row.try_get::<i64, _>(column).or_else(|_| row.try_get::<i32, _>(column).map(i64::from))
}

/// A release that a publisher registers.
#[derive(Debug)]
pub(crate) struct NewRelease<'a> {
    pub(crate) digest: Digest,
    pub(crate) document: &'a Document,
    pub(crate) envelope: &'a str,
    pub(crate) publisher: &'a str,
    pub(crate) at: i64,
}

pub(crate) async fn add(tx: &mut Write, new: &NewRelease<'_>) -> Result<()> {
    let change = tx.change();
    let sql =
        "insert into releases (digest, service, bundle, seq, min_seq, revision, subject, objects, length,
                 envelope, created_at, publisher, registered)
               values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)";
    let document = new.document;
    sqlx::query(sql)
        .bind(new.digest.to_string())
        .bind(document.service.to_string())
        .bind(document.bundle.to_string())
        .bind(int(document.seq)?)
        .bind(int(document.min_seq)?)
        .bind(&document.revision.id)
        .bind(&document.revision.subject)
        .bind(int(document.objects)?)
        .bind(int(document.length)?)
        .bind(new.envelope)
        .bind(new.at)
        .bind(new.publisher)
        .bind(change)
        .execute(&mut **tx)
        .await
        .map(drop)
}

/// Registers one anew for a service that was made after it; `false` if it counts for its service already.
pub(crate) async fn adopt(tx: &mut Write, digest: Digest) -> Result<bool> {
    let change = tx.change();
    let sql = "update releases set registered = $2 where digest = $1 and registered <
                 (select s.made from services s where s.name = releases.service)";
    let done = sqlx::query(sql).bind(digest.to_string()).bind(change).execute(&mut **tx).await?;
    Ok(done.rows_affected() == 1)
}

pub(crate) async fn get(conn: &mut Conn, digest: Digest) -> Result<Option<Release>> {
    let mut filter = Filter::new(SELECT);
    filter.and("r.digest = ?", [digest.to_string().into()]);
    Ok(filter.fetch::<ReleaseRow>(conn, "r.digest", 1).await?.pop().map(|row| row.0))
}

/// The exact bytes that were signed.
pub(crate) async fn envelope(conn: &mut Conn, digest: Digest) -> Result<Option<Vec<u8>>> {
    let sql = "select envelope from releases where digest = $1";
    let row: Option<(String,)> = sqlx::query_as(sql).bind(digest.to_string()).fetch_optional(conn).await?;
    Ok(row.map(|row| row.0.into_bytes()))
}

/// A page of a service's releases, newest first, below a sequence.
pub(crate) async fn list(
    conn: &mut Conn,
    service: &ServiceName,
    below: i64,
    limit: i64,
) -> Result<Vec<Release>> {
    let mut filter = Filter::new(SELECT);
    filter.and("r.service = ? and r.seq < ?", [service.to_string().into(), below.into()]);
    let rows = filter.fetch::<ReleaseRow>(conn, "r.seq desc", limit).await?;
    Ok(rows.into_iter().map(|row| row.0).collect())
}

/// The release before one of a service, of the service's own: a namesake that was deleted had others.
pub(crate) async fn before(conn: &mut Conn, service: &ServiceName, seq: u64) -> Result<Option<Release>> {
    let mut filter = Filter::new(SELECT);
    filter.and("r.service = ? and r.seq < ?", [service.to_string().into(), int(seq)?.into()]);
    filter.and("r.trusted = 1 and r.registered > s.made", []);
    Ok(filter.fetch::<ReleaseRow>(conn, "r.seq desc", 1).await?.pop().map(|row| row.0))
}

/// The newest release of a service that counts, and of whatever had its name before.
pub(crate) async fn newest(conn: &mut Conn, service: &ServiceName) -> Result<Option<Release>> {
    let mut filter = Filter::new(SELECT);
    filter.and("r.service = ? and r.trusted = 1", [service.to_string().into()]);
    Ok(filter.fetch::<ReleaseRow>(conn, "r.seq desc", 1).await?.pop().map(|row| row.0))
}

/// The release of a service with this sequence, also one that counts for nothing.
pub(crate) async fn with_seq(conn: &mut Conn, service: &ServiceName, seq: u64) -> Result<Option<Digest>> {
    let sql = "select digest from releases where service = $1 and seq = $2";
    let query = sqlx::query_as(sql).bind(service.to_string()).bind(int(seq)?);
    let row: Option<(String,)> = query.fetch_optional(conn).await?;
    row.map(|row| text(&row.0)).transpose()
}

/// The lowest sequence that agents which have seen all releases of a service still accept.
pub(crate) async fn floor(conn: &mut Conn, service: &ServiceName) -> Result<u64> {
    let sql = "select coalesce(max(min_seq), 0) from releases where service = $1 and trusted = 1";
    let row: (i64,) = sqlx::query_as(sql).bind(service.to_string()).fetch_one(conn).await?;
    Ok(nat(row.0))
}

/// A release, as far as a root judges it.
#[derive(Debug)]
pub(crate) struct Judged {
    pub(crate) digest: Digest,
    pub(crate) service: ServiceName,
    pub(crate) envelope: Vec<u8>,
    pub(crate) trusted: bool,
}

/// A page of the releases that were registered behind a change, by digest, from behind one on: at most 4 MiB.
pub(crate) async fn to_judge(conn: &mut Conn, since: i64, after: Option<Digest>) -> Result<Vec<Judged>> {
    let sql = "select digest, service, envelope, trusted from releases where digest > $1 and registered > $2
               order by digest limit 256";
    let after = after.map_or(String::new(), |digest| digest.to_string());
    let query = sqlx::query_as(sql).bind(after).bind(since);
    let rows: Vec<(String, String, String, i64)> = query.fetch_all(conn).await?;
    let judged = |(digest, service, envelope, trusted): (String, String, String, i64)| {
        let envelope = envelope.into_bytes();
        Ok(Judged { digest: text(&digest)?, service: text(&service)?, envelope, trusted: trusted != 0 })
    };
    rows.into_iter().map(judged).collect()
}

/// Says whether a release counts.
pub(crate) async fn set_trusted(conn: &mut Conn, digest: Digest, trusted: bool) -> Result<()> {
    let sql = "update releases set trusted = $2 where digest = $1";
    let query = sqlx::query(sql).bind(digest.to_string()).bind(i64::from(trusted));
    query.execute(conn).await.map(drop)
}

/// The newest few of these releases, with their envelopes.
pub(crate) async fn newest_of(conn: &mut Conn, releases: &[Digest]) -> Result<Vec<(Digest, Vec<u8>)>> {
    if releases.is_empty() {
        return Ok(Vec::new());
    }
    let list: Vec<String> = (1..=releases.len()).map(|n| format!("${n}")).collect();
    let sql = format!(
        "select digest, envelope from releases where digest in ({}) order by seq desc limit 32",
        list.join(",")
    );
    let mut query = sqlx::query_as(AssertSqlSafe(sql)).persistent(false);
    for release in releases {
        query = query.bind(release.to_string());
    }
    let rows: Vec<(String, String)> = query.fetch_all(conn).await?;
    rows.into_iter().map(|(digest, envelope)| Ok((text(&digest)?, envelope.into_bytes()))).collect()
}
