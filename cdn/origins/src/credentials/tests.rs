use std::io::Write;

use super::Credentials;
use crate::Origin;
use crate::origin::Place;

fn check(bound: &str, origin: &str, expected: bool) {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    writeln!(file, "hunter2").unwrap();
    let mut credentials = Credentials::default();
    credentials.bind(&format!("{bound}={}", file.path().display())).unwrap();
    let origin = Origin::parse(origin).unwrap();
    let Place::Web { authority, .. } = origin.place() else { panic!("a folder") };
    let token = credentials.token(authority).unwrap();
    assert_eq!(token.is_some(), expected, "{bound} {origin}");
    assert!(token.is_none_or(|token| token.expose() == "hunter2"));
}

#[test]
fn a_token_goes_to_its_own_host_and_port_alone() {
    check("cdn.example.com", "https://cdn.example.com/fleet", true);
    check("CDN.example.com", "https://cdn.example.com", true);
    check("cdn.example.com", "https://cdn.example.com:8443", false);
    check("cdn.example.com:8443", "https://cdn.example.com:8443", true);
    check("cdn.example.com", "https://example.com", false);
    check("cdn.example.com", "https://cdn.example.com.evil.org", false);
}

#[test]
fn a_token_never_leaves_the_machine_in_the_clear() {
    check("cdn.example.com", "http://cdn.example.com", false);
    check("cdn.example.com:80", "http://cdn.example.com", false);
    check("127.0.0.1:8080", "http://127.0.0.1:8080", true);
    check("localhost:8080", "http://localhost:8080", true);
}

/// A request without it would be refused, or answered with what everybody may see.
#[test]
fn a_token_that_cannot_be_read_yet_is_missed_and_taken_up_later() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    let mut credentials = Credentials::default();
    credentials.bind(&format!("cdn.example.com={}", file.display())).unwrap_err();
    let origin = Origin::parse("https://cdn.example.com").unwrap();
    let Place::Web { authority, .. } = origin.place() else { panic!("a folder") };
    credentials.token(authority).unwrap_err();
    std::fs::write(&file, "hunter2").unwrap();
    assert_eq!(credentials.token(authority).unwrap().unwrap().expose(), "hunter2");
}

#[test]
fn a_binding_that_is_none_is_refused() {
    for text in ["", "host", "=/file", "host=", "user@host=/file", "host=/nowhere/at/all"] {
        assert!(Credentials::default().bind(text).is_err(), "{text}");
    }
}
