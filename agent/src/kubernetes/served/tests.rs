use super::evidence::{Definition, Document, Registration};
use super::judge::{Evidence, judge};
use super::*;
use crate::kubernetes::api::Answer;
use crate::kubernetes::trouble::Trouble;

fn kind(version: &str) -> KindRef {
    KindRef { group: "shop.dev".into(), version: version.into(), kind: "Cart".into() }
}

fn document(version: &str, kinds: &[&str]) -> Document {
    let resource = |name: &&str| Resource {
        kind: KindRef { group: "shop.dev".into(), version: version.into(), kind: (*name).to_owned() },
        plural: format!("{}s", name.to_lowercase()),
        namespaced: true,
        lists: true,
    };
    Document::Served(kinds.iter().map(resource).collect())
}

fn registration(version: &str, elsewhere: bool, available: bool) -> Registration {
    let elsewhere = elsewhere.then(|| "ops/api".to_owned());
    Registration { group: "shop.dev".into(), version: version.into(), elsewhere, available }
}

fn yes(version: &str) -> Served {
    Served::Yes { namespaced: true, version: version.into() }
}

/// The judgement over `Cart (shop.dev/v1)`.
fn check(
    documents: &[(&str, Document)],
    registrations: &[Registration],
    definitions: Result<&[Definition], &str>,
) -> Served {
    let key = |version: &str| ("shop.dev".to_owned(), version.to_owned());
    let documents = documents.iter().map(|(version, one)| (key(version), one.clone())).collect();
    judge(&kind("v1"), &Evidence { documents: &documents, registrations: Ok(registrations), definitions })
}

fn is_unknown(served: &Served) -> bool {
    matches!(served, Served::Unknown(why) if !why.is_empty())
}

#[test]
fn a_kind_that_its_version_lists_is_served() {
    assert_eq!(check(&[("v1", document("v1", &["Cart"]))], &[], Ok(&[])), yes("v1"));
}

#[test]
fn a_kind_that_nobody_lists_registers_or_defines_is_absent() {
    assert_eq!(check(&[("v1", Document::NotFound)], &[], Ok(&[])), Served::Absent);
    let listed = [("v1", document("v1", &["Order"]))];
    assert_eq!(check(&listed, &[registration("v1", false, true)], Ok(&[])), Served::Absent);
}

#[test]
fn f1_a_404_of_a_registered_version_is_unknown() {
    for (elsewhere, available) in [(true, false), (true, true), (false, true)] {
        let served =
            check(&[("v1", Document::NotFound)], &[registration("v1", elsewhere, available)], Ok(&[]));
        assert!(is_unknown(&served), "{elsewhere} {available}: {served:?}");
    }
}

#[test]
fn f1_an_unavailable_version_of_the_group_leaves_the_others_unknown() {
    let documents = [("v1", document("v1", &["Order"]))];
    let registrations = [registration("v1", false, true), registration("v2", true, false)];
    assert!(is_unknown(&check(&documents, &registrations, Ok(&[]))));
}

#[test]
fn f1_a_503_is_unknown_and_names_the_api_service() {
    let documents = [("v1", Document::Unclear("503".into()))];
    let Served::Unknown(why) = check(&documents, &[registration("v1", true, false)], Ok(&[])) else {
        panic!()
    };
    assert!(why.contains("v1.shop.dev") && why.contains("ops/api"), "{why}");
}

#[test]
fn f3_a_kind_that_is_defined_and_not_served_yet_is_unknown() {
    let definition = Definition { group: "shop.dev".into(), kind: "Cart".into() };
    let other = Definition { group: "shop.dev".into(), kind: "Order".into() };
    assert!(is_unknown(&check(&[("v1", Document::NotFound)], &[], Ok(&[definition]))));
    assert_eq!(check(&[("v1", Document::NotFound)], &[], Ok(&[other])), Served::Absent);
}

#[test]
fn f26_another_served_version_of_the_kind_will_do() {
    let documents = [
        ("v1", Document::NotFound),
        ("v1beta1", document("v1beta1", &["Cart"])),
        ("v2", document("v2", &["Cart"])),
        ("v3alpha1", document("v3alpha1", &["Cart"])),
    ];
    let registrations = ["v1beta1", "v2", "v3alpha1"].map(|version| registration(version, false, true));
    assert_eq!(check(&documents, &registrations, Ok(&[])), yes("v2"));
}

#[test]
fn without_the_right_to_look_nothing_is_absent() {
    assert!(is_unknown(&check(&[("v1", Document::NotFound)], &[], Err("403"))));
    let documents = BTreeMap::new();
    let evidence = Evidence { documents: &documents, registrations: Err("403"), definitions: Ok(&[]) };
    assert!(is_unknown(&judge(&kind("v1"), &evidence)));
}

#[test]
fn f2_an_empty_or_strange_discovery_document_is_unclear() {
    let read = |body: &str| {
        let answer = Answer { status: http::StatusCode::OK, body: body.as_bytes().to_vec() };
        Document::read("shop.dev", "v1", Ok(answer))
    };
    let strange = [
        "",
        "{}",
        "<html>",
        r#"{"kind":"APIResourceList","groupVersion":"shop.dev/v1","resources":[]}"#,
        r#"{"kind":"APIResourceList","groupVersion":"shop.dev/v2","resources":[{"name":"carts","kind":"Cart","namespaced":true}]}"#,
        r#"{"kind":"Status","groupVersion":"shop.dev/v1","resources":[{"name":"carts","kind":"Cart","namespaced":true}]}"#,
    ];
    for body in strange {
        assert!(matches!(read(body), Document::Unclear(_)), "{body}");
    }
    let good = r#"{"kind":"APIResourceList","groupVersion":"shop.dev/v1","resources":[
        {"name":"carts","kind":"Cart","namespaced":true,"verbs":["get","list"]},
        {"name":"carts/status","kind":"Cart","namespaced":true,"verbs":[]}]}"#;
    assert_eq!(read(good), document("v1", &["Cart"]));
    let refused = |code| {
        let trouble = Trouble::refused(http::StatusCode::from_u16(code).unwrap(), b"");
        Document::read("shop.dev", "v1", Err(trouble))
    };
    assert_eq!(refused(404), Document::NotFound);
    assert!(matches!(refused(503), Document::Unclear(_)));
}
