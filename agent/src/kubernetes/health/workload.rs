//! The rules for what runs containers.

use cdn::document::Health;
use serde_json::Value;

use super::{Status, ready_if, suspended};

pub(super) fn deployment(status: Status<'_>) -> Health {
    if status.yes("/spec/paused") {
        return Health::Suspended;
    }
    if status.reason("Progressing") == Some("ProgressDeadlineExceeded") {
        return Health::Degraded;
    }
    let count = |name: &str| status.number(&format!("/status/{name}")).unwrap_or(0);
    let wanted = status.number("/spec/replicas").unwrap_or(1);
    let (all, updated) = (count("replicas"), count("updatedReplicas"));
    let (available, ready) = (count("availableReplicas"), count("readyReplicas"));
    let whole = all == wanted && updated >= wanted && available >= updated && ready >= wanted;
    ready_if(whole && status.condition("Available") == Some("True"))
}

pub(super) fn stateful_set(status: Status<'_>) -> Health {
    if status.text("/spec/updateStrategy/type") == Some("OnDelete") {
        return Health::Healthy;
    }
    let count = |name: &str| status.number(&format!("/status/{name}")).unwrap_or(0);
    let wanted = status.number("/spec/replicas").unwrap_or(1);
    if status.number("/status/observedGeneration").is_none()
        || count("replicas") != wanted
        || count("readyReplicas") < wanted
    {
        return Health::Progressing;
    }
    let partition = status.number("/spec/updateStrategy/rollingUpdate/partition").unwrap_or(0);
    if partition > 0 {
        return ready_if(count("updatedReplicas") >= wanted - partition);
    }
    let current = status.text("/status/currentRevision") == status.text("/status/updateRevision");
    ready_if(count("currentReplicas") >= wanted && current)
}

pub(super) fn daemon_set(status: Status<'_>) -> Health {
    let count = |name: &str| status.number(&format!("/status/{name}")).unwrap_or(0);
    let Some(wanted) = status.number("/status/desiredNumberScheduled") else { return Health::Progressing };
    let there = ["currentNumberScheduled", "updatedNumberScheduled", "numberAvailable", "numberReady"];
    ready_if(
        status.number("/status/observedGeneration").is_some()
            && there.iter().all(|name| count(name) >= wanted),
    )
}

pub(super) fn replica_set(status: Status<'_>) -> Health {
    if status.condition("ReplicaFailure") == Some("True") {
        return Health::Degraded;
    }
    let count = |name: &str| status.number(&format!("/status/{name}")).unwrap_or(0);
    let wanted = status.number("/spec/replicas").unwrap_or(1);
    let there = ["fullyLabeledReplicas", "availableReplicas", "readyReplicas"];
    ready_if(count("replicas") == wanted && there.iter().all(|name| count(name) >= wanted))
}

pub(super) fn pod(status: Status<'_>) -> Health {
    match status.text("/status/phase") {
        Some("Succeeded") => Health::Healthy,
        Some("Failed") => Health::Degraded,
        _ if cannot_start(status) => Health::Degraded,
        phase => ready_if(phase == Some("Running") && status.condition("Ready") == Some("True")),
    }
}

pub(super) fn job(status: Status<'_>) -> Health {
    if status.condition("Failed") == Some("True") {
        return Health::Degraded;
    }
    if status.condition("Complete") == Some("True") {
        return Health::Healthy;
    }
    suspended(status).unwrap_or(Health::Progressing)
}

fn cannot_start(status: Status<'_>) -> bool {
    const REASONS: [&str; 5] = [
        "CrashLoopBackOff",
        "ImagePullBackOff",
        "InvalidImageName",
        "CreateContainerConfigError",
        "RunContainerError",
    ];
    let containers = ["/status/initContainerStatuses", "/status/containerStatuses"];
    containers.iter().flat_map(|list| status.list(list)).any(|container| {
        let reason = container.pointer("/state/waiting/reason").and_then(Value::as_str);
        reason.is_some_and(|reason| REASONS.contains(&reason))
    })
}
