//! What is read, and what is refused with which words.

use super::{Document, MAX_FILES, Spec, parse, read};
use crate::apply::order::ordered;

const HARBOUR: &str = include_str!("../../../deploy/examples/harbour/fleet.yaml");

fn refusal(text: &str) -> String {
    parse("fleet.yaml", text).expect_err("it should be refused").to_string()
}

fn service(spec: &str) -> String {
    format!(
        "apiVersion: windlass.dev/v1alpha1\nkind: ServiceDeployment\nmetadata: {{name: web}}\nspec: {spec}\n"
    )
}

#[test]
fn the_example_is_read_whole_and_each_service_comes_after_those_it_depends_on() {
    let documents = ordered(parse("fleet.yaml", HARBOUR).expect("the example is right"));
    let at = |id: &str| documents.iter().position(|document| document.id == id).expect("it is there");
    assert_eq!(documents.len(), HARBOUR.matches("\nkind: ").count());
    assert_eq!(at("source/default/harbour"), 0);
    assert_eq!((at("cluster/site-1"), at("cluster/site-3")), (1, 3));
    assert!(at("service/default/platform") < at("service/default/cache"));
    assert!(at("service/default/cache") < at("service/default/api"));
    assert!(at("service/default/web") < at("service/default/edge-production"));
}

#[test]
fn an_unknown_field_is_refused_with_its_path_and_the_word_that_was_meant() {
    let told =
        refusal(&service("{source: h, namespace: ns, clusters: [a], renderer: {helm: {valueFile: [a]}}}"));
    assert!(told.contains("fleet.yaml:1 (ServiceDeployment web)"), "{told}");
    assert!(told.contains("spec.renderer.helm"), "{told}");
    assert!(told.contains("did you mean `valueFiles`?"), "{told}");
    let told = refusal(&service("{source: h, namespace: ns, cluster: [a]}"));
    assert!(told.contains("did you mean `clusters`?"), "{told}");
    let told = refusal("apiVersion: windlass.dev/v1alpha1\nkind: GlobalServices\nmetadata: {name: a}\n");
    assert!(told.contains("did you mean `GlobalService`?"), "{told}");
    let told = refusal("apiVersion: windlass.dev/v1\nkind: Source\nmetadata: {name: a}\n");
    assert!(told.contains("apiVersion: `windlass.dev/v1` is not"), "{told}");
}

#[test]
fn what_no_schema_says_is_refused_too() {
    let cases = [
        (service("{source: h, namespace: ns, selector: {matchLabels: {a: b}}}"), "spec.selector"),
        (service("{namespace: ns, clusters: [a]}"), "missing field `source`"),
        (
            "apiVersion: windlass.dev/v1alpha1\nkind: Source\nmetadata: {name: Web}\nspec: {git: {url: u}}"
                .to_owned(),
            "DNS label",
        ),
        ("a: 1\na: 2\n".to_owned(), "cannot be read"),
        ("a: [\n".to_owned(), "cannot be read"),
        (
            service("{source: h, namespace: ns, clusters: [a]}")
                .replace("name: web", "name: web, labels: {a: b}"),
            "only a Cluster has labels",
        ),
    ];
    for (text, wanted) in cases {
        let told = refusal(&text);
        assert!(told.contains(wanted), "{wanted} is not in: {told}");
    }
}

#[test]
fn services_that_wait_for_each_other_are_kept_for_the_api_to_refuse() {
    let two = ["a", "b"].map(|name| {
        let other = if name == "a" { "b" } else { "a" };
        let spec = format!("{{source: h, namespace: ns, clusters: [x], dependsOn: [{other}]}}");
        service(&spec).replace("name: web", &format!("name: {name}"))
    });
    let documents: Vec<Document> = ordered(parse("f", &two.join("---\n")).expect("each is right"));
    assert_eq!(documents.len(), 2);
    assert!(documents.iter().all(|document| matches!(document.spec, Spec::Service(..))));
}

#[test]
fn a_folder_of_too_many_files_is_refused_whole() {
    let folder = tempfile::tempdir().expect("a folder");
    for n in 0..=MAX_FILES {
        std::fs::write(folder.path().join(format!("{n}.txt")), "").expect("a file");
    }
    let told = read(&[folder.path().to_owned()]).expect_err("it should be refused");
    let told = format!("{told:?} {told}");
    assert!(told.contains("is too large"), "{told}");
    std::fs::remove_file(folder.path().join("0.txt")).expect("it is there");
    assert!(read(&[folder.path().to_owned()]).expect("it is not too large").is_empty());
}
