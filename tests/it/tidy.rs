//! The house rules that a machine can hold: arrows, sizes, words, reasons, and which faults have a test.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use toml::Table;

/// The rows of severity S1 and S2 of the fault catalogue: each has a test that begins with its id, or a line with a
/// reason in `deploy/e2e/gaps.toml`.
const FAULTS: &str = "A1 A2 A3 A4 A5 A6 A7 A8 A9 A10 A11 A12 A13 A15 A16 B1 B2 B3 B4 B5 B6 B8 B9 B12 C1 C2 C3 C4 C5 \
    C6 C7 C8 C9 C10 D1 D2 D3 D4 D5 D6 D7 D8 D9 D10 D11 D12 D13 D14 D15 D16 D17 E1 E2 E3 E5 E6 F1 F2 \
    F3 F4 F5 F6 F7 F8 F9 F10 F11 F12 F13 F14 F15 F16 F17 F18 F19 F20 F21 F22 F23 F24 F26 F29 F30 \
    F31 F32 F34 F35 F36 F39 F40 G2 G4 G5 G7 G8 G9 G11 G12 H1 H2 H4 H5 H6 H7 H8 H9 H10 H12 I1 I2 I3 \
    I4 I5 I7 I8 I9 I10 I11 J1 J2 J3 J5 J6 J7 J8 J9 J10 K1 K3 K4 K5";

/// Which packages of ours a package may know. Programs never know each other.
const ARROWS: [(&str, &[&str]); 12] = [
    ("cdn", &[]),
    ("program", &[]),
    ("testbed", &[]),
    ("origins", &["cdn", "program"]),
    ("store", &["cdn", "program"]),
    ("mirror", &["cdn", "program"]),
    ("publisher", &["cdn", "program", "origins", "store"]),
    ("api", &["cdn", "program", "store"]),
    ("agent", &["cdn", "program", "origins"]),
    ("windlass", &["cdn", "program", "origins", "store", "mirror", "publisher", "api", "agent"]),
    (
        "e2e",
        &["cdn", "program", "origins", "store", "mirror", "publisher", "api", "agent", "windlass", "testbed"],
    ),
    (
        "bench",
        &["cdn", "program", "origins", "store", "mirror", "publisher", "api", "agent", "windlass", "testbed"],
    ),
];

fn top() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every file below a folder with an ending, without build output.
fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        let name = entry.file_name().unwrap().to_string_lossy().into_owned();
        if entry.is_dir() && !name.starts_with('.') && name != "target" && name != "node_modules" {
            found.extend(files(&entry, ending));
        } else if name.ends_with(ending) {
            found.push(entry);
        }
    }
    found.sort();
    found
}

fn manifests() -> Vec<(PathBuf, String, Table)> {
    let paths =
        files(&top(), "Cargo.toml").into_iter().filter(|path| !path.parent().unwrap().ends_with("fuzz"));
    paths
        .map(|path| (path.clone(), fs::read_to_string(&path).unwrap()))
        .map(|(p, t)| (p, t.clone(), t.parse().unwrap()))
        .collect()
}

fn name(path: &Path) -> String {
    path.strip_prefix(top()).unwrap().display().to_string()
}

#[test]
fn every_arrow_points_down() {
    let allowed: BTreeMap<_, _> = ARROWS.into_iter().collect();
    let mut seen = BTreeSet::new();
    for (path, _, manifest) in manifests() {
        let package = manifest["package"]["name"].as_str().unwrap().to_owned();
        let may = allowed
            .get(package.as_str())
            .unwrap_or_else(|| panic!("{}: a new room: add it to ARROWS", name(&path)));
        let dependencies = manifest.get("dependencies").and_then(toml::Value::as_table);
        for other in dependencies
            .into_iter()
            .flat_map(Table::keys)
            .filter(|other| allowed.contains_key(other.as_str()))
        {
            assert!(may.contains(&other.as_str()), "{}: `{package}` must not know `{other}`", name(&path));
        }
        seen.insert(package);
    }
    assert_eq!(seen.len(), ARROWS.len(), "ARROWS names a room that is gone");
}

#[test]
fn the_pure_half_opens_nothing_and_the_api_carries_no_manifest() {
    for path in files(&top().join("cdn/src"), ".rs") {
        let text = fs::read_to_string(&path).unwrap();
        for word in
            ["std::fs", "std::net", "std::process", "std::env", "Timestamp::now", "SystemTime", "tokio"]
        {
            assert!(!text.contains(word), "{}: `{word}`: cdn does no IO and reads no clock", name(&path));
        }
    }
    for path in files(&top().join("api/src"), ".rs") {
        let text = fs::read_to_string(&path).unwrap();
        for word in ["cdn::bundle", "cdn::ct1", "cdn::Bundle", "bundle::Bundle", "trust::Content"] {
            assert!(
                !text.contains(word),
                "{}: `{word}`: no manifest byte passes through the api",
                name(&path)
            );
        }
    }
}

