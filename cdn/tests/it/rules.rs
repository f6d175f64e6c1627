//! Every rule of every document: a sample with one change, and the words that refuse it. What lies just within a bound
//! is read.

use cdn::SigningKey;
use cdn::document::{self, Desired, Document, Head, Release, Report, Root, Routes, Set, Values};
use cdn::envelope::{Envelope, NotSigned};
use cdn::limits::{DESIRED_LIST, KEYS, REPORT_LIST, ROOTS, SET_SERVICES, TEXT_CHARS};
use serde_json::{Value, json};

/// Fields of a sample, by pointer, and what they become.
type Change = Vec<(&'static str, Value)>;

fn change(field: &'static str, value: impl Into<Value>) -> Change {
    vec![(field, value.into())]
}

fn changed(sample: &str, change: &Change) -> Vec<u8> {
    let mut document: Value = serde_json::from_str(sample).unwrap();
    for (field, value) in change {
        let (parent, name) = field.rsplit_once('/').unwrap();
        document.pointer_mut(parent).unwrap()[name] = value.clone();
    }
    serde_json::to_vec(&document).unwrap()
}

/// Refuses each of these for its reason, and whatever is longer than the document may be.
fn refused<T: Document>(sample: &str, rules: Vec<(Change, &str)>) {
    let refusal = |bytes: &[u8]| match document::read::<T>(bytes) {
        Ok(_) => "it is read".to_owned(),
        Err(why) => why.to_string(),
    };
    for (change, why) in rules {
        let got = refusal(&changed(sample, &change));
        assert_eq!(got, format!("{}: {why}", T::TYPE), "{change:?}");
    }
    let (most, mut long) = (T::MAX_BYTES, sample.as_bytes().to_vec());
    long.resize(most, b' ');
    document::read::<T>(&long).unwrap_or_else(|why| panic!("at its bound: {why}"));
    long.push(b' ');
    assert_eq!(refusal(&long), format!("{}: {} bytes, at most {most} are read", T::TYPE, most + 1));
}

/// Reads each of these: the most that a bound allows.
fn read<T: Document>(sample: &str, bounds: Vec<Change>) {
    for change in bounds {
        document::read::<T>(&changed(sample, &change)).unwrap_or_else(|why| panic!("{why}: {change:?}"));
    }
}

/// So many copies of one item.
fn copies(count: usize, item: &Value) -> Value {
    vec![item.clone(); count].into()
}

/// So many different services, in order; `entry` makes the item of one.
fn services(count: usize, entry: impl Fn(String) -> Value) -> Value {
    (0..count).map(|n| entry(format!("default/s{n:04}"))).collect()
}

fn digest() -> String {
    format!("sha256:{}", "7".repeat(64))
}

fn keys(count: usize) -> Value {
    (0..count).map(|_| Value::String(SigningKey::random().public().to_string())).collect()
}

#[test]
fn a10_every_rule_of_a_root_refuses() {
    const UNSOUND: &str = "a role needs 1 to 16 distinct keys and a threshold between 1 and their number";
    const NO_FLEET: &str = "root 1, and only root 1, names no fleet";
    let sample = include_str!("samples/root.v0.json");
    let role = |keys: Value, threshold: usize| json!({ "keys": keys, "threshold": threshold });
    let parsed: Value = serde_json::from_str(sample).unwrap();
    let key_of = |name: &str| parsed["roles"][name]["keys"][0].clone();
    let of_root = role(json!([key_of("root")]), 1);
    let mut rules = vec![
        (change("/version", 0), NO_FLEET),
        (change("/version", 1), NO_FLEET),
        (change("/fleet", Value::Null), NO_FLEET),
        (change("/version", ROOTS + 1), "version 1001, at most 1000 are read"),
        (change("/roles/root/keys", json!([key_of("root"), key_of("root")])), UNSOUND),
        (change("/roles/root/keys", keys(KEYS + 1)), UNSOUND),
        (change("/roles/root/keys", json!([])), UNSOUND),
        (change("/roles/root/threshold", 2), UNSOUND),
    ];
    let places =
        ["/roles/root", "/roles/desired", "/roles/routes", "/roles/release/default", "/roles/approver"];
    for place in places {
        rules.push((change(place, role(keys(1), 0)), UNSOUND));
        if place != "/roles/root" {
            rules.push((change(place, of_root.clone()), "one key has two roles"));
        }
    }
    let two_projects = json!({ "a": role(keys(1), 1), "b": role(json!([key_of("routes")]), 1) });
    rules.push((change("/roles/release", two_projects), "one key has two roles"));
    refused::<Root>(sample, rules);
    read::<Root>(
        sample,
        vec![
            change("/version", ROOTS),
            vec![("/version", 1.into()), ("/fleet", Value::Null)],
            change("/roles/root", role(keys(KEYS), KEYS)),
            change("/roles/approver", role(keys(1), 1)),
        ],
    );
}

#[test]
fn every_rule_of_a_release_refuses() {
    let sample = include_str!("samples/release.v0.json");
    let stored = json!({ "encoding": "gz", "digest": digest(), "length": 1 });
    refused::<Release>(
        sample,
        vec![
            (change("/encodings", copies(17, &stored)), "17 encodings, at most 16 are read"),
            (change("/encodings", json!([])), "it names no encoding"),
            (change("/revision/id", "é".repeat(201)), "201 characters of revision, at most 200 are read"),
            (change("/revision/subject", "é".repeat(201)), "201 characters of subject, at most 200 are read"),
            (change("/revision/id", "4f2c\u{0}"), "a text has control characters"),
            (change("/revision/subject", "web\u{1b}[2J"), "a text has control characters"),
            (change("/min_seq", 1_793_000_000_002_u64), "its min_seq is above its own seq"),
            (change("/namespace", "Web"), "namespace `Web` is not a DNS label"),
            (change("/namespace", ""), "namespace `` is not a DNS label"),
        ],
    );
    read::<Release>(
        sample,
        vec![
            change("/encodings", copies(16, &stored)),
            change("/revision/id", "é".repeat(200)),
            change("/revision/subject", "é".repeat(200)),
            change("/min_seq", 1_793_000_000_001_u64),
        ],
    );
}

#[test]
fn every_rule_of_a_head_refuses() {
    let sample = include_str!("samples/head.v0.json");
    let long = "201 characters of commit, at most 200 are read";
    refused::<Head>(
        sample,
        vec![
            (change("/commit", "é".repeat(201)), long),
            (change("/commit", "4f2c\n"), "a text has control characters"),
        ],
    );
    read::<Head>(sample, vec![change("/commit", "é".repeat(200))]);
}

#[test]
fn every_rule_of_routes_refuses() {
    let sample = include_str!("samples/routes.v0.json");
    let delta = json!({ "from": digest(), "encoding": "zstd_patch", "digest": digest(), "length": 1 });
    let long = "129 deltas, at most 128 are read";
    refused::<Routes>(sample, vec![(change("/deltas", copies(129, &delta)), long)]);
    read::<Routes>(sample, vec![change("/deltas", copies(128, &delta))]);
}

#[test]
fn every_rule_of_a_set_refuses() {
    const ORDER: &str = "its services are not sorted, or one is there twice";
    let sample = include_str!("samples/set.v0.json");
    let entry = |name: String| json!({ "name": name, "release": digest() });
    let listed = |names: [&str; 2]| Value::from(names.map(|name| entry(name.to_owned())).to_vec());
    let many = |count| change("/services", services(count, entry));
    refused::<Set>(
        sample,
        vec![
            (change("/format", "set.v9"), "its format is `set.v9`"),
            (many(SET_SERVICES + 1), "2001 services, at most 2000 are read"),
            (change("/services", listed(["default/web", "default/platform"])), ORDER),
            (change("/services", listed(["default/web", "default/web"])), ORDER),
            (
                change("/services/1/dependsOn", copies(65, &"default/platform".into())),
                "65 dependencies, at most 64 are read",
            ),
            (
                change("/services/1/options/formerly", copies(65, &"default/front".into())),
                "65 former names, at most 64 are read",
            ),
            (
                change("/services/1/dependsOn", json!(["default/platform", "default/absent"])),
                "default/web depends on default/absent, which is not in the set",
            ),
        ],
    );
    read::<Set>(
        sample,
        vec![
            many(SET_SERVICES),
            change("/services/1/dependsOn", copies(64, &"default/platform".into())),
            change("/services/1/options/formerly", copies(64, &"default/front".into())),
        ],
    );
}

#[test]
fn every_rule_of_values_refuses() {
    let sample = include_str!("samples/values.v0.json");
    refused::<Values>(sample, vec![(change("/format", "values.v9"), "its format is `values.v9`")]);
}

#[test]
fn every_rule_of_a_desired_refuses() {
    let sample = include_str!("samples/desired.v0.json");
    let origins = |count| change("/origins", copies(count, &"https://cdn.example.com".into()));
    let removal = |service: String| json!({ "service": service, "mode": "delete" });
    let removals = |count| change("/removals", services(count, removal));
    let approvals = |count| change("/approvals", copies(count, &json!({ "hold": digest() })));
    let twice = json!([removal("default/old".to_owned()), { "service": "default/old", "mode": "orphan" }]);
    refused::<Desired>(
        sample,
        vec![
            (origins(DESIRED_LIST + 1), "65 origins, at most 64 are read"),
            (removals(DESIRED_LIST + 1), "65 removals, at most 64 are read"),
            (approvals(DESIRED_LIST + 1), "65 approvals, at most 64 are read"),
            (change("/removals", twice), "it removes one service twice"),
            (change("/expires", "2026-11-01T10:00:00Z"), "it expires before it is issued"),
        ],
    );
    read::<Desired>(
        sample,
        vec![
            origins(DESIRED_LIST),
            removals(DESIRED_LIST),
            approvals(DESIRED_LIST),
            change("/expires", "2026-11-01T10:00:01Z"),
        ],
    );
}

#[test]
fn every_rule_of_a_report_refuses() {
    const ORDER: &str = "its services are not sorted, or one is there twice";
    const CONTROL: &str = "a text has control characters";
    let sample = include_str!("samples/report.v0.json");
    let service = |name: String| {
        json!({ "name": name, "sync": "synced", "health": "healthy", "objects": 1,
                "since": "2026-11-01T10:00:05Z" })
    };
    let listed = |names: [&str; 2]| Value::from(names.map(|name| service(name.to_owned())).to_vec());
    let hold = json!({ "reason": "Conflict", "message": "m", "since": "2026-11-01T10:00:05Z" });
    let object = |field: &str| {
        let mut object = json!({ "group": "apps", "kind": "Deployment", "namespace": "web", "name": "web" });
        object[field] = "a\u{1b}[2Jb".into();
        change("/holds/0/object", object)
    };
    let many = |count| change("/services", services(count, service));
    let holds = |count| change("/holds", copies(count, &hold));
    let removed = |count| change("/removed", copies(count, &"default/old".into()));
    refused::<Report>(
        sample,
        vec![
            (change("/format", "report.v9"), "its format is `report.v9`"),
            (many(REPORT_LIST + 1), "2001 services, at most 2000 are read"),
            (holds(REPORT_LIST + 1), "2001 holds, at most 2000 are read"),
            (removed(REPORT_LIST + 1), "2001 removals, at most 2000 are read"),
            (change("/services", listed(["default/web", "default/a"])), ORDER),
            (change("/services", listed(["default/web", "default/web"])), ORDER),
            (change("/agent", "é".repeat(65)), "65 characters of version, at most 64 are read"),
            (change("/agent", "0.1.0\u{0}"), CONTROL),
            (change("/holds/0/message", "é".repeat(TEXT_CHARS + 1)), "501 characters, at most 500 are read"),
            (change("/holds/0/message", "a\u{0}b"), CONTROL),
            (object("group"), CONTROL),
            (object("kind"), CONTROL),
            (object("namespace"), CONTROL),
            (object("name"), CONTROL),
        ],
    );
    read::<Report>(
        sample,
        vec![
            many(REPORT_LIST),
            holds(REPORT_LIST),
            removed(REPORT_LIST),
            change("/agent", "é".repeat(64)),
            change("/holds/0/message", "é".repeat(TEXT_CHARS)),
        ],
    );
}

#[test]
fn an_envelope_that_is_too_long_or_another_documents_is_refused() {
    let sample = include_str!("samples/head.v0.json");
    let head: Head = document::read(sample.trim_end().as_bytes()).unwrap();
    let bytes = Envelope::sign(&head, &[&SigningKey::random()]).to_bytes();
    let wrong = NotSigned::WrongType { got: Head::TYPE.to_owned(), wanted: Release::TYPE };
    assert_eq!(Envelope::claim::<Release>(&bytes), Err(wrong));
    let (limit, mut long) = (Head::MAX_BYTES, bytes);
    long.resize(limit, b' ');
    assert_eq!(Envelope::claim::<Head>(&long), Ok(head));
    long.push(b' ');
    let refused = NotSigned::TooLarge { got: limit + 1, limit };
    assert_eq!(Envelope::claim::<Head>(&long), Err(refused));
}
