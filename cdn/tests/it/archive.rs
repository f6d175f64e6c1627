//! Hostile archives and bundles, and the second opinion of ordinary tar readers.

use std::io::Read;

use cdn::bundle::{Bundle, BundleRefused};
use cdn::ct1::{self, Ct1Refused, Files};
use cdn::{Digest, Limits, Object};
use serde_json::json;

fn pack(list: &[(&str, &[u8])]) -> Vec<u8> {
    let files: Files = list.iter().map(|(path, bytes)| ((*path).to_owned(), bytes.to_vec())).collect();
    ct1::pack(&files).unwrap()
}

fn refuse(tar: &[u8]) -> Ct1Refused {
    ct1::read(tar, Limits::DEFAULT).collect::<Result<Files, _>>().unwrap_err()
}

fn object(name: &str) -> Object {
    Object::from_value(&json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}})).unwrap()
}

type Change = fn(&mut tar::Header);

/// A canonical archive of one file, with its header changed at will and its checksum made right again.
fn foreign(change: impl Fn(&mut tar::Header)) -> Vec<u8> {
    let mut archive = pack(&[("a", b"one")]);
    let mut header = tar::Header::from_byte_slice(&archive[..512]).clone();
    change(&mut header);
    let block = header.as_mut_bytes();
    block[148..156].fill(b' ');
    let sum: u32 = block.iter().copied().map(u32::from).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    archive[..512].copy_from_slice(header.as_bytes());
    archive
}

#[test]
fn the_unchanged_header_is_read() {
    let tar = foreign(|_| {});
    assert_eq!(ct1::read(tar.as_slice(), Limits::DEFAULT).collect::<Result<Files, _>>().unwrap().len(), 1);
}

#[test]
fn the_golden_vectors_of_the_formats_page_hold() {
    assert_eq!(
        Digest::of(&pack(&[])).to_string(),
        "sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef"
    );
    let page = include_str!("../../ct1.md");
    for (name, tar) in [
        ("one", pack(&[("a", b"one")])),
        ("two", pack(&[("a", b"one"), ("b/c.json", b"{}")])),
        ("long", pack(&[(&format!("{}/{}", "d".repeat(155), "n".repeat(100)), b"")])),
        ("bundle", Bundle::new([object("b"), object("a")]).unwrap().pack().unwrap()),
    ] {
        let line = format!("| `{name}` | {} | `{}` |", tar.len(), Digest::of(&tar));
        assert!(page.contains(&line), "cdn/ct1.md should hold: {line}");
    }
}

#[test]
fn an_ordinary_tar_reader_sees_the_same_files() {
    let long = format!("{}/{}.json", "d".repeat(100), "n".repeat(90));
    let tar = pack(&[("a.json", b"{}"), (&long, &[7; 1000]), ("z/y", b"")]);
    let mut theirs = Files::new();
    for entry in tar::Archive::new(tar.as_slice()).entries().unwrap() {
        let mut entry = entry.unwrap();
        let path = entry.path().unwrap().to_string_lossy().into_owned();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        theirs.insert(path, bytes);
    }
    let ours: Files = ct1::read(tar.as_slice(), Limits::DEFAULT).collect::<Result<_, _>>().unwrap();
    assert_eq!(ours, theirs);
}

#[test]
fn b2_links_devices_and_directories_are_refused() {
    use tar::EntryType;
    for kind in [
        EntryType::Symlink,
        EntryType::Link,
        EntryType::Directory,
        EntryType::Fifo,
        EntryType::Char,
        EntryType::Block,
        EntryType::Continuous,
        EntryType::GNULongName,
        EntryType::GNUSparse,
        EntryType::XHeader,
        EntryType::XGlobalHeader,
    ] {
        let tar = foreign(|header| header.set_entry_type(kind));
        assert!(matches!(refuse(&tar), Ct1Refused::NotCanonical { .. }), "{kind:?}");
    }
}

#[test]
fn b3_another_dialect_of_the_same_files_is_refused() {
    let variants: [(&str, Change); 5] = [
        ("mode", |header| header.set_mode(0o755)),
        ("uid", |header| header.set_uid(1)),
        ("mtime", |header| header.set_mtime(1)),
        ("owner", |header| header.as_ustar_mut().unwrap().set_username("root").unwrap()),
        ("gnu magic", |header| header.as_mut_bytes()[257..265].copy_from_slice(b"ustar  \0")),
    ];
    for (name, change) in variants {
        assert!(matches!(refuse(&foreign(change)), Ct1Refused::NotCanonical { .. }), "{name}");
    }
}

#[test]
fn b5_duplicates_disorder_and_too_many_entries_are_refused() {
    let (a, b) = (pack(&[("a", b"1")]), pack(&[("b", b"2")]));
    let entry = |tar: &[u8]| tar[..1024].to_vec();
    let end = vec![0; 1024];
    assert!(
        ct1::read([entry(&a), entry(&b), end.clone()].concat().as_slice(), Limits::DEFAULT)
            .all(|e| e.is_ok())
    );
    for wrong in [[entry(&b), entry(&a), end.clone()], [entry(&a), entry(&a), end]] {
        assert!(matches!(refuse(&wrong.concat()), Ct1Refused::NotCanonical { .. }));
    }
    let limits = Limits { entries: 3, ..Limits::DEFAULT };
    let four = pack(&[("a", b""), ("b", b""), ("c", b""), ("d", b"")]);
    let refused = ct1::read(four.as_slice(), limits).collect::<Result<Files, _>>().unwrap_err();
    assert!(matches!(refused, Ct1Refused::Limit(_)), "{refused}");
}

