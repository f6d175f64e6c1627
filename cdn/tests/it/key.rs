//! Places.

use cdn::key::{Change, Room};
use cdn::{ClusterId, Digest, Key};

fn all() -> Vec<Key> {
    vec![
        Key::Object(Digest::of(b"a")),
        Key::Root(7),
        Key::Head("default/web".parse().unwrap()),
        Key::Routes(Digest::of(b"t")),
        Key::Desired(ClusterId::random()),
    ]
}

#[test]
fn every_place_has_one_spelling() {
    for key in all() {
        assert_eq!(Key::parse(&key.path()), Some(key.clone()));
        assert_eq!(Key::parse(&key.to_string()), Some(key));
    }
}

#[test]
fn every_place_lies_in_its_room_and_every_room_has_places() {
    for key in all() {
        assert!(key.path().starts_with(&format!("v1/{}/", Room::of(&key).name())), "{key}");
    }
    let rooms: Vec<Room> = all().iter().map(Room::of).collect();
    assert_eq!(rooms, Room::ALL);
}

#[test]
fn b1_no_other_path_is_a_place() {
    let digest = Digest::of(b"a").hex();
    for path in [
        "",
        "/",
        "v1/",
        "v2/o/x",
        "v1/o/../root/1.json",
        "v1/root/01.json",
        "v1/root/+1.json",
        "v1/root/1",
        "v1/head/default/../x.json",
        "v1/head/default/Web.json",
        "v1/desired/cl-1",
        "//v1/root/1.json",
        &format!("v1/o/{}", digest.to_uppercase()),
        &format!("v1/o/{digest}/"),
        &format!("v1/o/{}", &digest[..63]),
        &format!("v1/o/sha256:{digest}"),
    ] {
        assert_eq!(Key::parse(path), None, "{path}");
    }
}

#[test]
fn a16_a_digest_has_its_algorithm_and_its_whole_length() {
    let hex = "a".repeat(64);
    assert!(format!("sha256:{hex}").parse::<Digest>().is_ok());
    for text in [
        hex.clone(),
        format!("sha1:{}", &hex[..40]),
        format!("md5:{}", &hex[..32]),
        format!("sha256:{}", &hex[..63]),
        format!("SHA256:{hex}"),
        format!("sha256:{}", hex.to_uppercase()),
        format!("sha512:{hex}{hex}"),
        "sha256:".to_owned(),
    ] {
        assert!(text.parse::<Digest>().is_err(), "{text}");
    }
}

#[test]
fn only_what_never_changes_is_cached_for_ever() {
    for key in all() {
        assert_eq!(key.cache_control().contains("immutable"), key.change() == Change::Never, "{key}");
    }
    assert_eq!(Key::cache_control_of_absence(), "public, max-age=5");
}
