//! Our reading of YAML against kubectl's own: equal, or refused - never read otherwise (FAULTS B6).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use publisher::manifests::yaml::{self, YamlLimits};
use serde_json::{Map, Value};
use testbed::{Tool, tool};

/// What kubectl reads of files, by the name of each object; what it refuses is missing. Its own annotation is taken away
/// again.
fn kubectl(place: &Path) -> BTreeMap<String, Vec<Value>> {
    let program = tool(Tool::Kubectl).expect("kubectl");
    let output = Command::new(program)
        .args([
            "annotate",
            "--local",
            "--overwrite",
            "--recursive",
            "-o",
            "json",
            "oracle.test/seen=yes",
            "-f",
        ])
        .arg(place)
        .env_clear()
        .env("HOME", "/nonexistent")
        .output()
        .expect("kubectl runs");
    let mut read: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for value in serde_json::Deserializer::from_slice(&output.stdout).into_iter::<Value>() {
        let value = plain(without_mark(value.expect("kubectl writes JSON")));
        read.entry(name(&value)).or_default().push(value);
    }
    read
}

fn name(value: &Value) -> String {
    value.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn without_mark(mut value: Value) -> Value {
    let metadata = value.get_mut("metadata").and_then(Value::as_object_mut).expect("metadata");
    let annotations = metadata.get_mut("annotations").and_then(Value::as_object_mut).expect("annotations");
    annotations.remove("oracle.test/seen").expect("the mark");
    if annotations.is_empty() {
        metadata.remove("annotations");
    }
    value
}

/// What we read of a file; none where we refuse it.
fn ours(file: &Path) -> Option<Vec<Value>> {
    let bytes = std::fs::read(file).expect("read");
    let documents = yaml::read(&bytes, YamlLimits::default()).ok()?;
    Some(documents.into_iter().flat_map(|document| flat(document.value)).map(plain).collect())
}

/// kubectl takes lists apart.
fn flat(value: Value) -> Vec<Value> {
    match value.get("items").and_then(Value::as_array) {
        Some(items) if value["kind"].as_str().is_some_and(|kind| kind.ends_with("List")) => items.clone(),
        _ => vec![value],
    }
}

/// The form that both sides are compared in: the canonical bytes, read again, without empty annotations.
fn plain(mut value: Value) -> Value {
    if let Some(metadata) = value.get_mut("metadata").and_then(Value::as_object_mut)
        && metadata
            .get("annotations")
            .is_some_and(|a| a.is_null() || a.as_object().is_some_and(Map::is_empty))
    {
        metadata.remove("annotations");
    }
    floats(&mut value);
    serde_json::from_slice(&cdn::json::canonical(&value)).expect("JSON")
}

/// Above 64 bits with a sign kubectl has floats, however Go writes them.
fn floats(value: &mut Value) {
    match value {
        Value::Number(number) if !number.is_i64() => *value = number.as_f64().into(),
        Value::Array(items) => items.iter_mut().for_each(floats),
        Value::Object(map) => map.values_mut().for_each(floats),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// The first of our objects that kubectl reads otherwise. What it refuses to read at all is no difference.
fn difference(ours: &[Value], theirs: &BTreeMap<String, Vec<Value>>) -> Option<String> {
    let told = |value: &Value| value.to_string().chars().take(1_000).collect::<String>();
    ours.iter().find_map(|own| {
        let named = theirs.get(&name(own))?;
        (!named.contains(own))
            .then(|| format!("ours {}\nkubectl's {}", told(own), named.iter().map(told).collect::<String>()))
    })
}

/// One `ConfigMap` whose data is the text; in JSON terms it need not be valid for a server.
fn around(text: &str) -> String {
    let indented: Vec<String> = text.lines().map(|line| format!("  {line}")).collect();
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: oracle}}\ndata:\n{}\n", indented.join("\n"))
}

/// Plain words, one a case, each as a value and as a key.
const WORDS: &[&str] = &[
    "yes",
    "Yes",
    "YES",
    "yEs",
    "no",
    "No",
    "NO",
    "on",
    "On",
    "ON",
    "off",
    "Off",
    "OFF",
    "y",
    "Y",
    "n",
    "N",
    "true",
    "True",
    "TRUE",
    "tRue",
    "false",
    "False",
    "FALSE",
    "~",
    "null",
    "Null",
    "NULL",
    "nULL",
    "0",
    "00",
    "-0",
    "+0",
    "1",
    "-1",
    "+1",
    "007",
    "0644",
    "08",
    "09",
    "018",
    "0o17",
    "0O17",
    "0o8",
    "0b11",
    "0B11",
    "-0b11",
    "0b2",
    "0b",
    "0x1F",
    "0X1f",
    "-0x1F",
    "+0x1F",
    "0x",
    "0xg",
    "1_000",
    "1__0",
    "_1",
    "1_",
    "0_7",
    "0x_1F",
    "0b_1",
    "1e3",
    "1E3",
    "1e+3",
    "1e-3",
    "+1e3",
    "1.0",
    "1.",
    ".5",
    "+.5",
    "-.5",
    "5.e3",
    ".e3",
    "1.5",
    "0.1",
    "-1.5",
    "1.50",
    "1.2.3",
    "1,000",
    "1e400",
    "9.3e18",
    "-1e19",
    "1_0.0",
    "1e-400",
    "1e18",
    "1e20",
    "1e21",
    "1e22",
    "123456789.0",
    "9007199254740993",
    "9223372036854775807",
    "-9223372036854775808",
    "9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "123456789012345678901234567890",
    "0xFFFFFFFFFFFFFFFF",
    "0x7FFFFFFFFFFFFFFF",
    "0xFFFFFFFFFFFFFFFFF",
    "0b-11",
    "-0b-11",
    "2001-01-01",
    "2001-1-1",
    "2001-12-14t21:59:43.10-05:00",
    "2001-12-14 21:59:43",
    "12:30",
    "190:20:30",
    ".inf",
    "-.inf",
    "+.Inf",
    ".nan",
    ".NaN",
    "inf",
    "nan",
    "Infinity",
    "0.30000000000000004",
    "1e-7",
    "1e-6",
    "0.000001",
    "100000000000000000000.0",
    "1.7976931348623157e308",
    "4.9e-324",
    "=",
    "<<",
    "-",
    "- a",
    "?",
    ":",
    "a:b",
    "a: b",
    "a #b",
    "a#b",
    "#",
    "@a",
    "`a",
    "%a",
    "&a",
    "*a",
    "!a",
    "!!a",
    "|",
    ">",
    "'",
    "\"",
    "[",
    "{",
    "]",
    "}",
    ",",
    "'yes'",
    "\"1\"",
    "'it''s'",
    "\"\\u00e9\"",
    "\"\\x41\"",
    "\"a\\nb\"",
    "\"\\/\"",
    "!!str 1",
    "!!str yes",
    "!!int 1",
    "!!int '1'",
    "!!int 1.5",
    "!!float 1",
    "!!float 1.5",
    "!!bool yes",
    "!!bool 1",
    "!!null ''",
    "!!null x",
    "!!str",
    "!!binary aGVsbG8=",
    "!!binary aGVsbG8",
    "!!timestamp 2001-01-01",
    "!local x",
    "! 1",
    "!<tag:yaml.org,2002:str> 1",
    "[yes, 08, 1e3]",
    "{yes: no}",
    "[a, [b]]",
    "[]",
    "{}",
    "[1,2,]",
    "[a b, c]",
    "{a, b}",
    "{a: }",
    "\"\"",
    "''",
    "",
    "é",
    "日本",
    "\u{a0}x",
    "a\u{2028}b",
    "a\tb",
    "a  b",
    "a\\nb",
    "..",
    "...a",
    "---a",
    "0.",
    "-",
    "--",
    "1-",
    "1+1",
    "0x1.8p1",
    "0x1p-2",
    "1p3",
    "._5",
    ".5_5",
    "1_0.5",
    "1_0e1_0",
    "1e1_0",
    "+",
    "+-1",
    "--1",
    "0-",
    "null ",
    "~ #c",
];

/// Whole documents with layouts that readers differ about.
const DOCUMENTS: &[&str] = &[
    "a: |\n  one\n  two\n",
    "a: |-\n  one\n  two\n\n",
    "a: |+\n  one\n\n\n",
    "a: >\n  one\n  two\n\n  three\n   four\n  five\n",
    "a: >-\n  one\n\n  two\n",
    "a: |2\n    one\n   two\n",
    "a: |\n  one",
    "a: |+\n  one",
    "a: \"one\n  two\n\n  three\"\n",
    "a: 'one\n  two'\n",
    "a: one\n  two\n  three\n",
    "a: one # comment\n",
    "a: &x 1\nb: *x\n",
    "a: &x {b: 1, c: 2}\nd: {<<: *x, c: 3}\n",
    "a: &x {b: 1, c: 2}\nd: {c: 3, <<: *x}\n",
    "a: &x {b: 1}\ny: &y {b: 2, c: 2}\nd: {<<: [*x, *y]}\n",
    "a: &x [1, 2]\nd: {<<: *x}\n",
    "a: {\"<<\": {b: 1}}\n",
    "a: {<<: {b: 1}, <<: {c: 1}}\n",
    "a: &x {b: &y 1}\nc: [*x, *y]\n",
    "a: 1\na: 2\n",
    "1: a\n\"1\": b\n",
    "yes: a\ntrue: b\n",
    "? a\n: b\n",
    "? [a]\n: b\n",
    "a: [1,\n2,\n 3]\n",
    "a: {b: 1,\n c: 2}\n",
    "a:\n- 1\n- 2\n",
    "a:\n  - b: 1\n    c: 2\n  -   - 3\n",
    "a:\n\tb: 1\n",
    "a: b: c\n",
    "a:\n  b\n  : c\n",
    "\"a\\tb\": 'c'\n",
    "a: \"\\ud83d\\ude00\"\n",
    "a: \"\\U0001F600\"\n",
    "a: \"\\e\\0\\_\\N\\L\\P\"\n",
    "a: \"line one \\\n   line two\"\n",
    "a: 'tab\there'\n",
    "-: a\n",
    "a: - b\n",
    "a: |\n  x: y\n  # no comment\n",
    "a: # comment\n  b\n",
    "a: 'b' c\n",
    "1.5: a\n",
    "~: a\n",
    "2001-01-01: a\n",
    "0x10: a\n",
    "a: !!set {b, c}\n",
    "a: !!omap [b: 1]\n",
    "a: !!map {b: 1}\n",
    "a: !!seq [1]\n",
    "a: !x {b: 1}\n",
];

/// Files with several documents, and files that are no YAML.
const FILES: &[&str] = &[
    "---\n{m}",
    "{m}---\n{m}",
    "{m}--- # comment\n{m}",
    "{m}---\n---\n{m}",
    "{m}...\n",
    "{m}...\n---\n{m}",
    "{m}...\n{m}",
    "# comment\n{m}",
    "%YAML 1.1\n---\n{m}",
    "{m}--- {a: b}\n",
    "{m}----\n",
    "\u{feff}{m}",
    "{\"apiVersion\": \"v1\", \"kind\": \"ConfigMap\", \"metadata\": {\"name\": \"oracle\"}, \"data\": {\"a\": 1.0, \"b\": 1e3, \"c\": 9007199254740993}}",
    "{\"apiVersion\": \"v1\", \"kind\": \"ConfigMap\", \"metadata\": {\"name\": \"oracle\"}}\n{\"apiVersion\": \"v1\", \"kind\": \"ConfigMap\", \"metadata\": {\"name\": \"oracle\"}}\n",
    "{\"apiVersion\": \"v1\", \"kind\": \"ConfigMap\", \"metadata\": {\"name\": \"oracle\"}, \"data\": {\"a\": \"\\ud83d\\ude00\"}}",
    "{apiVersion: v1, kind: ConfigMap, metadata: {name: oracle}}",
    "[]\n",
    "text\n",
    "",
    "null\n",
];

#[test]
fn b6_every_word_and_layout_is_read_as_kubectl_reads_it_or_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut cases: Vec<String> = Vec::new();
    for word in WORDS {
        cases.push(around(&format!("a: {word}")));
        cases.push(around(&format!("{word}: a")));
        cases.push(around(&format!("a: [{word}]")));
        cases.push(around(&format!("- {word}")));
    }
    cases.extend(DOCUMENTS.iter().map(|text| around(text)));
    // The same at the top, where an end of the file can be an end of a scalar.
    cases.extend(DOCUMENTS.iter().map(|text| format!("{MANIFEST}{text}")));
    cases.extend(FILES.iter().map(|file| file.replace("{m}", MANIFEST)));
    for (index, text) in cases.iter().enumerate() {
        // Each case has names of its own, by which kubectl's objects are found again.
        let text = text.replace("oracle", &format!("oracle-{index}"));
        std::fs::write(folder.path().join(format!("{index}.yaml")), text).unwrap();
    }
    let theirs = kubectl(folder.path());
    assert!(theirs.len() > 500, "kubectl reads {}", theirs.len());
    let (mut equal, mut differing) = (0, Vec::new());
    for (index, text) in cases.iter().enumerate() {
        let Some(ours) = ours(&folder.path().join(format!("{index}.yaml"))) else { continue };
        let count = theirs.get(&format!("oracle-{index}")).map_or(0, Vec::len);
        match difference(&ours, &theirs) {
            Some(why) => differing.push(format!("{text:?}\n{why}")),
            // Fewer or more objects than kubectl reads of the same file.
            None if count != 0 && count != ours.len() => {
                differing.push(format!("{text:?}\n{} and {count}", ours.len()));
            }
            None => equal += usize::from(count > 0),
        }
    }
    assert!(
        differing.is_empty(),
        "{} of {} differ:\n{}",
        differing.len(),
        cases.len(),
        differing.join("\n\n")
    );
    // Refusing everything would pass too: most of these are ordinary YAML.
    assert!(equal * 10 > cases.len() * 6, "only {equal} of {} were read", cases.len());
}

const MANIFEST: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: oracle}\n";

/// What every ordinary manifest may use is not refused.
#[test]
fn b6_the_examples_are_read_as_kubectl_reads_them() {
    compare_all(&crate::repo::examples().join("plain"), 10);
}

/// A real tree with long CRDs, where one is given.
#[test]
fn b6_a_real_tree_is_read_as_kubectl_reads_it() {
    if let Some(folder) = crate::corpus::real_tree() {
        compare_all(&folder.path().join("manifests"), 50);
    }
}

fn compare_all(folder: &Path, least: usize) {
    let theirs = kubectl(folder);
    let mut count = 0;
    for file in yaml_files(folder) {
        let ours = ours(&file).unwrap_or_else(|| panic!("{} is refused", file.display()));
        assert_eq!(difference(&ours, &theirs), None, "{}", file.display());
        count += ours.len();
    }
    assert!(count >= least, "only {count} objects");
    assert_eq!(count, theirs.values().map(Vec::len).sum::<usize>());
}

fn yaml_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(yaml_files(&path));
        } else if path.extension().is_some_and(|end| end == "yaml") {
            found.push(path);
        }
    }
    found.sort();
    found
}
