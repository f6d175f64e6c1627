//! What is written is what is read back.

use publisher::manifests::yaml::{self, YamlLimits};
use serde_json::{Value, json};

use super::{document, documents};

/// Holds it against the reading of manifests, which is kubectl's.
fn check(value: &Value) {
    let text = document(value);
    let back = yaml::read(text.as_bytes(), YamlLimits::default());
    let back = back.unwrap_or_else(|error| panic!("{error}\n{text}"));
    assert_eq!(back.len(), 1, "{text}");
    assert_eq!(back[0].value, *value, "{text}");
}

#[test]
fn strings_that_look_like_something_else_stay_strings() {
    for text in [
        "yes",
        "No",
        "on",
        "null",
        "~",
        "",
        "0644",
        "0o17",
        "1e3",
        "1_000",
        "12:30",
        "1.0",
        "-1",
        ".5",
        "a: b",
        "a #b",
        "- a",
        "# a",
        "2024-01-01",
        "=",
        "<<",
        "*a",
        "&a",
        "!a",
        "%a",
        "@a",
        "`a",
        "a:",
        " a",
        "a ",
        "{a",
        "[a",
        "'",
        "\"",
        "|",
        ">",
        "?",
        "? a",
        "y",
        "nan",
        ".nan",
        "C:\\x",
        "sha256:ab",
        "registry.example.com/a:1",
    ] {
        check(&json!({ "k": text, "list": [text], text: 1 }));
    }
}

#[test]
fn texts_of_several_lines_are_blocks_that_read_back_the_same() {
    for text in [
        "a\nb\n",
        "a\nb",
        "a\n\n  b\n",
        "a\n\n",
        "\na",
        " a\nb",
        "a \nb\n",
        "a\tb\nc",
        "a\r\nb\n",
        "#a\n---\nb",
    ] {
        check(&json!({ "k": text, "deep": { "list": [text, { "k": text }] } }));
        check(&json!([text]));
        check(&json!(text));
    }
    assert_eq!(document(&json!({ "k": "a\nb\n" })), "k: |\n  a\n  b\n");
}

#[test]
fn shapes_are_those_of_kubectl() {
    let value =
        json!({ "a": [{ "b": 1, "c": [] }, [1, 2]], "d": {}, "e": { "f": null, "g": 1.5, "h": true } });
    check(&value);
    let wanted = "a:\n- b: 1\n  c: []\n- - 1\n  - 2\nd: {}\ne:\n  f: null\n  g: 1.5\n  h: true\n";
    assert_eq!(document(&value), wanted);
    assert_eq!(documents([&json!({ "a": 1 }), &json!({ "b": 2 })]), "a: 1\n---\nb: 2\n");
}

#[test]
fn j3_no_active_character_is_written() {
    let value =
        json!({ "a\u{1b}[2J": "x\u{202e}y\u{7f}\u{9b}\u{e0041}", "b": "l\u{1b}\nm\n", "c": "\u{2028}" });
    assert!(document(&value).chars().all(|c| c == '\n' || !crate::clean::is_active(c)));
    check(&value);
}
