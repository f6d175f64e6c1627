//! Input that has hurt readers before, replayed: no panic, no long time, no large memory (FAULTS B6, B12).

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use proptest::prelude::*;
use publisher::manifests::yaml::{self, YamlLimits};

/// The tree of a real project, checked out: from `WINDLASS_TEST_CORPUS`, or where a checkout beside this one keeps it.
#[expect(clippy::disallowed_methods, reason = "a test has no main that reads settings")]
pub fn real_tree() -> Option<tempfile::TempDir> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/corpora");
    let folder = std::env::var_os("WINDLASS_TEST_CORPUS").map_or(beside, PathBuf::from);
    let bundle = folder.join("kube-prometheus.bundle");
    if !bundle.is_file() {
        return None;
    }
    let into = tempfile::tempdir().expect("a folder");
    let cloned = std::process::Command::new("git")
        .args(["clone", "--quiet", "--branch=main"])
        .arg(&bundle)
        .arg(into.path())
        .status()
        .expect("git runs");
    assert!(cloned.success());
    Some(into)
}

#[test]
fn b12_the_corpus_is_read_without_panic_in_bounded_time() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/corpus/yaml");
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).expect("the corpus") {
        let path = entry.expect("an entry").path();
        let bytes = std::fs::read(&path).expect("read");
        quickly(&path.display().to_string(), &bytes);
        // And cut anywhere: a reader must not rely on an end.
        for end in (0..bytes.len()).step_by(bytes.len() / 16 + 1) {
            quickly(&format!("{} cut at {end}", path.display()), &bytes[..end]);
        }
        seen += 1;
    }
    assert!(seen >= 15, "{seen} files");
}

/// Generated, since they are too large to keep.
#[test]
fn b6_large_hostile_files_are_refused_in_bounded_time() {
    let many = 200_000;
    for (name, text) in [
        ("flow lists", "[".repeat(many)),
        ("flow mappings", "{a: ".repeat(many)),
        ("block lists", format!("{}a", "- ".repeat(many))),
        ("question marks", "? ".repeat(many)),
        ("quotes", "\"".repeat(many)),
        ("colons", ":".repeat(many)),
        ("anchors", (0..20_000).map(|n| format!("- &a{n} x")).collect::<Vec<_>>().join("\n")),
        ("aliases", format!("- &a {}\n{}", "x".repeat(1000), "- *a\n".repeat(100_000))),
        ("documents", "---\na: 1\n".repeat(50_000)),
        ("comments", "# x\n".repeat(many)),
        ("one key", format!("{}: 1", "k".repeat(many))),
        ("keys", (0..50_000).map(|n| format!("k{n}: v")).collect::<Vec<_>>().join("\n")),
        ("spaces", " ".repeat(many)),
        ("tabs", "\t".repeat(many)),
        ("commas", format!("[{}]", ",".repeat(many))),
        ("bangs", "!".repeat(many)),
        ("JSON depth", format!("{}1{}", "{\"a\":".repeat(50_000), "}".repeat(50_000))),
        ("digits", format!("a: {}", "9".repeat(many))),
        ("nulls", "a: \0".repeat(1000)),
    ] {
        quickly(name, text.as_bytes());
    }
}

fn quickly(name: &str, bytes: &[u8]) {
    let begun = Instant::now();
    let _read = yaml::read(bytes, YamlLimits::default()).is_ok();
    assert!(begun.elapsed() < Duration::from_secs(20), "{name} took {:?}", begun.elapsed());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn b12_no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        quickly("bytes", &bytes);
    }

    #[test]
    fn b12_no_text_of_yaml_signs_makes_the_reader_panic(text in "[a-c0-9:\\-\\[\\]{}&*!|>'\"%@`#?, \n\t~.<]{0,200}") {
        quickly(&text, text.as_bytes());
    }
}
