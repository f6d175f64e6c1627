use super::{canonical, document, parse};

fn check(text: &str, expected: &str) {
    let value = parse(text.as_bytes(), 64).expect(text);
    assert_eq!(String::from_utf8(canonical(&value)).expect("UTF-8"), expected);
}

#[test]
fn one_value_has_one_canonical_form() {
    check(r#"{ "b": 1, "a": [true, null, "x"] }"#, r#"{"a":[true,null,"x"],"b":1}"#);
    check(r#"{"é":1,"z":2,"a":3}"#, r#"{"a":3,"z":2,"é":1}"#);
    check("[1.0, 1e3, -0.0, 0.5, 1e300]", "[1,1000,0,0.5,1e+300]");
    check("[18446744073709551615, -9223372036854775808]", "[18446744073709551615,-9223372036854775808]");
    check(r#""\u0041\n\u001f\/\ud83d\ude00""#, "\"A\\n\\u001f/😀\"");
}

#[test]
fn a12_a_duplicate_key_is_refused() {
    for text in [r#"{"a":1,"a":1}"#, r#"{"x":{"a":1,"\u0061":2}}"#] {
        let error = parse(text.as_bytes(), 64).expect_err(text);
        assert!(error.to_string().contains("duplicate key `a`"), "{error}");
    }
}

#[test]
fn b7_depth_surrogates_and_huge_numbers_are_refused() {
    let deep = format!("{}1{}", "[".repeat(65), "]".repeat(65));
    assert!(parse(deep.as_bytes(), 64).is_err());
    assert!(parse(&vec![b'['; 1_000_000], 64).is_err());
    let fits = format!("{}1{}", "[".repeat(64), "]".repeat(64));
    assert!(parse(fits.as_bytes(), 64).is_ok());
    for text in [r#""\ud800""#, "1e999", "NaN", "01", "[1,]", "{} {}", "", "\u{feff}{}"] {
        assert!(parse(text.as_bytes(), 64).is_err(), "{text}");
    }
}

#[test]
fn what_must_be_understood_and_is_not_is_refused() {
    let unknown: Result<std::collections::BTreeMap<String, serde_json::Value>, _> =
        document(br#"{"must_understand":["encryption"]}"#);
    assert!(unknown.expect_err("must refuse").to_string().contains("`encryption`"));
    let fine: Result<std::collections::BTreeMap<String, serde_json::Value>, _> =
        document(br#"{"must_understand":[],"later":1}"#);
    assert!(fine.is_ok());
}
