//! `kind: List` and its relatives, taken apart as kubectl does (FAULTS B10).

use serde_json::Value;

use crate::manifests::{Finding, Findings, Manifest};

/// Lists within lists that are followed.
const DEPTH: usize = 4;

pub(super) fn flatten(manifests: Vec<Manifest>, findings: &mut Findings) -> Vec<Manifest> {
    let mut flat = Vec::with_capacity(manifests.len());
    for manifest in manifests {
        take(manifest, DEPTH, &mut flat, findings);
    }
    flat
}

fn take(mut manifest: Manifest, depth: usize, flat: &mut Vec<Manifest>, findings: &mut Findings) {
    let Some(kind) = list_kind(&manifest.value).map(str::to_owned) else {
        flat.push(manifest);
        return;
    };
    if depth == 0 {
        let what = format!("lists within lists, more than {DEPTH}");
        findings.add(Finding::new(&manifest.at, what, "write the objects one by one"));
        return;
    }
    let api_version = manifest.value.get("apiVersion").cloned().unwrap_or_default();
    let items = manifest.value.get_mut("items").map(Value::take).unwrap_or_default();
    let Value::Array(items) = items else { return };
    for (index, mut value) in items.into_iter().enumerate() {
        // A `ConfigMapList` says the kind of its items once.
        if let (Value::Object(map), Some(item)) =
            (&mut value, kind.strip_suffix("List").filter(|item| !item.is_empty()))
            && !map.contains_key("kind")
        {
            map.insert("kind".to_owned(), item.into());
            map.insert("apiVersion".to_owned(), api_version.clone());
        }
        let at = format!("{} item {}", manifest.at, index + 1);
        take(Manifest { at, value }, depth - 1, flat, findings);
    }
}

fn list_kind(value: &Value) -> Option<&str> {
    let kind = value.get("kind")?.as_str()?;
    (kind.ends_with("List") && value.get("items").is_some_and(Value::is_array)).then_some(kind)
}
