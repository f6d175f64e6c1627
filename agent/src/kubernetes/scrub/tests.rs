use super::*;

const CANARY: &str = "hunter2-canary";

fn id(kind: &str) -> ObjectId {
    ObjectId { group: String::new(), kind: kind.into(), namespace: Some("a".into()), name: "x".into() }
}

fn status(message: &str, causes: &[(&str, &str, &str)]) -> Status {
    let causes: Vec<_> = causes
        .iter()
        .map(|(reason, field, message)| serde_json::json!({"reason": reason, "field": field, "message": message}))
        .collect();
    let status = serde_json::json!({"code": 422, "reason": "Invalid", "message": message, "details": {"causes": causes}});
    serde_json::from_value(status).unwrap()
}

#[test]
fn e1_a_value_is_left_out_and_what_is_wrong_with_it_stays() {
    let cases = [
        (r#"Invalid value: "hunter2-canary": must be short"#, "Invalid value: ...: must be short"),
        (
            r#"Invalid value: "a \"hunter2-canary\" b": field is immutable"#,
            "Invalid value: ...: field is immutable",
        ),
        (r#"Invalid value: v1.Env{Name:"A", Value:"hunter2-canary: x"}: bad"#, "Invalid value: ...: bad"),
        (
            r#"Invalid value: ["hunter2-canary"]: may not change once set"#,
            "Invalid value: ...: may not change once set",
        ),
        (
            "Invalid value: -1: must be greater than or equal to 0",
            "Invalid value: ...: must be greater than or equal to 0",
        ),
        (
            r#"Unsupported value: "hunter2-canary": supported values: "A""#,
            r#"Unsupported value: ...: supported values: "A""#,
        ),
        (r#"Duplicate value: {"name":"hunter2-canary"}"#, "Duplicate value: ..."),
        (
            "expected string, got &value.valueUnstructured{Value:hunter2-canary}",
            "expected string, got &value.valueUnstructured...",
        ),
        (r#"bad JSON, error found in #10 byte of ...|"p":"hunter2-canary"|..."#, "bad JSON,"),
    ];
    for (given, wanted) in cases {
        let said = words(&id("Pod"), &status("", &[("FieldValueInvalid", "spec.x", given)]));
        assert_eq!(said, format!("spec.x: {wanted}"));
        assert!(!said.contains(CANARY), "{said}");
    }
}

#[test]
fn e1_of_a_secret_only_fields_are_named() {
    let whole = status(
        "Secret \"x\" is invalid: data[a]: hunter2-canary",
        &[("FieldValueInvalid", "data[a]", "hunter2-canary")],
    );
    assert_eq!(words(&id("Secret"), &whole), "data[a]: FieldValueInvalid");
    assert_eq!(words(&id("Secret"), &status("hunter2-canary", &[])), "Invalid");
    let denied = r#"secrets "x" is forbidden: User "u" cannot patch resource "secrets" in API group """#;
    assert_eq!(words(&id("Secret"), &status(denied, &[])), denied);
}

#[test]
fn words_are_one_line_and_not_long() {
    let said = words(&id("Pod"), &status(&"a\nb ".repeat(500), &[]));
    assert!(!said.contains('\n') && said.chars().count() <= LONGEST + 3, "{said}");
    assert_eq!(words(&id("Pod"), &Status { code: 418, ..Status::default() }), "status 418");
}

/// The corpus of the fuzz target: whatever stands in a quoted value, and wherever a message ends, nothing of it is said.
#[test]
fn e1_b12_no_value_makes_the_reader_panic_or_is_repeated() {
    for value in
        ["", "\"", "\\", "a: b", "]})", "({[", "error found in #", "Invalid value: \"x\": y", "\u{e9}\u{1b}"]
    {
        let quoted = serde_json::Value::String(format!("{CANARY}{value}{CANARY}"));
        let message = format!("Invalid value: {quoted}: must be short");
        for end in (0..=message.len()).filter(|end| message.is_char_boundary(*end)) {
            for kind in ["ConfigMap", "Secret"] {
                let said = words(&id(kind), &status(&message[..end], &[("Invalid", "f", &message[..end])]));
                assert!(!said.contains(CANARY), "{said}");
                assert!(!said.contains(char::is_control), "{said}");
            }
        }
    }
}
