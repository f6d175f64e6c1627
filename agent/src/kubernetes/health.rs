//! Health by the rules of kstatus (sigs.k8s.io/cli-utils `pkg/kstatus`): what an object's own status says, once the
//! controller in charge has seen its newest generation. Pure; the object need not have a status.
//!
//! Three differences, each on purpose: a Job is healthy when it has completed (there, once it has begun), since what
//! depends on a migration waits for its end; what is suspended or paused says so; a container that cannot start makes
//! its pod Degraded in more cases than a crash loop.

mod workload;

use cdn::ObjectId;
use cdn::document::Health;
use serde_json::Value;

use crate::target::Finish;

/// How an object does.
pub(super) fn health(id: &ObjectId, object: &Value) -> Health {
    let status = Status(object);
    if status.text("/metadata/deletionTimestamp").is_some() {
        return Health::Progressing;
    }
    if let Some(early) = generic(status) {
        return early;
    }
    match (id.group.as_str(), id.kind.as_str()) {
        ("apps", "Deployment") => workload::deployment(status),
        ("apps", "StatefulSet") => workload::stateful_set(status),
        ("apps", "DaemonSet") => workload::daemon_set(status),
        ("apps", "ReplicaSet") => workload::replica_set(status),
        ("", "Pod") => workload::pod(status),
        ("batch", "Job") => workload::job(status),
        ("batch", "CronJob") => suspended(status).unwrap_or(Health::Healthy),
        ("", "PersistentVolumeClaim") => claim(status),
        ("", "Service") => service(status),
        ("", "Namespace") => ready_if(status.text("/status/phase") != Some("Terminating")),
        ("autoscaling", "HorizontalPodAutoscaler") => autoscaler(status),
        ("apiextensions.k8s.io", "CustomResourceDefinition") => definition(status),
        ("apiregistration.k8s.io", "APIService") => match status.condition("Available") {
            Some("False") => Health::Degraded,
            other => ready_if(other == Some("True")),
        },
        _ => conditions(status),
    }
}

/// How it ended, where it is a Job that has completed or failed for good.
pub(super) fn finish(id: &ObjectId, object: &Value) -> Option<Finish> {
    if id.group != "batch" || id.kind != "Job" {
        return None;
    }
    let is = |name| Status(object).condition(name) == Some("True");
    let failed = is("Failed").then_some(Finish::Failed);
    failed.or_else(|| is("Complete").then_some(Finish::Completed))
}

/// An object, looked at for its status.
#[derive(Clone, Copy, Debug)]
struct Status<'a>(&'a Value);

impl<'a> Status<'a> {
    fn text(self, pointer: &str) -> Option<&'a str> {
        self.0.pointer(pointer).and_then(Value::as_str)
    }

    fn number(self, pointer: &str) -> Option<i64> {
        self.0.pointer(pointer).and_then(Value::as_i64)
    }

    fn yes(self, pointer: &str) -> bool {
        self.0.pointer(pointer).and_then(Value::as_bool) == Some(true)
    }

    fn list(self, pointer: &str) -> &'a [Value] {
        self.0.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    /// The status of a condition: `True`, `False` or `Unknown`.
    fn condition(self, name: &str) -> Option<&'a str> {
        self.of_condition(name, "status")
    }

    fn reason(self, name: &str) -> Option<&'a str> {
        self.of_condition(name, "reason")
    }

    fn of_condition(self, name: &str, field: &str) -> Option<&'a str> {
        let all = self.list("/status/conditions");
        let one = all.iter().find(|one| one.get("type").and_then(Value::as_str) == Some(name))?;
        one.get(field)?.as_str()
    }
}

/// What holds for every kind: not looked at yet, on its way, or given up.
fn generic(status: Status<'_>) -> Option<Health> {
    let (generation, seen) =
        (status.number("/metadata/generation"), status.number("/status/observedGeneration"));
    if seen.is_some() && seen != generation {
        return Some(Health::Progressing);
    }
    if status.condition("Stalled") == Some("True") {
        return Some(Health::Degraded);
    }
    (status.condition("Reconciling") == Some("True")).then_some(Health::Progressing)
}

/// A kind without a rule: its `Ready`, else its `Available` condition; a kind without either is as it should be.
fn conditions(status: Status<'_>) -> Health {
    let found = ["Ready", "Available"].into_iter().find_map(|name| status.condition(name));
    found.map_or(Health::Healthy, |value| ready_if(value == "True"))
}

fn ready_if(ready: bool) -> Health {
    if ready { Health::Healthy } else { Health::Progressing }
}

fn suspended(status: Status<'_>) -> Option<Health> {
    status.yes("/spec/suspend").then_some(Health::Suspended)
}

fn claim(status: Status<'_>) -> Health {
    match status.text("/status/phase") {
        Some("Lost") => Health::Degraded,
        phase => ready_if(phase == Some("Bound")),
    }
}

fn service(status: Status<'_>) -> Health {
    let waits = status.text("/spec/type") == Some("LoadBalancer")
        && status.list("/status/loadBalancer/ingress").is_empty();
    ready_if(!waits)
}

/// Late or missing metrics leave the workload as it is, whose own health counts; what can never scale does not.
fn autoscaler(status: Status<'_>) -> Health {
    let broken = status.condition("AbleToScale") == Some("False")
        && matches!(status.reason("AbleToScale"), Some("FailedGetScale" | "FailedUpdateScale"));
    let unfit = status.condition("ScalingActive") == Some("False")
        && status.reason("ScalingActive") == Some("InvalidSelector");
    if broken || unfit { Health::Degraded } else { Health::Healthy }
}

fn definition(status: Status<'_>) -> Health {
    if status.condition("NamesAccepted") == Some("False") {
        return Health::Degraded;
    }
    match status.condition("Established") {
        Some("False") if status.reason("Established") != Some("Installing") => Health::Degraded,
        other => ready_if(other == Some("True")),
    }
}

#[cfg(test)]
mod tests;
