//! One sample of every document: what was once written must parse for ever. Formats are `v0`, so a change here is still
//! allowed, and always deliberate: nothing writes the samples but a person.

use cdn::document::{self, Desired, Document, Head, Release, Report, Root, Routes, Set, Values};
use cdn::{Digest, json};
use serde_json::Value;

fn check<T: Document>(name: &str, text: &str) {
    let bytes = text.trim_end().as_bytes();
    let parsed: T = document::read(bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
    let again = json::canonical_of(&parsed);
    let sample: Value = serde_json::from_slice(bytes).unwrap();
    assert_eq!(
        String::from_utf8(again).unwrap(),
        String::from_utf8(json::canonical(&sample)).unwrap(),
        "{name}"
    );
    // A field of a later version is ignored; one that must be understood is not.
    let mut later = sample;
    later["of_a_later_version"] = Value::Bool(true);
    document::read::<T>(&json::canonical(&later)).unwrap();
    later["must_understand"] = serde_json::json!(["of_a_later_version"]);
    let refused = document::read::<T>(&json::canonical(&later)).err().map(|error| error.to_string());
    assert!(refused.is_some_and(|why| why.contains("`of_a_later_version`")), "{name}");
}

#[test]
fn k1_every_sample_parses_and_says_the_same_when_written_again() {
    check::<Root>("root", include_str!("samples/root.v0.json"));
    check::<Release>("release", include_str!("samples/release.v0.json"));
    check::<Head>("head", include_str!("samples/head.v0.json"));
    check::<Routes>("routes", include_str!("samples/routes.v0.json"));
    check::<Set>("set", include_str!("samples/set.v0.json"));
    check::<Values>("values", include_str!("samples/values.v0.json"));
    check::<Desired>("desired", include_str!("samples/desired.v0.json"));
    check::<Report>("report", include_str!("samples/report.v0.json"));
}

#[test]
fn the_samples_digests_are_what_they_were() {
    let set = include_str!("samples/set.v0.json").trim_end();
    let set: Set = document::read(set.as_bytes()).unwrap();
    assert_eq!(Digest::of(&set.to_bytes()).short(), "70f1d2b7c774");
}
