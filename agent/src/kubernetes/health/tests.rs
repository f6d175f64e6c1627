use Health::{Degraded, Healthy, Progressing, Suspended};
use serde_json::json;

use super::*;

fn of(group: &str, kind: &str, object: &Value) -> Health {
    let id =
        ObjectId { group: group.into(), kind: kind.into(), namespace: Some("a".into()), name: "x".into() };
    health(&id, object)
}

fn check(group: &str, kind: &str, cases: &[(Value, Health)]) {
    for (object, wanted) in cases {
        assert_eq!(of(group, kind, object), *wanted, "{kind} {object}");
    }
}

fn condition(name: &str, value: &str, reason: &str) -> Value {
    json!({"status": {"conditions": [{"type": name, "status": value, "reason": reason}]}})
}

fn deployment(change: &[(&str, Value)]) -> Value {
    let mut whole = json!({
        "metadata": {"generation": 2},
        "spec": {"replicas": 3},
        "status": {"observedGeneration": 2, "replicas": 3, "updatedReplicas": 3, "readyReplicas": 3,
            "availableReplicas": 3, "conditions": [{"type": "Available", "status": "True"}]},
    });
    for (pointer, value) in change {
        *whole.pointer_mut(pointer).unwrap() = value.clone();
    }
    whole
}

#[test]
fn a_deployment_is_healthy_when_all_its_replicas_are_new_and_available() {
    check(
        "apps",
        "Deployment",
        &[
            (deployment(&[]), Healthy),
            (deployment(&[("/metadata/generation", json!(3))]), Progressing),
            (deployment(&[("/status/replicas", json!(4))]), Progressing),
            (deployment(&[("/status/replicas", json!(2))]), Progressing),
            (deployment(&[("/status/updatedReplicas", json!(1))]), Progressing),
            (deployment(&[("/status/availableReplicas", json!(2))]), Progressing),
            (deployment(&[("/status/readyReplicas", json!(2))]), Progressing),
            (deployment(&[("/status/conditions", json!([]))]), Progressing),
            (json!({"spec": {"paused": true}}), Suspended),
            (json!({"spec": {}}), Progressing),
            (condition("Progressing", "False", "ProgressDeadlineExceeded"), Degraded),
        ],
    );
}

#[test]
fn a_stateful_set_is_healthy_when_all_run_the_newest_revision() {
    let whole = json!({"metadata": {"generation": 1}, "spec": {"replicas": 2}, "status": {"observedGeneration": 1,
        "replicas": 2, "readyReplicas": 2, "currentReplicas": 2, "currentRevision": "a", "updateRevision": "a"}});
    let with = |pointer: &str, value: Value| {
        let mut object = whole.clone();
        *object.pointer_mut(pointer).unwrap() = value;
        object
    };
    let partly = |updated: i64| {
        json!({"spec": {"replicas": 3, "updateStrategy": {"rollingUpdate": {"partition": 1}}}, "metadata": {"generation": 1},
            "status": {"observedGeneration": 1, "replicas": 3, "readyReplicas": 3, "updatedReplicas": updated}})
    };
    check(
        "apps",
        "StatefulSet",
        &[
            (whole.clone(), Healthy),
            (with("/status/readyReplicas", json!(1)), Progressing),
            (with("/status/updateRevision", json!("b")), Progressing),
            (with("/status/currentReplicas", json!(1)), Progressing),
            (partly(2), Healthy),
            (partly(1), Progressing),
            (json!({"spec": {"updateStrategy": {"type": "OnDelete"}}}), Healthy),
            (json!({"spec": {}}), Progressing),
        ],
    );
}

#[test]
fn a_daemon_set_is_healthy_when_every_node_has_its_pod() {
    let whole = |ready: i64| {
        json!({"metadata": {"generation": 1}, "status": {"observedGeneration": 1, "desiredNumberScheduled": 2,
            "currentNumberScheduled": 2, "updatedNumberScheduled": 2, "numberAvailable": 2, "numberReady": ready}})
    };
    let none = json!({"metadata": {"generation": 1}, "status": {"observedGeneration": 1, "desiredNumberScheduled": 0}});
    check(
        "apps",
        "DaemonSet",
        &[(whole(2), Healthy), (whole(1), Progressing), (none, Healthy), (json!({}), Progressing)],
    );
}

#[test]
fn a_replica_set_that_cannot_make_pods_is_degraded() {
    let whole = json!({"spec": {"replicas": 1}, "status": {"replicas": 1, "fullyLabeledReplicas": 1,
        "availableReplicas": 1, "readyReplicas": 1}});
    check(
        "apps",
        "ReplicaSet",
        &[
            (whole, Healthy),
            (json!({"spec": {"replicas": 0}}), Healthy),
            (json!({"spec": {}}), Progressing),
            (condition("ReplicaFailure", "True", "FailedCreate"), Degraded),
        ],
    );
}

