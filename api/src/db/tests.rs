//! Addresses and lists.

use cdn::{Digest, Secret};
use sqlx::Row;

use super::{Db, Engine, address, fleet, is_full, rows};
use crate::clock::Clock;

#[test]
fn a_path_is_sqlite_and_an_address_is_postgresql() {
    let check =
        |text: &str| address(&Secret::new(text)).map(|(engine, url)| (engine, url.expose().to_owned())).ok();
    let sqlite = |path: &str| Some((Engine::Sqlite, format!("sqlite://{path}?mode=rwc")));
    assert_eq!(check("/var/lib/a.db"), sqlite("/var/lib/a.db"));
    assert_eq!(check("a.db"), sqlite("a.db"));
    assert_eq!(check("sqlite:///var/a.db"), sqlite("/var/a.db"));
    assert_eq!(check("sqlite://a.db"), sqlite("a.db"));
    assert_eq!(check("sqlite:a.db"), sqlite("a.db"));
    assert_eq!(check("postgres://u:p@h/d").map(|(engine, _)| engine), Some(Engine::Postgres));
    assert_eq!(check("mysql://h/d"), None);
    assert_eq!(check("a.db?mode=memory"), None);
    assert_eq!(check("sqlite::memory:"), None, "each connection would have one of its own");
}

#[test]
fn d6_people_are_shown_where_the_database_is_and_no_password() {
    let shown = |text: &str| super::shown(&Secret::new(text)).unwrap();
    assert_eq!(shown("sqlite:///var/a.db"), "/var/a.db");
    assert!(shown("a.db").starts_with('/') && shown("a.db").ends_with("/a.db"));
    assert_eq!(shown("postgres://u:p@host:5432/fleet?password=x"), "postgres://host:5432/fleet");
    assert_eq!(shown("postgresql://host/fleet"), "postgres://host/fleet");
}

#[test]
fn a_batch_has_numbered_parameters() {
    assert_eq!(rows(2, 3), "($1,$2,$3),($4,$5,$6)");
}

/// WAL with its default of NORMAL lost acknowledged rows at a power cut.
#[tokio::test]
async fn l11_sqlite_flushes_what_it_acknowledges() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("api.db").display().to_string();
    let db = Db::open(&Secret::new(path), 2, Clock::system()).await.unwrap();
    let mut conn = db.read().await.unwrap();
    let mut ask = async |sql: &'static str| sqlx::query(sql).fetch_one(&mut *conn).await.unwrap();
    assert_eq!(ask("pragma journal_mode").await.get::<String, _>(0), "wal");
    assert_eq!(ask("pragma synchronous").await.get::<i64, _>(0), 2, "FULL");
    assert_eq!(ask("pragma foreign_keys").await.get::<i64, _>(0), 1);
}

/// The error is SQLite's own; that of PostgreSQL is met in `tests/it/outage.rs`.
#[tokio::test]
async fn i3_a_write_that_finds_no_room_is_noted_until_one_succeeds() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("api.db").display().to_string();
    let db = Db::open(&Secret::new(path), 1, Clock::system()).await.unwrap();
    let bound = async |sql: &'static str| {
        sqlx::query(sql).fetch_one(&mut *db.read().await.unwrap()).await.unwrap();
    };
    fleet::found(&mut db.read().await.unwrap(), Digest::of(b"fleet")).await.unwrap();
    bound("pragma max_page_count = 1").await;
    let mut tx = db.write().await.unwrap();
    let large = "create table large as select zeroblob(1000000) as bytes";
    let error = sqlx::query(large).execute(&mut *tx).await.unwrap_err();
    assert!(is_full(&error), "{error:?}");
    drop(tx);
    assert!(!db.is_full(), "nobody has said so");
    for other in [sqlx::Error::PoolTimedOut, sqlx::Error::RowNotFound] {
        db.note(&other);
        assert!(!db.is_full(), "{other}");
    }
    db.note(&error);
    assert!(db.is_full());
    bound("pragma max_page_count = 1000000").await;
    let mut tx = db.write().await.unwrap();
    sqlx::query(large).execute(&mut *tx).await.unwrap();
    assert!(db.is_full(), "not yet written");
    tx.commit().await.unwrap();
    assert!(!db.is_full());
}

/// As SQLite does by itself where a disk is full at a commit: it rolls back, and the driver does not see it.
#[tokio::test]
async fn l11_what_is_committed_after_sqlite_has_rolled_back_by_itself_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("api.db").display().to_string();
    let open = async || Db::open(&Secret::new(path.clone()), 1, Clock::system()).await.unwrap();
    let db = open().await;
    fleet::found(&mut db.read().await.unwrap(), Digest::of(b"fleet")).await.unwrap();
    let mut tx = db.write().await.unwrap();
    let again = "insert or rollback into fleet select * from fleet";
    sqlx::query(again).execute(&mut *tx).await.unwrap_err();
    drop(tx);
    // One that is given up, as where a request is refused; and one that is not.
    drop(db.write().await.unwrap());
    let mut tx = db.write().await.unwrap();
    let change = tx.change();
    fleet::touch_catalog(&mut tx).await.unwrap();
    tx.commit().await.unwrap();
    let seen = fleet::get(&mut open().await.read().await.unwrap()).await.unwrap();
    assert_eq!((seen.change, seen.catalog), (change, 1), "seen from elsewhere");
}
