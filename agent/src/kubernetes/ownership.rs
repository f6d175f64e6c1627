//! Who owns which fields: what `metadata.managedFields` says, and how it is rewritten when ownership changes hands.
//!
//! The rewriting follows `client-go/util/csaupgrade`: entries of former owners become part of our own entry. Our next
//! apply then removes what only they had declared, as if we had declared it ourselves.

use cdn::{Digest, json};
use serde_json::{Map, Value, json};

use crate::target::MANAGER_PREFIX;

/// The managers of tools that declare whole objects from a person's hand, and leave fields behind for ever when nobody
/// takes their entry over (FAULTS F25).
const LEGACY: [&str; 3] = ["kubectl-client-side-apply", "before-first-apply", "helm"];

/// Where an object says how many replicas it wants, and an entry that it owns them.
const REPLICAS: &str = "/spec/replicas";
const OWNED_REPLICAS: &str = "/fieldsV1/f:spec/f:replicas";

/// The digest of what a repair would look at. Kubernetes takes a field out of an apply's entry as soon as someone else
/// changes its value, so the entries of ours, with their times, change whenever a declared field does - and stay when a
/// status, a replica count that is not ours, or another's annotation moves. A lost entry is a change, too.
pub(super) fn content(uid: &str, entries: &[Value]) -> Digest {
    let ours: Vec<&Value> = entries.iter().filter(|entry| is_apply(entry) && is_ours(entry)).collect();
    Digest::of(&json::canonical(&json!([uid, ours])))
}

/// A manager, none of ours, that owns `spec.replicas`; whoever set it through the scale subresource stands before others
/// (FAULTS F11).
pub(super) fn scaler(entries: &[Value]) -> Option<String> {
    let owns = |entry: &&Value| !is_ours(entry) && entry.pointer(OWNED_REPLICAS).is_some();
    let owners = || entries.iter().filter(owns);
    let by_scale = owners().find(|entry| text(entry, "subresource") == "scale");
    by_scale.or_else(|| owners().next()).map(|entry| text(entry, "manager").to_owned())
}

/// What a first apply of ours takes over from the tools that declared the object before us.
#[derive(Clone, Copy, Debug)]
pub(super) struct Legacy {
    /// Whether `spec.replicas` stays theirs: a field that we took over and do not declare would fall back to its
    /// default, and scale a workload down that an autoscaler has not touched yet (FAULTS F11).
    leaves_replicas: bool,
}

impl Legacy {
    /// What is taken over where this object is applied.
    pub(super) fn of(object: &Value) -> Self {
        Self { leaves_replicas: object.pointer(REPLICAS).is_none() }
    }

    /// Whether an entry has something to be taken over.
    pub(super) fn is_in(self, entries: &[Value]) -> bool {
        entries.iter().any(|entry| self.takes(entry))
    }

    /// The entries after `manager` has taken over what tools before it declared, or none when there is nothing.
    pub(super) fn taken_over(self, entries: &[Value], manager: &str) -> Option<Vec<Value>> {
        let mut after = taken_over(entries, manager, |entry| self.takes(entry))?;
        if self.leaves_replicas {
            let owns_replicas = |entry: &&Value| self.takes(entry) && entry.pointer(OWNED_REPLICAS).is_some();
            let gone = |entry: &&Value| !after.contains(entry);
            let stays: Vec<Value> =
                entries.iter().filter(owns_replicas).filter(gone).map(with_only_replicas).collect();
            after.iter_mut().take(1).for_each(drop_replicas);
            after.extend(stays);
        }
        Some(after)
    }

    fn takes(self, entry: &Value) -> bool {
        is_legacy(entry) && !(self.leaves_replicas && *entry == with_only_replicas(entry))
    }
}

fn with_only_replicas(entry: &Value) -> Value {
    let mut entry = entry.clone();
    entry["fieldsV1"] = json!({"f:spec": {"f:replicas": {}}});
    entry
}

