//! Fields that only an API server sets, names that cannot be, and namespaces where there is none.

use cdn::Object;
use cdn::name::is_dns_label;
use cdn::object::is_cluster_scoped;
use serde_json::Value;

use super::has_content;
use crate::manifests::{Finding, Findings, Manifest};

/// What `kubectl get -o yaml` leaves behind: another cluster's memory of the object.
const SERVER_SET: [&str; 7] = [
    "uid",
    "resourceVersion",
    "managedFields",
    "selfLink",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
];
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";
const EXPORTED: &str = "remove it: this looks like the output of `kubectl get -o yaml`";

/// Removes what generators leave empty, and finds what only a server may set.
pub(super) fn settle(value: &mut Value, at: &str, warnings: &mut Vec<String>, findings: &mut Findings) {
    if has_content(value, "status") && value.get("kind").is_none_or(|kind| kind != "CustomResourceDefinition")
    {
        warnings.push(format!("{at}: its `status` is left out, since only a cluster sets it"));
    }
    if let Some(map) = value.as_object_mut() {
        map.remove("status");
    }
    let Some(metadata) = value.get_mut("metadata").and_then(Value::as_object_mut) else { return };
    if metadata.get("generateName").is_some_and(|name| !name.is_null()) {
        let what = "`metadata.generateName` makes another object at each apply";
        findings.add(Finding::new(at, what, "give it a `metadata.name`"));
    }
    for field in SERVER_SET {
        if metadata.remove(field).is_some_and(|set| !set.is_null()) {
            let what = format!("`metadata.{field}` is set by a cluster alone");
            findings.add(Finding::new(at, what, EXPORTED));
        }
    }
    if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut)
        && annotations.remove(LAST_APPLIED).is_some()
    {
        warnings.push(format!("{at}: the annotation {LAST_APPLIED} is left out"));
    }
}

/// The next step for what is not an object at all.
pub(super) fn next_for(manifest: &Manifest) -> &'static str {
    let has = |name: &str| manifest.value.get(name).is_some();
    let file = manifest.at.rsplit_once(':').map_or(manifest.at.as_str(), |(file, _)| file);
    let name = file.rsplit_once('/').map_or(file, |(_, name)| name);
    if matches!(name, "Chart.yaml" | "values.yaml") {
        "this is a Helm chart: use the renderer `helm: {}`"
    } else if !has("apiVersion") && !has("kind") {
        "this is no Kubernetes object: move the file out of the service's folder"
    } else {
        "write apiVersion, kind and metadata.name as Kubernetes wants them"
    }
}

/// A namespace that cannot be, or one on what lies in none (FAULTS F33).
pub(super) fn namespace(object: &Object, at: &str) -> Option<Finding> {
    let namespace = object.id().namespace.as_deref()?;
    if is_cluster_scoped(&object.id().group, &object.id().kind) {
        let what = format!("a {} lies in no namespace, but `metadata.namespace` is set", object.id().kind);
        return Some(Finding::new(at, what, "remove `metadata.namespace`"));
    }
    (!is_dns_label(namespace))
        .then(|| Finding::new(at, format!("the namespace `{namespace}` is not a DNS label"), "correct it"))
}