#[test]
fn a_size_that_the_stream_does_not_have_allocates_nothing_and_is_refused() {
    let tar = foreign(|header| header.set_size(1 << 32));
    assert!(matches!(refuse(&tar), Ct1Refused::Limit(_)));
    let tar = foreign(|header| header.set_size(100 << 20));
    assert!(matches!(refuse(&tar), Ct1Refused::Truncated(_)));
}

#[test]
fn what_follows_the_end_or_is_missing_before_it_is_refused() {
    let tar = pack(&[("a", b"one")]);
    for cut in [0, 1, 511, 512, 600, 1024, 1536, tar.len() - 1] {
        assert!(matches!(refuse(&tar[..cut]), Ct1Refused::Truncated(_)), "cut at {cut}");
    }
    for tail in [vec![0; 1], vec![0; 512], b"hidden".to_vec()] {
        assert!(matches!(refuse(&[tar.clone(), tail].concat()), Ct1Refused::NotCanonical { .. }));
    }
}

#[test]
fn a_bundle_without_its_completeness_mark_is_refused() {
    let about = |count: usize| format!(r#"{{"format":"bundle.v0","objects":{count}}}"#).into_bytes();
    let (path, json) = (object("a").id().path(), object("a").json().to_vec());
    let read = |tar: Vec<u8>| Bundle::read(&tar, Limits::DEFAULT);
    assert!(read(pack(&[("bundle.json", &about(1)), (&path, &json)])).is_ok());
    for tar in [
        pack(&[(&path, &json)]),
        pack(&[("bundle.json", &about(2)), (&path, &json)]),
        pack(&[("bundle.json", &about(0)), (&path, &json)]),
        pack(&[("bundle.json", br#"{"format":"bundle.v9","objects":1}"#), (&path, &json)]),
        pack(&[("bundle.json", br#"{"format":"bundle.v0", "objects":1}"#), (&path, &json)]),
        pack(&[
            ("bundle.json", br#"{"format":"bundle.v0","must_understand":["variables"],"objects":1}"#),
            (&path, &json),
        ]),
    ] {
        assert!(matches!(read(tar), Err(BundleRefused::About(_))));
    }
}

#[test]
fn b8_one_object_that_is_not_canonical_or_misplaced_refuses_the_whole_bundle() {
    let about = br#"{"format":"bundle.v0","objects":1}"#.as_slice();
    let good = object("a");
    let path = good.id().path();
    let spaced = String::from_utf8(good.json().to_vec()).unwrap().replace(':', ": ");
    let other = object("b");
    let wrongs: [(&str, &[u8]); 5] = [
        (&path, spaced.as_bytes()),
        (&path, b"{}"),
        (&path, b"not json"),
        (&path, other.json()),
        ("objects/ConfigMap/_/b.json", good.json()),
    ];
    for (at, json) in wrongs {
        assert!(Bundle::read(&pack(&[("bundle.json", about), (at, json)]), Limits::DEFAULT).is_err());
    }
}

#[test]
fn b8_two_objects_of_one_place_are_told_before_one_of_them_is_lost() {
    let of = |version: &str, kind: &str| {
        let value = json!({"apiVersion": version, "kind": kind, "metadata": {"name": "a"}});
        Object::from_value(&value).unwrap()
    };
    let (dotted, grouped) = (of("v1", "Crane.yard"), of("yard/v1", "Crane"));
    assert_eq!(dotted.id().path(), grouped.id().path());
    assert_ne!(dotted.id(), grouped.id());
    let packed = Bundle::new([dotted, grouped]).unwrap().pack();
    assert!(matches!(packed, Err(BundleRefused::OnePath(_))), "{packed:?}");
}

#[test]
fn f24_an_object_over_one_mebibyte_is_refused() {
    let big = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"k": "x".repeat(1 << 20)}});
    let tar = Bundle::new([Object::from_value(&big).unwrap()]).unwrap().pack().unwrap();
    assert!(matches!(Bundle::read(&tar, Limits::DEFAULT), Err(BundleRefused::Limit(_))));
}

#[test]
fn a_long_name_is_cut_in_the_path_and_kept_in_the_object() {
    let (a, b) = (object(&format!("{}a", "n".repeat(200))), object(&format!("{}b", "n".repeat(200))));
    assert_ne!(a.id().path(), b.id().path());
    let tar = Bundle::new([a.clone(), b]).unwrap().pack().unwrap();
    let back = Bundle::read(&tar, Limits::DEFAULT).unwrap();
    assert_eq!(back.get(a.id()), Some(&a));
}

#[test]
fn b1_an_object_whose_name_would_climb_is_refused() {
    for name in ["..", ".", "a/b", "a\\b", "a\0b", "a%2fb", "", "a\nb"] {
        let value = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}});
        assert!(Object::from_value(&value).is_err(), "{name:?}");
    }
}
