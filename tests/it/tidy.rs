//! The house rules that a machine can hold: arrows, sizes, words, reasons, and which faults have a test.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

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
        let dependencies = manifest.get("dependencies").and_then(Value::as_table);
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

/// The modules of `cdn`, in the reading order that its front page gives: each knows those before it, and none after.
#[test]
fn every_arrow_inside_the_content_plane_points_down() {
    let front = fs::read_to_string(top().join("cdn/src/lib.rs")).unwrap();
    let listed =
        front.lines().filter(|line| line.starts_with("//! ")).flat_map(|line| line.split("[`").skip(1));
    let order: Vec<&str> = listed.map(|link| link.split('`').next().unwrap_or_default()).collect();
    for (rank, module) in order.iter().enumerate() {
        let file = top().join(format!("cdn/src/{module}.rs"));
        let folder = file.with_extension("");
        let beside = if folder.is_dir() { files(&folder, ".rs") } else { Vec::new() };
        for path in beside.into_iter().chain([file]) {
            let text = fs::read_to_string(&path).unwrap();
            for line in text.lines().filter(|line| !line.trim_start().starts_with("//")) {
                let Some((_, used)) = line.split_once("crate::") else { continue };
                let mut words = used.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
                let above = words.find(|word| order[rank + 1..].contains(word));
                assert!(
                    above.is_none(),
                    "{}: `{module}` must not know {above:?}, which is built on it",
                    name(&path)
                );
            }
        }
    }
    assert_eq!(order.len(), front.lines().filter(|line| line.starts_with("pub mod ")).count());
}

/// The api: HTTP stands on what acts, that on the decisions and the database, and all of them on the nouns. Each layer
/// knows those before it, and none after; the state that all share, and what moves it, are one.
#[test]
fn every_arrow_inside_the_api_points_down() {
    let layers: [&[&str]; 13] = [
        &["clock", "id", "recent", "selector"],
        &["nouns"],
        &["assign"],
        &["db"],
        &["error"],
        &["desired", "table"],
        &["limiter", "meters", "roots"],
        &["app", "follow", "reports"],
        &["auth", "extract", "pass"],
        &["front"],
        &["routes"],
        &["settings"],
        &["loops", "start"],
    ];
    let front = fs::read_to_string(top().join("api/src/lib.rs")).unwrap();
    let all: BTreeSet<&str> = front
        .lines()
        .filter_map(|line| line.trim_start_matches("pub ").strip_prefix("mod ")?.strip_suffix(';'))
        .collect();
    let mut below = BTreeSet::new();
    for layer in layers {
        below.extend(layer);
        for module in layer {
            let file = top().join(format!("api/src/{module}.rs"));
            let folder = file.with_extension("");
            let beside = if folder.is_dir() { files(&folder, ".rs") } else { Vec::new() };
            for path in beside.into_iter().chain([file]) {
                let text = fs::read_to_string(&path).unwrap();
                let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
                let code = code.collect::<Vec<_>>().join("\n");
                for used in code.split("crate::").skip(1) {
                    // One name, or a list in braces.
                    let end: &[char] = if used.starts_with('{') { &[';'] } else { &[':', ';'] };
                    let names = used.split(end).next().unwrap_or_default();
                    let above = names
                        .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
                        .find(|name| all.contains(name) && !below.contains(name));
                    assert!(
                        above.is_none(),
                        "{}: `{module}` must not know {above:?}, which is built on it",
                        name(&path)
                    );
                }
            }
        }
    }
    assert_eq!(below, all, "each module of the api is in one layer");
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
        for line in fs::read_to_string(&path).unwrap().lines().map(unqualified) {
            let defined = kinds.iter().find_map(|kind| line.strip_prefix(kind)).unwrap_or_default();
            let noun: String = defined.chars().take_while(|c| c.is_alphanumeric()).collect();
            for word in ["Manager", "Helper", "Util", "Handler", "Info"] {
                assert!(!noun.contains(word), "{}: `{noun}`: which noun of the field is it?", name(&path));
            }
            let verb = line.strip_prefix("fn ").unwrap_or_default();
            for word in ["process_", "process(", "handle_", "handle(", "do_"] {
                assert!(!verb.starts_with(word), "{}: `fn {verb}`: which verb is it?", name(&path));
            }
        }
    }
}

/// A definition without what stands before its kind: `pub(super) const async`.
fn unqualified(line: &str) -> &str {
    let mut line = line.trim();
    if let Some(rest) = line.strip_prefix("pub") {
        let rest = rest.trim_start();
        line = rest
            .split_once(')')
            .filter(|_| rest.starts_with('('))
            .map_or(rest, |(_, rest)| rest)
            .trim_start();
    }
    for word in ["const ", "async ", "unsafe "] {
        line = line.strip_prefix(word).unwrap_or(line);
    }
    line
}

