//! Our reading of YAML against kubectl's own: equal, or refused - never read otherwise (FAULTS B6).

mod cases;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use publisher::manifests::yaml::{self, YamlLimits};
use serde_json::{Map, Value};
use testbed::{Tool, tool};

use cases::{DOCUMENTS, FILES, MANIFEST, WORDS};

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
