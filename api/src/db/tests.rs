//! Addresses and lists.

use cdn::Secret;

use super::{Kind, address, rows};

#[test]
fn a_path_is_sqlite_and_an_address_is_postgresql() {
    let check =
        |text: &str| address(&Secret::new(text)).map(|(kind, url)| (kind, url.expose().to_owned())).ok();
    let sqlite = |path: &str| Some((Kind::Sqlite, format!("sqlite://{path}?mode=rwc")));
    assert_eq!(check("/var/lib/a.db"), sqlite("/var/lib/a.db"));
    assert_eq!(check("a.db"), sqlite("a.db"));
    assert_eq!(check("sqlite:///var/a.db"), sqlite("/var/a.db"));
    assert_eq!(check("sqlite://a.db"), sqlite("a.db"));
    assert_eq!(check("sqlite:a.db"), sqlite("a.db"));
    assert_eq!(check("postgres://u:p@h/d").map(|(kind, _)| kind), Some(Kind::Postgres));
    assert_eq!(check("mysql://h/d"), None);
    assert_eq!(check("a.db?mode=memory"), None);
}

#[test]
fn a_batch_has_numbered_parameters() {
    assert_eq!(rows(2, 3), "($1,$2,$3),($4,$5,$6)");
}
