//! No answer of an API server makes its reader panic, and a value that it quotes is not repeated.
#![no_main]

use agent::kubernetes::{conflict, list, scrub};
use cdn::ObjectId;
use kube::core::Status;
use serde_json::{Value, json};

const CANARY: &str = "hunter2-canary";

fn refusal(message: &str) -> Option<Status> {
    let cause = json!({ "reason": "FieldManagerConflict", "field": ".spec", "message": message });
    let status = json!({ "code": 422, "message": message, "details": { "causes": [cause] } });
    serde_json::from_value(status).ok()
}

fn words(kind: &str, message: &str) -> String {
    let id = ObjectId { group: String::new(), kind: kind.to_owned(), namespace: None, name: "x".to_owned() };
    let Some(status) = refusal(message) else { return String::new() };
    conflict::contenders(&status);
    scrub::words(&id, &status)
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    drop(list::read_page(bytes, |_| ()));
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    assert!(!words("ConfigMap", text).contains(char::is_control));
    let quoted = Value::String(format!("{CANARY}{text}{CANARY}"));
    let message = format!("Invalid value: {quoted}: must be short");
    assert!(!words("ConfigMap", &message).contains(CANARY));
    assert!(!words("Secret", &message).contains(CANARY));
});
