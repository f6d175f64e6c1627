//! Nothing that git says makes its reader panic: of a ref and a commit, and the list of a tree's files with their contents
//! behind two zero bytes.
#![no_main]

use std::collections::BTreeSet;

use publisher::source::Repository;
use publisher::source::git::tree::{self, Tree};

libfuzzer_sys::fuzz_target!(|said: &[u8]| {
    let text = String::from_utf8_lossy(said);
    let repository: Repository = "https://git.example.com/a.git".parse().expect("a repository");
    drop(tree::revision(&text));
    drop(tree::resolve(&text, "main", &repository));
    for reference in text.lines() {
        for name in tree::candidates(reference).into_iter().flatten() {
            assert!(!name.starts_with('-') && !name.contains([' ', ':', '*']));
        }
    }
    let end = said.windows(2).position(|pair| pair == b"\0\0").unwrap_or(said.len());
    let Ok(tree) = Tree::read(&said[..end]) else { return };
    let top = BTreeSet::from([String::new()]);
    tree.fingerprint(&top);
    if let Ok(wanted) = tree.wanted(&top) {
        drop(wanted.files(said.get(end + 2..).unwrap_or_default()));
    }
});
