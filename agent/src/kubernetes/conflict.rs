//! Another owner of a field that we declare: take it back, or leave it (FAULTS F12, F13).

use std::fmt::Write as _;

use cdn::document::HoldReason;
use kube::core::Status;
use kube::core::response::StatusCause;

use crate::target::{MANAGER_PREFIX, Refusal};

/// Someone who owns fields with other values than ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contender {
    /// Their field manager.
    pub manager: String,
    /// The subresource that they wrote through, if any.
    pub subresource: Option<String>,
    /// The fields, as `.spec.replicas`.
    pub fields: Vec<String>,
}

/// Tools that put back what they declare: taking a field from one begins a fight that nobody wins. Their field managers,
/// or how those begin: Argo CD, Flux, Fleet, Config Sync, kapp, the engine under Sveltos and Plural, Pulumi, Terraform.
const TOOLS: [&str; 12] = [
    "argocd",
    "argo-cd",
    "kustomize-controller",
    "helm-controller",
    "flux",
    "gotk",
    "fleetagent",
    "configsync",
    "kapp-controller",
    "application/apply-patch",
    "pulumi",
    "terraform",
];
/// Fields that one message names.
const NAMED: usize = 5;

/// Whom a 409 names; empty when it is about something else.
pub fn contenders(status: &Status) -> Vec<Contender> {
    let causes = status.details.iter().flat_map(|details| &details.causes);
    let mut all: Vec<Contender> = Vec::new();
    for cause in causes.filter(|cause| cause.reason == "FieldManagerConflict") {
        let Some((manager, subresource)) = named(cause) else { continue };
        match all.iter_mut().find(|one| one.manager == manager && one.subresource == subresource) {
            Some(one) => one.fields.push(cause.field.clone()),
            None => all.push(Contender { manager, subresource, fields: vec![cause.field.clone()] }),
        }
    }
    all
}

/// Why our fields are not taken back, or none: people's edits and other programs' are.
pub(super) fn refusal(contenders: &[Contender]) -> Option<Refusal> {
    if let Some(service) = contenders.iter().find_map(|one| one.manager.strip_prefix(MANAGER_PREFIX)) {
        let message = format!("service {service} declares it, too: {}", listed(contenders));
        return Some(Refusal::lasting(HoldReason::OwnedBy, message));
    }
    if contenders.iter().any(is_tool) {
        let message =
            format!("another tool declares fields that this service declares: {}", listed(contenders));
        return Some(Refusal::lasting(HoldReason::Conflict, message));
    }
    if contenders.iter().any(is_autoscaler) {
        let message = format!(
            "an autoscaler has just set it; it is left to it from the next pass on: {}",
            listed(contenders)
        );
        return Some(Refusal::passing(HoldReason::Conflict, message));
    }
    None
}

/// `argocd-controller (.spec.replicas, .spec.paused)`.
pub(super) fn listed(contenders: &[Contender]) -> String {
    let mut out = String::new();
    for one in contenders {
        let between = if out.is_empty() { "" } else { "; " };
        let fields: Vec<&str> = one.fields.iter().take(NAMED).map(String::as_str).collect();
        write!(out, "{between}{} ({}", one.manager, fields.join(", ")).expect("a string takes every write");
        if one.fields.len() > NAMED {
            write!(out, " and {} more", one.fields.len() - NAMED).expect("a string takes every write");
        }
        out.push(')');
    }
    out
}

fn is_tool(one: &Contender) -> bool {
    let manager = one.manager.to_ascii_lowercase();
    TOOLS.iter().any(|tool| manager.starts_with(tool))
}

/// The plan leaves the field out as soon as it has seen this owner.
fn is_autoscaler(one: &Contender) -> bool {
    one.subresource.as_deref() == Some("scale") && one.manager == "kube-controller-manager"
}

/// Reads `conflict with "kubectl-edit" with subresource "scale" using apps/v1 at 2024-01-01T00:00:00Z`.
fn named(cause: &StatusCause) -> Option<(String, Option<String>)> {
    let rest = cause.message.strip_prefix("conflict with ")?;
    let (manager, rest) = quoted(rest)?;
    let subresource = rest.strip_prefix(" with subresource ").and_then(quoted);
    Some((manager, subresource.map(|(name, _)| name)))
}

/// A quoted text at the beginning, and what follows it.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<String>();
    let value = values.next()?.ok()?;
    Some((value, &text[values.byte_offset()..]))
}

#[cfg(test)]
mod tests;
