//! Lists that server-side apply reads as maps: two entries of one key are refused by the API server, and only once
//! they arrive there (FAULTS F27; kubernetes#105610, #118725). The keys are those of the API's own schema.

use std::collections::BTreeSet;

use cdn::ObjectId;
use serde_json::Value;

/// A list within a pod's spec: where, and the fields that make its key, with what they default to.
type Keyed = (&'static str, &'static [(&'static str, Option<&'static str>)]);

const POD: [Keyed; 9] = [
    ("containers", &[("name", None)]),
    ("initContainers", &[("name", None)]),
    ("ephemeralContainers", &[("name", None)]),
    ("volumes", &[("name", None)]),
    ("imagePullSecrets", &[("name", Some(""))]),
    ("hostAliases", &[("ip", None)]),
    ("topologySpreadConstraints", &[("topologyKey", None), ("whenUnsatisfiable", None)]),
    ("resourceClaims", &[("name", None)]),
    ("schedulingGates", &[("name", None)]),
];
const CONTAINER: [Keyed; 4] = [
    ("ports", &[("containerPort", None), ("protocol", Some("TCP"))]),
    ("env", &[("name", None)]),
    ("volumeMounts", &[("mountPath", None)]),
    ("volumeDevices", &[("devicePath", None)]),
];
const SERVICE: [Keyed; 1] = [("ports", &[("port", None), ("protocol", Some("TCP"))])];
const SERVICE_ACCOUNT: [Keyed; 1] = [("secrets", &[("name", Some(""))])];

/// Every key that is there twice, in words.
pub(super) fn twice(id: &ObjectId, object: &Value) -> Vec<String> {
    let mut found = Vec::new();
    if id.group.is_empty() && id.kind == "Service" {
        look(object.get("spec"), "spec", &SERVICE, &mut found);
    }
    if id.group.is_empty() && id.kind == "ServiceAccount" {
        look(Some(object), "", &SERVICE_ACCOUNT, &mut found);
    }
    if let Some((pod, path)) = pod_spec(id, object) {
        look(Some(pod), path, &POD, &mut found);
        for list in ["containers", "initContainers", "ephemeralContainers"] {
            for (index, container) in items(pod, list).enumerate() {
                look(Some(container), &format!("{path}.{list}[{index}]"), &CONTAINER, &mut found);
            }
        }
    }
    found
}

/// The pod's spec within the built-in kinds that have one, and its path.
pub(super) fn pod_spec<'v>(id: &ObjectId, object: &'v Value) -> Option<(&'v Value, &'static str)> {
    let (pointer, path) = match (id.group.as_str(), id.kind.as_str()) {
        ("", "Pod") => ("/spec", "spec"),
        ("", "ReplicationController") | ("apps" | "batch" | "extensions", _) if id.kind != "CronJob" => {
            ("/spec/template/spec", "spec.template.spec")
        }
        ("", "PodTemplate") => ("/template/spec", "template.spec"),
        ("batch", "CronJob") => {
            ("/spec/jobTemplate/spec/template/spec", "spec.jobTemplate.spec.template.spec")
        }
        _ => return None,
    };
    object.pointer(pointer).map(|spec| (spec, path))
}

/// The items of a list, where there is one.
pub(super) fn items<'v>(value: &'v Value, list: &str) -> impl Iterator<Item = &'v Value> {
    value.get(list).and_then(Value::as_array).into_iter().flatten()
}

fn look(value: Option<&Value>, path: &str, lists: &[Keyed], found: &mut Vec<String>) {
    let Some(value) = value else { return };
    for (list, fields) in lists {
        let mut seen = BTreeSet::new();
        for item in items(value, list) {
            let Some(key) = key(item, fields) else { continue };
            if !seen.insert(key.clone()) {
                let dot = if path.is_empty() { "" } else { "." };
                found.push(format!("`{path}{dot}{list}` has two entries with {key}"));
            }
        }
    }
}

/// The key of an entry, in words; none where a field is missing, which the API server itself tells clearly.
fn key(item: &Value, fields: &[(&str, Option<&str>)]) -> Option<String> {
    let parts = fields.iter().map(|(field, default)| {
        let text = match (item.get(field), default) {
            (Some(Value::String(text)), _) => text.clone(),
            (Some(Value::Number(number)), _) => number.to_string(),
            (None | Some(Value::Null), Some(default)) => (*default).to_owned(),
            (_, _) => return None,
        };
        Some(format!("{field} {text}"))
    });
    parts.collect::<Option<Vec<_>>>().map(|parts| parts.join(" and "))
}
