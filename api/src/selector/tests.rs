//! Selectors as people type them.

use std::collections::BTreeMap;

use super::Selector;

fn labels(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn check(text: &str, matches: bool) {
    let here = labels(&[("env", "prod"), ("region", "north"), ("example.com/tier", "1")]);
    let selector: Selector = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
    assert_eq!(selector.matches(&here), matches, "{text}");
}

#[test]
fn every_form_that_kubectl_reads_is_read() {
    for (text, matches) in [
        ("", true),
        ("env=prod", true),
        ("env==prod", true),
        ("env!=prod", false),
        ("site!=x", true),
        ("env in (prod,staging),region notin (south)", true),
        ("env in (staging)", false),
        ("example.com/tier", true),
        ("!canary , env", true),
        ("!env", false),
        ("env=", false),
    ] {
        check(text, matches);
    }
}

#[test]
fn j5_what_is_not_a_selector_is_refused() {
    let long = "a".repeat(5000);
    let many = (0..40).map(|n| format!("k{n}")).collect::<Vec<_>>().join(",");
    for text in [
        "env in prod",
        "env ~ x",
        "a b c",
        "env=' or 1=1 --",
        "k\0=1",
        "/x=1",
        "x/=1",
        "env in ()x",
        "env=prod,,",
        ",env=prod",
        ",",
        &long,
        &many,
    ] {
        assert!(text.parse::<Selector>().is_err(), "{text}");
    }
}

/// The corpus of the fuzz target: every form above, cut anywhere, with anything in it.
#[test]
fn j5_b12_no_text_makes_the_reader_panic() {
    let forms =
        ["env in (prod,staging),region notin (south)", "a!=b,!c , d==e", "(,),=!in notin", "é in (\u{202e})"];
    for (form, other) in forms.iter().flat_map(|form| forms.map(|other| (form, other))) {
        for end in (0..=form.len()).filter(|end| form.is_char_boundary(*end)) {
            if let Ok(selector) = format!("{}{other}", &form[..end]).parse::<Selector>() {
                assert!(
                    selector.check().is_ok() && selector.terms().count() <= super::MAX_TERMS,
                    "{form} {other}"
                );
            }
        }
    }
}