#[test]
fn every_dependency_has_its_reason() {
    let ours: BTreeSet<_> = ARROWS.into_iter().map(|(name, _)| name).collect();
    for (path, text, _) in manifests() {
        let mut section = "";
        // A comment stands for the lines below it, up to an empty one.
        let mut has_reason = false;
        for line in text.lines().map(str::trim) {
            if line.starts_with('[') {
                section = line;
            }
            has_reason = line.starts_with('#') || (has_reason && !line.is_empty());
            let dependency = line.split(['.', ' ', '=']).next().unwrap_or_default();
            let counts = matches!(section, "[dependencies]" | "[dev-dependencies]" | "[build-dependencies]");
            if counts && line.contains('=') && !line.starts_with('#') && !ours.contains(dependency) {
                let reason = has_reason || line.contains(" # ");
                assert!(reason, "{}: `{dependency}` has no reason: write one above it", name(&path));
            }
        }
    }
}

#[test]
fn every_file_says_why_it_exists_and_fits_a_few_screens() {
    for path in files(&top(), ".rs") {
        let text = fs::read_to_string(&path).unwrap();
        let lines = text.lines().count();
        assert!(lines <= 500, "{} has {lines} lines, at most 500: which noun is missing?", name(&path));
        let tests = path.ends_with("tests.rs");
        assert!(tests || text.starts_with("//!"), "{} does not say why it exists (`//!`)", name(&path));
        assert!(!path.ends_with("mod.rs"), "{}: modules are `name.rs`", name(&path));
        assert!(
            tests || name(&path).contains("tidy") || !text.contains("#[ignore"),
            "{}: no test is ignored",
            name(&path)
        );
    }
}

#[test]
fn words_that_say_nothing_are_not_used() {
    let kinds = ["struct ", "enum ", "trait ", "type "];
    for path in files(&top(), ".rs") {
        for line in
            fs::read_to_string(&path).unwrap().lines().map(|line| line.trim().trim_start_matches("pub "))
        {
            let defined = kinds.iter().find_map(|kind| line.strip_prefix(kind)).unwrap_or_default();
            let noun: String = defined.chars().take_while(|c| c.is_alphanumeric()).collect();
            for word in ["Manager", "Helper", "Util", "Handler", "Info"] {
                assert!(!noun.contains(word), "{}: `{noun}`: which noun of the field is it?", name(&path));
            }
            let verb = line
                .trim_start_matches("pub(crate) ")
                .trim_start_matches("async ")
                .strip_prefix("fn ")
                .unwrap_or_default();
            for word in ["process_", "process(", "handle_", "handle(", "do_"] {
                assert!(!verb.starts_with(word), "{}: `fn {verb}`: which verb is it?", name(&path));
            }
        }
    }
}

#[test]
fn every_fault_has_a_test_or_a_reason() {
    let mut tested = BTreeSet::new();
    for path in files(&top(), ".rs") {
        for line in fs::read_to_string(&path).unwrap().lines() {
            let function = line.trim().trim_start_matches("async ").strip_prefix("fn ").unwrap_or_default();
            let ids = function.split('(').next().unwrap_or_default().split('_').take(4);
            tested.extend(ids.take_while(|id| is_row(id)).map(str::to_uppercase));
        }
    }
    let gaps: Table = fs::read_to_string(top().join("deploy/e2e/gaps.toml")).unwrap().parse().unwrap();
    let missing: Vec<_> =
        FAULTS.split(' ').filter(|id| !tested.contains(*id) && !gaps.contains_key(*id)).collect();
    assert!(missing.is_empty(), "no test and no line in deploy/e2e/gaps.toml: {missing:?}");
    let closed: Vec<_> = gaps.keys().filter(|id| tested.contains(*id)).collect();
    assert!(closed.is_empty(), "tested now: take them out of deploy/e2e/gaps.toml: {closed:?}");
    assert!(
        gaps.values().all(|reason| reason.as_str().is_some_and(|text| text.len() > 20)),
        "a gap says why"
    );
}

/// `a1`, `f14`: a row of the catalogue.
fn is_row(text: &str) -> bool {
    let mut chars = text.chars();
    chars.next().is_some_and(|c| ('a'..='k').contains(&c))
        && text.len() > 1
        && chars.all(|c| c.is_ascii_digit())
}
