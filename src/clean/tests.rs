//! What reaches a terminal.

use super::{json, line, lines};

#[test]
fn j3_escape_sequences_and_bidi_characters_do_not_reach_a_terminal() {
    assert_eq!(line("web\u{1b}[2J\u{7}\u{9b}31m"), "web[2J31m");
    assert_eq!(line("gpj.\u{202e}exe\u{2069}\u{200f}"), "gpj.exe");
    assert_eq!(line("two\nlines\tand a tab"), "two lines and a tab");
    assert_eq!(lines("one\r\ntwo\u{1b}c"), "one \ntwoc");
    assert_eq!(line("Überseehafen 港"), "Überseehafen 港", "letters of every script stay");
}

#[test]
fn j3_json_keeps_its_value_and_shows_no_active_character() {
    let value = serde_json::json!({ "name": "a\u{1b}\u{7f}\u{9b}\u{202e}\u{e0041}b\nc" });
    let text = json(&serde_json::to_string_pretty(&value).expect("a value is JSON"));
    assert!(text.chars().all(|c| c == '\n' || !super::is_active(c)), "{text:?}");
    assert_eq!(serde_json::from_str::<serde_json::Value>(&text).expect("still JSON"), value);
}
