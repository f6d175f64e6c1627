//! The order of applying: sources, clusters, then services, each after those that it depends on.

use std::collections::BTreeSet;

use super::documents::{Document, Spec};

/// Sorts documents; those that stand level keep their order.
pub(super) fn ordered(mut documents: Vec<Document>) -> Vec<Document> {
    documents.sort_by_key(|document| match document.spec {
        Spec::Source(_) => 0,
        Spec::Cluster(_) => 1,
        Spec::Service(..) => 2,
    });
    let mut waiting: BTreeSet<String> = documents.iter().map(|document| document.id.clone()).collect();
    let mut sorted = Vec::new();
    while !documents.is_empty() {
        let ready = |document: &Document| needs(document).iter().all(|need| !waiting.contains(need));
        let (now, later): (Vec<_>, Vec<_>) = documents.into_iter().partition(ready);
        if now.is_empty() {
            // A circle: the api says so, in words, for the first of them.
            sorted.extend(later);
            return sorted;
        }
        for document in &now {
            waiting.remove(&document.id);
        }
        sorted.extend(now);
        documents = later;
    }
    sorted
}

/// The services that a document depends on.
fn needs(document: &Document) -> Vec<String> {
    let Spec::Service(_, spec) = &document.spec else { return Vec::new() };
    let project = document.id.split('/').nth(1).unwrap_or_default();
    spec.depends_on.iter().map(|name| format!("service/{project}/{name}")).collect()
}
