//! What nothing forbids but a person should know: APIs that new clusters no longer serve, Jobs that are gone too soon.

use cdn::Object;
use serde_json::Value;

/// Group and version, kinds (empty: all), the release that no longer serves it, and what to write instead.
/// Source: the Kubernetes deprecated API migration guide.
const REMOVED: [(&str, &[&str], &str, &str); 14] = [
    ("extensions/v1beta1", &["Ingress"], "1.22", "networking.k8s.io/v1"),
    ("extensions/v1beta1", &[], "1.16", "apps/v1, networking.k8s.io/v1"),
    ("apps/v1beta1", &[], "1.16", "apps/v1"),
    ("apps/v1beta2", &[], "1.16", "apps/v1"),
    ("networking.k8s.io/v1beta1", &["Ingress", "IngressClass"], "1.22", "networking.k8s.io/v1"),
    ("rbac.authorization.k8s.io/v1beta1", &[], "1.22", "rbac.authorization.k8s.io/v1"),
    ("apiextensions.k8s.io/v1beta1", &[], "1.22", "apiextensions.k8s.io/v1"),
    (
        "admissionregistration.k8s.io/v1beta1",
        &["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"],
        "1.22",
        "admissionregistration.k8s.io/v1",
    ),
    ("batch/v1beta1", &["CronJob"], "1.25", "batch/v1"),
    ("policy/v1beta1", &["PodDisruptionBudget"], "1.25", "policy/v1"),
    ("policy/v1beta1", &["PodSecurityPolicy"], "1.25", "Pod Security admission"),
    ("autoscaling/v2beta1", &[], "1.25", "autoscaling/v2"),
    ("autoscaling/v2beta2", &[], "1.26", "autoscaling/v2"),
    ("flowcontrol.apiserver.k8s.io/v1beta3", &[], "1.32", "flowcontrol.apiserver.k8s.io/v1"),
];

/// How long a finished Job stays at least for an agent to have seen it: two full passes, and a minute.
const SEEN_SECONDS: i64 = 300;

/// What to tell about an object.
pub(super) fn warning(object: &Object, value: &Value) -> Option<String> {
    let (version, kind) = (object.api_version(), object.id().kind.as_str());
    let gone = REMOVED
        .iter()
        .find(|(removed, kinds, ..)| *removed == version && (kinds.is_empty() || kinds.contains(&kind)));
    if let Some((_, _, since, instead)) = gone {
        return Some(format!("{version} {kind} is not served since Kubernetes {since}; write {instead}"));
    }
    let ttl = value.pointer("/spec/ttlSecondsAfterFinished").and_then(Value::as_i64);
    let is_job = object.id().group == "batch" && kind == "Job";
    ttl.filter(|ttl| is_job && *ttl < SEEN_SECONDS).map(|ttl| {
        format!(
            "its ttlSecondsAfterFinished of {ttl} may remove it before an agent has seen how it ended, and its health is \
             Unknown then; write {SEEN_SECONDS} or more, or leave the field out"
        )
    })
}