#[test]
fn a_pod_is_healthy_when_ready_or_done() {
    let waiting = |reason: &str| json!({"status": {"phase": "Pending", "containerStatuses": [{"state": {"waiting": {"reason": reason}}}]}});
    let running = |ready: &str| json!({"status": {"phase": "Running", "conditions": [{"type": "Ready", "status": ready}]}});
    check(
        "",
        "Pod",
        &[
            (running("True"), Healthy),
            (running("False"), Progressing),
            (json!({"status": {"phase": "Succeeded"}}), Healthy),
            (json!({"status": {"phase": "Failed"}}), Degraded),
            (waiting("ContainerCreating"), Progressing),
            (waiting("CrashLoopBackOff"), Degraded),
            (waiting("ImagePullBackOff"), Degraded),
            (json!({}), Progressing),
        ],
    );
}

#[test]
fn a_job_is_healthy_when_it_has_completed() {
    check(
        "batch",
        "Job",
        &[
            (condition("Complete", "True", ""), Healthy),
            (condition("Failed", "True", "BackoffLimitExceeded"), Degraded),
            (json!({"spec": {"suspend": true}}), Suspended),
            (json!({"status": {"active": 1, "startTime": "2024-01-01T00:00:00Z"}}), Progressing),
        ],
    );
    let id = ObjectId { group: "batch".into(), kind: "Job".into(), namespace: None, name: "x".into() };
    assert_eq!(finish(&id, &condition("Failed", "True", "")), Some(Finish::Failed));
    assert_eq!(finish(&id, &condition("Complete", "True", "")), Some(Finish::Completed));
    assert_eq!(finish(&id, &condition("Suspended", "True", "")), None);
}

#[test]
fn storage_network_and_schedules_have_their_rules() {
    let phase = |phase: &str| json!({"status": {"phase": phase}});
    check(
        "",
        "PersistentVolumeClaim",
        &[(phase("Bound"), Healthy), (phase("Pending"), Progressing), (phase("Lost"), Degraded)],
    );
    check("", "Namespace", &[(phase("Active"), Healthy), (phase("Terminating"), Progressing)]);
    let balanced = |ingress: Value| json!({"spec": {"type": "LoadBalancer"}, "status": {"loadBalancer": {"ingress": ingress}}});
    check(
        "",
        "Service",
        &[
            (json!({"spec": {"type": "ClusterIP"}}), Healthy),
            (balanced(json!([])), Progressing),
            (balanced(json!([{"ip": "192.0.2.1"}])), Healthy),
        ],
    );
    check(
        "batch",
        "CronJob",
        &[(json!({"spec": {"suspend": true}}), Suspended), (json!({"spec": {}}), Healthy)],
    );
    check(
        "autoscaling",
        "HorizontalPodAutoscaler",
        &[
            (condition("ScalingActive", "False", "FailedGetResourceMetric"), Healthy),
            (condition("ScalingActive", "False", "InvalidSelector"), Degraded),
            (condition("AbleToScale", "False", "FailedGetScale"), Degraded),
            (json!({}), Healthy),
        ],
    );
}

#[test]
fn a_definition_is_healthy_when_established() {
    check(
        "apiextensions.k8s.io",
        "CustomResourceDefinition",
        &[
            (condition("Established", "True", ""), Healthy),
            (condition("Established", "False", "Installing"), Progressing),
            (condition("Established", "False", "NotAccepted"), Degraded),
            (condition("NamesAccepted", "False", "PluralConflict"), Degraded),
            (json!({}), Progressing),
        ],
    );
    check(
        "apiregistration.k8s.io",
        "APIService",
        &[
            (condition("Available", "True", ""), Healthy),
            (condition("Available", "False", "MissingEndpoints"), Degraded),
            (json!({}), Progressing),
        ],
    );
}

#[test]
fn other_kinds_are_judged_by_their_conditions() {
    let behind = json!({"metadata": {"generation": 2}, "status": {"observedGeneration": 1}});
    check(
        "shop.dev",
        "Cart",
        &[
            (json!({}), Healthy),
            (behind, Progressing),
            (condition("Ready", "True", ""), Healthy),
            (condition("Ready", "False", ""), Progressing),
            (condition("Ready", "Unknown", ""), Progressing),
            (condition("Available", "False", ""), Progressing),
            (condition("Reconciling", "True", ""), Progressing),
            (condition("Stalled", "True", ""), Degraded),
            (json!({"metadata": {"deletionTimestamp": "2024-01-01T00:00:00Z"}}), Progressing),
        ],
    );
    check("", "ConfigMap", &[(json!({"data": {}}), Healthy)]);
}
