//! Addresses and lists.

use cdn::Secret;

use sqlx::Row;

use super::{Db, Engine, address, rows};
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