#[test]
fn every_package_takes_the_workspaces_lints() {
    for (path, _, table) in manifests() {
        let lints = table.get("lints").and_then(|lints| lints.get("workspace"));
        assert_eq!(lints.and_then(Value::as_bool), Some(true), "{}: [lints] workspace = true", name(&path));
    }
}

/// The catalogue's rows: id and severity.
fn faults() -> BTreeMap<String, String> {
    let text = fs::read_to_string(top().join("deploy/e2e/FAULTS.md")).unwrap();
    let mut rows = BTreeMap::new();
    for line in text.lines() {
        let cells: Vec<_> = line.split('|').map(str::trim).collect();
        if let ["", id, severity, happens, holds, _, ""] = cells[..]
            && is_row(&id.to_lowercase())
        {
            assert!(["S1", "S2", "S3", "S4"].contains(&severity), "{id}: `{severity}` is no severity");
            assert!(!happens.is_empty() && !holds.is_empty(), "{id}: what happens, and what must hold?");
            assert!(rows.insert(id.to_owned(), severity.to_owned()).is_none(), "{id} is there twice");
        }
    }
    assert!(
        rows.len() > 100,
        "deploy/e2e/FAULTS.md has {} rows: it is not read as it is written",
        rows.len()
    );
    rows
}

/// The rows that tests name: `f14_f15_...` names two.
fn tested() -> BTreeSet<String> {
    let mut tested = BTreeSet::new();
    for path in files(&top(), ".rs") {
        for line in fs::read_to_string(&path).unwrap().lines() {
            let function = line.trim().trim_start_matches("async ").strip_prefix("fn ").unwrap_or_default();
            let ids = function.split('(').next().unwrap_or_default().split('_').take(4);
            tested.extend(ids.take_while(|id| is_row(id)).map(str::to_uppercase));
        }
    }
    tested
}

#[test]
fn every_grave_fault_has_a_test_or_a_reason() {
    let (faults, tested) = (faults(), tested());
    let unknown: Vec<_> = tested.iter().filter(|id| !faults.contains_key(*id)).collect();
    assert!(unknown.is_empty(), "tests name rows that deploy/e2e/FAULTS.md does not have: {unknown:?}");

    let gaps: Table = fs::read_to_string(top().join("deploy/e2e/gaps.toml")).unwrap().parse().unwrap();
    let grave = faults.iter().filter(|(_, severity)| matches!(severity.as_str(), "S1" | "S2"));
    let missing: Vec<_> =
        grave.map(|(id, _)| id).filter(|id| !tested.contains(*id) && !gaps.contains_key(*id)).collect();
    assert!(missing.is_empty(), "no test and no line in deploy/e2e/gaps.toml: {missing:?}");
    let closed: Vec<_> = gaps.keys().filter(|id| tested.contains(*id)).collect();
    assert!(closed.is_empty(), "tested now: take them out of deploy/e2e/gaps.toml: {closed:?}");
    let strange: Vec<_> = gaps.keys().filter(|id| !faults.contains_key(*id)).collect();
    assert!(strange.is_empty(), "gaps of rows that deploy/e2e/FAULTS.md does not have: {strange:?}");
    assert!(
        gaps.values().all(|reason| reason.as_str().is_some_and(|text| text.len() > 20)),
        "a gap says why"
    );
}

/// A reader of the code can look up what it cites: rows in one form, `(FAULTS F14)`, of the catalogue beside the tests.
#[test]
fn what_the_code_cites_is_in_the_repository() {
    let faults = faults();
    for path in files(&top(), ".rs") {
        let text = fs::read_to_string(&path).unwrap();
        for cited in text.split("FAULTS ").skip(1) {
            let end = cited.find(|c: char| !c.is_ascii_alphanumeric() && c != ',' && c != ' ');
            for id in cited[..end.unwrap_or(cited.len())].split(", ").filter(|id| is_row(&id.to_lowercase()))
            {
                assert!(faults.contains_key(id), "{}: `FAULTS {id}` is not in the catalogue", name(&path));
            }
        }
        for comment in text.lines().filter(|line| line.trim_start().starts_with("//")) {
            for said in comment.split('(').skip(1) {
                let id = said.split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default();
                let bare = faults.contains_key(id);
                assert!(!bare, "{}: `({id}` is a row of which list? Write `(FAULTS {id})`", name(&path));
            }
        }
    }
}

/// `a1`, `f14`: a row of the catalogue.
fn is_row(text: &str) -> bool {
    let mut chars = text.chars();
    chars.next().is_some_and(|c| ('a'..='k').contains(&c))
        && text.len() > 1
        && chars.all(|c| c.is_ascii_digit())
}