fn drop_replicas(entry: &mut Value) {
    let Some(fields) = entry.get_mut("fieldsV1").and_then(Value::as_object_mut) else { return };
    let Some(spec) = fields.get_mut("f:spec").and_then(Value::as_object_mut) else { return };
    // An empty set of fields would stand for the whole specification.
    if spec.remove("f:replicas").is_some() && spec.is_empty() {
        fields.remove("f:spec");
    }
}

/// The entries after `manager` has taken over what the managers `former` applied, or none when there is nothing.
pub(super) fn without_former(entries: &[Value], manager: &str, former: &[String]) -> Option<Vec<Value>> {
    let is_former =
        |entry: &Value| is_apply(entry) && former.iter().any(|name| name == text(entry, "manager"));
    taken_over(entries, manager, is_former)
}

/// Whether nobody but `manager` has ever written to the object itself: then it has created it, too.
pub(super) fn is_alone(entries: &[Value], manager: &str) -> bool {
    let mut whole = entries.iter().filter(|entry| text(entry, "subresource").is_empty());
    whole.all(|entry| text(entry, "manager") == manager)
}

/// The entries without those of `manager`. An empty list would be read as "leave them as they are".
pub(super) fn without(entries: &[Value], manager: &str) -> Vec<Value> {
    let rest: Vec<Value> =
        entries.iter().filter(|entry| text(entry, "manager") != manager).cloned().collect();
    if rest.is_empty() { vec![json!({})] } else { rest }
}

fn taken_over(entries: &[Value], manager: &str, given: impl Fn(&Value) -> bool) -> Option<Vec<Value>> {
    let is_own = |entry: &Value| is_apply(entry) && text(entry, "manager") == manager;
    let first = entries.iter().find(|entry| is_own(entry)).or_else(|| entries.iter().find(|e| given(e)))?;
    // Field paths of two versions of a kind may differ: an entry in another version stays as it is.
    let version = text(first, "apiVersion");
    let joins = |entry: &Value| (is_own(entry) || given(entry)) && text(entry, "apiVersion") == version;
    if !entries.iter().any(|entry| given(entry) && joins(entry)) {
        return None;
    }
    let mut fields = Map::new();
    let joined = entries.iter().filter(|entry| joins(entry));
    for map in joined.clone().filter_map(|entry| entry.get("fieldsV1")?.as_object()) {
        unite(&mut fields, map);
    }
    let mut entry = json!({
        "manager": manager, "operation": "Apply", "apiVersion": version,
        "fieldsType": "FieldsV1", "fieldsV1": fields,
    });
    if let Some(time) = joined.filter_map(|entry| entry.get("time")?.as_str()).max() {
        entry["time"] = time.into();
    }
    let rest = entries.iter().filter(|entry| !joins(entry)).cloned();
    Some(std::iter::once(entry).chain(rest).collect())
}

/// The union of two field sets: each is a tree whose leaves are empty.
fn unite(into: &mut Map<String, Value>, from: &Map<String, Value>) {
    for (field, below) in from {
        match (into.get_mut(field), below) {
            (Some(Value::Object(into)), Value::Object(below)) => unite(into, below),
            (Some(_), _) => {}
            (None, _) => {
                into.insert(field.clone(), below.clone());
            }
        }
    }
}

fn is_legacy(entry: &Value) -> bool {
    text(entry, "operation") == "Update"
        && text(entry, "subresource").is_empty()
        && LEGACY.contains(&text(entry, "manager"))
}

fn is_apply(entry: &Value) -> bool {
    text(entry, "operation") == "Apply" && text(entry, "subresource").is_empty()
}

fn is_ours(entry: &Value) -> bool {
    text(entry, "manager").starts_with(MANAGER_PREFIX)
}

fn text<'a>(entry: &'a Value, field: &str) -> &'a str {
    entry.get(field).and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests;
