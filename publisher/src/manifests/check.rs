//! The checks at publish: what would fail, hurt or leak at a hundred thousand sites is said here, all at once, before
//! anything is signed. Pure.

mod fields;
mod list;

use std::collections::{BTreeMap, BTreeSet};

use cdn::name::is_dns_label;
use cdn::object::is_cluster_scoped;
use cdn::{Limits, Object, ObjectId};
use serde_json::Value;

use super::{Finding, Findings, Manifest, images, keyed, outdated, secret};
use crate::glob::Glob;

/// What the checks depend on beside the manifests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// The service's namespace: where objects go that name none.
    pub namespace: String,
    /// Secrets that may be published in plain: `namespace/name`, or `name`.
    pub plain_secrets: Vec<Glob>,
    /// Whether there may be no object at all.
    pub allow_empty: bool,
    /// Sizes.
    pub limits: Limits,
}

/// Objects fit to be published.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// The objects, in no particular order; no identity twice.
    pub objects: Vec<Object>,
    /// What a person should know, though nothing forbids it.
    pub warnings: Vec<String>,
    /// The container images that they name.
    pub images: BTreeSet<String>,
}

/// Changes whenever the checks do, so that what was rendered before is looked at again.
pub(crate) const VERSION: u32 = 2;

/// Checks all manifests of a service.
pub fn check(manifests: Vec<Manifest>, rules: &Rules) -> Result<Checked, Findings> {
    let mut findings = Findings::default();
    if !is_dns_label(&rules.namespace) {
        let what =
            format!("its namespace `{}` is not a DNS label", crate::words::safe(&rules.namespace, 100));
        findings.add(Finding::new("the service", what, "correct the service's namespace"));
    }
    let mut checked = Checked::default();
    let mut places: BTreeMap<ObjectId, String> = BTreeMap::new();
    for manifest in list::flatten(manifests, &mut findings) {
        let at = manifest.at.clone();
        if let Some(object) = one(manifest, rules, &mut checked, &mut findings) {
            let id = filled(object.id(), &rules.namespace);
            if let Some(first) = places.insert(id, at.clone()) {
                let what = format!("{} is there already, from {first}", object.id());
                findings.add(Finding::new(&at, what, "remove or rename one of the two"));
            }
            checked.objects.push(object);
        }
    }
    let total: usize = checked.objects.iter().map(|object| object.json().len() + 1024).sum();
    if checked.objects.len() >= rules.limits.entries || total as u64 > rules.limits.bundle_bytes {
        let what = format!("{} objects of {total} bytes are more than a bundle holds", checked.objects.len());
        findings.add(Finding::new("the service", what, "split it into several services"));
    }
    if checked.objects.is_empty() && findings.is_empty() && !rules.allow_empty {
        let next =
            "check the path and the values; if it is meant, say `allow_empty = true` in the allow list";
        let what = "nothing came out of rendering, which would remove all that runs";
        findings.add(Finding::new("the service", what, next));
    }
    checked.warnings.sort();
    checked.warnings.dedup();
    findings.or(checked)
}

/// Checks one manifest. What is found is added; what can be an object becomes one all the same, so that every fault of
/// it is told at once.
fn one(
    mut manifest: Manifest,
    rules: &Rules,
    checked: &mut Checked,
    findings: &mut Findings,
) -> Option<Object> {
    let at = format!("{} ({})", manifest.at, manifest.title());
    fields::settle(&mut manifest.value, &at, &mut checked.warnings, findings);
    let object = match Object::from_value(&manifest.value) {
        Ok(object) => object,
        Err(why) => {
            findings.add(Finding::new(&at, why.to_string(), fields::next_for(&manifest)));
            return None;
        }
    };
    if object.json().len() > rules.limits.object_bytes {
        let (length, most) = (object.json().len(), rules.limits.object_bytes);
        let what = format!("{length} bytes: an object over {most} cannot be repaired in a cluster");
        findings.add(Finding::new(&at, what, "split it, or put large files elsewhere"));
    }
    if let Some(finding) = fields::namespace(&object, &at) {
        findings.add(finding);
    }
    if let Some(finding) = secret::plain(&object, &manifest.value, rules, &at) {
        findings.add(finding);
    }
    for twice in keyed::twice(object.id(), &manifest.value) {
        findings.add(Finding::new(&at, twice, "remove one of the two: server-side apply refuses both"));
    }
    checked
        .warnings
        .extend(outdated::warning(&object, &manifest.value).map(|warning| format!("{at}: {warning}")));
    images::collect(object.id(), &manifest.value, &mut checked.images);
    Some(object)
}

/// The identity with the service's namespace where there is none: what may be one object in a cluster is one here.
fn filled(id: &ObjectId, namespace: &str) -> ObjectId {
    let lies_in_one = !is_cluster_scoped(&id.group, &id.kind);
    let namespace = id.namespace.clone().or_else(|| lies_in_one.then(|| namespace.to_owned()));
    ObjectId { namespace, ..id.clone() }
}

/// Whether a mapping has a member that is neither null nor empty.
pub(super) fn has_content(value: &Value, member: &str) -> bool {
    match value.get(member) {
        None | Some(Value::Null) => false,
        Some(Value::Object(map)) => !map.is_empty(),
        Some(Value::Array(items)) => !items.is_empty(),
        Some(Value::String(_) | Value::Bool(_) | Value::Number(_)) => true,
    }
}

#[cfg(test)]
mod tests;
