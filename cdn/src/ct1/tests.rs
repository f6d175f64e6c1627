use super::{Files, pack, read};
use crate::{Digest, Limits};

fn files(list: &[(&str, &str)]) -> Files {
    list.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec())).collect()
}

#[test]
fn packing_and_reading_is_identity() {
    let files = files(&[("a", ""), ("b/c.json", "{}"), ("b/d", &"x".repeat(513))]);
    let tar = pack(&files).expect("packs");
    let back: Files = read(tar.as_slice(), Limits::DEFAULT).collect::<Result<_, _>>().expect("reads");
    assert_eq!(back, files);
}

#[test]
fn the_empty_archive_is_two_zero_blocks() {
    assert_eq!(pack(&Files::new()).expect("packs"), vec![0; 1024]);
}

#[test]
fn b1_a_path_that_means_another_place_is_refused() {
    for path in ["../a", "/a", "a/../b", "a//b", "a/.", "a\\b", "a\nb", "", "e\u{301}", &"x".repeat(101)] {
        assert!(pack(&files(&[(path, "")])).is_err(), "{path:?}");
    }
}

#[test]
fn every_single_changed_byte_is_refused_or_read_as_something_else() {
    let tar = pack(&files(&[("a", "one"), ("b", "two")])).expect("packs");
    for at in 0..tar.len() {
        let mut bent = tar.clone();
        bent[at] ^= 1;
        let entries: Result<Files, _> = read(bent.as_slice(), Limits::DEFAULT).collect();
        // A byte of content is not the tar reader's to judge; T is.
        let content = matches!(at, 512..515 | 1536..1539);
        assert_eq!(entries.is_ok(), content, "byte {at}");
        assert_ne!(Digest::of(&bent), Digest::of(&tar));
    }
}
