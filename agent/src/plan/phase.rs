//! When an object's turn comes: what others need goes first, what stops others goes last.

use cdn::ObjectId;
use serde_json::Value;

/// The phases of a pass, in order; deleting goes through them backwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// Namespaces.
    Namespaces,
    /// Definitions of kinds.
    Definitions,
    /// Accounts, rights, configuration, storage, services: what workloads need to begin.
    Config,
    /// Workloads, and all that has no phase of its own.
    Workloads,
    /// What stands in the way of all other writes when its backend is not there yet (FAULTS F8).
    Gatekeepers,
}

/// The phase of a kind.
pub(super) fn of(id: &ObjectId) -> Phase {
    match (id.group.as_str(), id.kind.as_str()) {
        ("", "Namespace") => Phase::Namespaces,
        ("apiextensions.k8s.io", "CustomResourceDefinition") => Phase::Definitions,
        (
            "",
            "ServiceAccount"
            | "Secret"
            | "ConfigMap"
            | "Service"
            | "PersistentVolume"
            | "PersistentVolumeClaim"
            | "ResourceQuota"
            | "LimitRange"
            | "Endpoints",
        )
        | ("rbac.authorization.k8s.io" | "scheduling.k8s.io" | "storage.k8s.io", _)
        | ("networking.k8s.io", "NetworkPolicy" | "IngressClass")
        | ("node.k8s.io", "RuntimeClass") => Phase::Config,
        ("admissionregistration.k8s.io" | "apiregistration.k8s.io", _) => Phase::Gatekeepers,
        _ => Phase::Workloads,
    }
}

/// Whether it defines a kind.
pub(super) fn is_definition(id: &ObjectId) -> bool {
    of(id) == Phase::Definitions
}

/// The wave inside the phase: ours, or the word that people have already written for Argo.
pub(super) fn wave(object: &Value) -> i64 {
    let read = |name| annotation(object, name).and_then(|text| text.parse().ok());
    read("windlass.dev/wave").or_else(|| read("argocd.argoproj.io/sync-wave")).unwrap_or(0)
}

/// Whether the object's source asks that it be let go, not deleted: an annotation can only add caution.
pub(super) fn asks_to_be_kept(object: &Value) -> bool {
    let says = |name, words: &[&str]| {
        annotation(object, name).is_some_and(|text| text.split(',').any(|word| words.contains(&word.trim())))
    };
    says("windlass.dev/prune", &["disabled", "false"])
        || says("kustomize.toolkit.fluxcd.io/prune", &["disabled"])
        || says("argocd.argoproj.io/sync-options", &["Prune=false", "Delete=false"])
}

fn annotation<'a>(object: &'a Value, name: &str) -> Option<&'a str> {
    object.get("metadata")?.get("annotations")?.get(name)?.as_str()
}
