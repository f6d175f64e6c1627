//! The reader's own rules; that they are kubectl's is held by the oracle in `tests/it`.

use serde_json::{Value, json};

use super::{YamlLimits, read};

fn one(text: &str) -> Value {
    let mut documents =
        read(text.as_bytes(), YamlLimits::default()).unwrap_or_else(|why| panic!("{text}: {why}"));
    assert_eq!(documents.len(), 1, "{text}");
    documents.remove(0).value
}

fn why(text: &str) -> String {
    match read(text.as_bytes(), YamlLimits::default()) {
        Err(refused) => refused.to_string(),
        Ok(documents) => panic!("{text} was read as {documents:?}"),
    }
}

#[test]
fn words_are_typed_as_yaml_1_1_by_go() {
    for (word, value) in [
        ("yes", json!(true)),
        ("NO", json!(false)),
        ("on", json!(true)),
        ("y", json!(true)),
        ("nO", json!("nO")),
        ("0644", json!(420)),
        ("0o644", json!(420)),
        ("08", json!(8)),
        ("1e3", json!(1000)),
        ("1.0", json!(1)),
        ("1_000", json!(1000)),
        ("0b11", json!(3)),
        ("0x1F", json!(31)),
        ("1.5", json!(1.5)),
        ("1e18", json!(1_000_000_000_000_000_000_i64)),
        ("1e999", json!("1e999")),
        ("2001-01-01", json!("2001-01-01")),
        ("12:30:45", json!("12:30:45")),
        ("1.2.3", json!("1.2.3")),
        ("~", Value::Null),
        ("!!str 12", json!("12")),
        ("!!binary aGVsbG8=", json!("hello")),
        ("'yes'", json!("yes")),
    ] {
        assert_eq!(one(&format!("a: {word}\n")), json!({"a": value}), "{word}");
    }
}

#[test]
fn b6_what_kubectl_would_read_otherwise_is_refused_with_its_line() {
    for (text, said) in [
        ("a: 1\nb: 2\na: 3\n", "line 3: the key `a` is there twice"),
        ("a: 18446744073709551615\n", "line 1: at `a`: a number of more digits"),
        ("a: 123456789012345678901234567890\n", "of more digits"),
        ("a: {b: [x, {c: 1, d: 18446744073709551615}]}\n", "line 1: at `a.b[1].d`: a number"),
        ("a: .inf\n", "a number that JSON does not have"),
        ("1.10: a\n", "line 1: a key that kubectl would write otherwise"),
        ("? [a]\n: b\n", "JSON has only text"),
        ("a: 1\n--- b\n", "line 2: something follows `---`"),
        ("%YAML 1.2\n---\na: 1\n", "remove the YAML directive"),
        ("a: 1\n...\nb: 2\n", "line 3: something follows `...`"),
        ("a: !secret b\n", "at `a`: a tag that means nothing"),
        ("a: &x [*x]\n", "it would never end"),
        ("a: *x\n", "line 1"),
        ("a:\n\t- b\n", "line 2"),
        ("a: 'b\n", "line"),
    ] {
        assert!(why(text).contains(said), "{text:?} is refused by {:?}", why(text));
    }
}

/// What is refused is told to the log, the api and its pages.
#[test]
fn d6_no_refusal_says_a_value() {
    for value in [
        "31415926535897932384",
        "!31415926 x",
        "!!int 31415926x",
        "!!binary 31415926=",
        "*31415926",
        ".3_1415926",
        "[31415926, 31415926535897932384]",
        "{31415926: 1, 31415926.5: 1}",
        "{? [31415926] : 1}",
        "'31415926",
        "\"31415926\\q\"",
    ] {
        let text = format!("kind: Secret\nstringData:\n  token: {value}\n");
        let refused = why(&text);
        assert!(refused.starts_with("line 3") || refused.starts_with("line 4"), "{value}: {refused}");
        assert!(!refused.contains("31415926"), "{value}: {refused}");
    }
    let refused = why(r#"{"kind": "Secret", "data": {"token": 14159265358979323846}}"#);
    assert!(refused.starts_with("line 1") && !refused.contains("14159265"), "{refused}");
}

#[test]
fn documents_are_split_at_lines_of_three_dashes() {
    let text = "# nothing\n---\na: 1\n--- # next\n---\nb: \"---\"\nc: |\n  ---\n";
    let documents = read(text.as_bytes(), YamlLimits::default()).expect("read");
    let lines: Vec<_> = documents.iter().map(|document| document.line).collect();
    assert_eq!(lines, [3, 6]);
    assert_eq!(documents[1].value, json!({"b": "---", "c": "---\n"}));
}

#[test]
fn json_is_read_as_json_one_object_after_the_other() {
    let documents =
        read(br#"{"a": 1.0} {"b": "\ud83d\ude00", "c": 1e2}"#, YamlLimits::default()).expect("read");
    let values: Vec<_> = documents.into_iter().map(|document| document.value).collect();
    assert_eq!(values, [json!({"a": 1}), json!({"b": "😀", "c": 100})]);
    assert_eq!(one("{a: b}"), json!({"a": "b"}));
    assert!(why(r#"{"a": 1, "a": 2}"#).contains("twice"));
}

#[test]
fn a_merge_overwrites_what_stands_before_it_as_go_yaml_2_does() {
    let text = "x: &x {a: 1, b: 1}\ny: &y {b: 2, c: 2}\nz:\n  a: 0\n  <<: [*x, *y]\n  c: 3\n";
    assert_eq!(one(text)["z"], json!({"a": 1, "b": 1, "c": 3}));
}

#[test]
fn b6_bombs_cost_little() {
    let level = |level: usize| {
        let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
        format!("a{level}: &a{level} [{aliases}]")
    };
    let levels: Vec<String> = (1..30).map(level).collect();
    let bomb = format!("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n{}\n", levels.join("\n"));
    assert!(why(&bomb).contains("too large once its aliases are written out"));
    // Each one is within the bounds; all of them are not.
    let small = format!("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n{}\n", levels[..4].join("\n"));
    assert!(one(&small).is_object());
    assert!(why(&format!("{small}---\n").repeat(200)).contains("too large once its aliases are written out"));
    assert!(why(&"[".repeat(100_000)).contains("line 1"));
    assert!(why(&format!("a: {}1{}", "{b: ".repeat(200), "}".repeat(200))).contains("line 1"));
    let deep = (0..200).map(|level| format!("{}a:", " ".repeat(level))).collect::<Vec<_>>().join("\n");
    assert!(why(&deep).contains("line"));
}
