//! From what the API server answers to the reason of a hold (law L13).

use cdn::ObjectId;
use cdn::document::HoldReason;
use kube::core::Status;

use super::scrub::{is_of_authorizer, words};
use super::trouble::Trouble;
use crate::target::Refusal;

/// What was tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    /// Applying it, or rewriting who owns it.
    Apply,
    /// Deleting it.
    Delete,
}

/// Why an act on an object failed. A conflict over fields is decided elsewhere.
pub(super) fn refusal(act: Act, id: &ObjectId, trouble: &Trouble) -> Refusal {
    let Some(status) = trouble.status() else {
        return Refusal::passing(HoldReason::ApplyFailed, trouble.to_string());
    };
    let said = words(id, status);
    match status.code {
        401 => {
            let message = "the API server does not accept the agent's credential";
            Refusal::passing(HoldReason::CredentialRefused, message)
        }
        403 => forbidden(status, &said),
        404 => not_found(id, status),
        409 => Refusal::passing(HoldReason::ApplyFailed, format!("it has changed in the meantime: {said}")),
        422 => invalid(act, status, &said),
        400 | 405 | 406 | 413 | 415 => {
            Refusal::lasting(HoldReason::Rejected, format!("the API server rejects it: {said}"))
        }
        _ if has_no_schema(status) => {
            Refusal::lasting(HoldReason::Rejected, format!("the API server rejects it: {said}"))
        }
        _ if is_denied(status) => Refusal::lasting(HoldReason::Rejected, format!("it is denied: {said}")),
        _ if is_too_large(status) => Refusal::lasting(
            HoldReason::Rejected,
            "the object is larger than etcd takes; make it smaller or split it",
        ),
        _ => Refusal::passing(HoldReason::ApplyFailed, format!("the API server failed: {said}")),
    }
}

/// 403 is RBAC, an admission plugin, a webhook, or a namespace on its way out.
fn forbidden(status: &Status, said: &str) -> Refusal {
    let terminating = has_cause(status, |reason, _| reason == "NamespaceTerminating")
        || status.message.contains("because it is being terminated");
    if terminating {
        let message = "its namespace is being deleted; nothing can be created in it";
        return Refusal::passing(HoldReason::NamespaceTerminating, message);
    }
    let rights = is_of_authorizer(&status.message)
        || status.message.contains("attempting to grant RBAC permissions not currently held");
    if rights && !is_denied(status) {
        return Refusal::lasting(HoldReason::Forbidden, format!("the agent may not: {said}"));
    }
    Refusal::lasting(HoldReason::Rejected, format!("it is denied: {said}"))
}

/// 404 for a change is about the namespace or the kind: an object that is missing would be created.
fn not_found(id: &ObjectId, status: &Status) -> Refusal {
    let kind = status.details.as_ref().map(|details| details.kind.as_str());
    if kind == Some("namespaces") && id.kind != "Namespace" {
        let namespace = id.namespace.as_deref().unwrap_or_default();
        let message = format!("its namespace {namespace} does not exist");
        return Refusal::passing(HoldReason::NamespaceMissing, message);
    }
    let message = format!("the API server does not serve {} at present", id.kind);
    Refusal::passing(HoldReason::KindNotServed, message)
}

fn invalid(act: Act, status: &Status, said: &str) -> Refusal {
    let another = has_cause(status, |_, field| matches!(field, "metadata.uid" | "metadata.resourceVersion"));
    if another {
        let message = "it has been deleted and created anew in the meantime";
        return Refusal::passing(HoldReason::ApplyFailed, message);
    }
    if act == Act::Apply && is_immutable(status) {
        return Refusal::lasting(HoldReason::ImmutableChange, format!("it cannot be changed: {said}"));
    }
    Refusal::lasting(HoldReason::Rejected, format!("the API server rejects it: {said}"))
}

/// The server has no code for this, only words; these are those of its validation, and of CRDs' usual rules.
fn is_immutable(status: &Status) -> bool {
    const WORDS: [&str; 8] = [
        "immutable",
        "may not be changed",
        "may not change",
        "cannot be changed",
        "cannot change",
        "updates to ",
        "must not be updated",
        "may not be updated",
    ];
    let said = |text: &str| {
        let text = text.to_ascii_lowercase();
        WORDS.iter().any(|words| text.contains(words))
    };
    let causes = status.details.iter().flat_map(|details| &details.causes);
    causes.map(|cause| cause.message.as_str()).chain([status.message.as_str()]).any(said)
}

fn is_denied(status: &Status) -> bool {
    status.message.contains("denied the request") || status.message.contains("denied request")
}

/// A field that the kind does not have, or of another type: a 500, strangely.
fn has_no_schema(status: &Status) -> bool {
    status.message.contains("failed to create typed patch object")
}

fn is_too_large(status: &Status) -> bool {
    status.message.contains("request is too large") || status.message.contains("Too long: must have at most")
}

fn has_cause(status: &Status, fits: impl Fn(&str, &str) -> bool) -> bool {
    let causes = status.details.iter().flat_map(|details| &details.causes);
    causes.into_iter().any(|cause| fits(&cause.reason, &cause.field))
}

#[cfg(test)]
mod tests;
