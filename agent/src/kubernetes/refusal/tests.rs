use http::StatusCode;
use serde_json::json;

use super::*;

fn check(code: u16, body: &serde_json::Value) -> (HoldReason, bool) {
    let id = ObjectId {
        group: "apps".into(),
        kind: "Deployment".into(),
        namespace: Some("a".into()),
        name: "x".into(),
    };
    let trouble = Trouble::refused(StatusCode::from_u16(code).unwrap(), body.to_string().as_bytes());
    let refusal = refusal(Act::Apply, &id, &trouble);
    assert!(!refusal.message.is_empty() && refusal.message.chars().count() <= 500, "{refusal:?}");
    (refusal.reason, refusal.retry)
}

fn causes(message: &str, causes: &serde_json::Value) -> serde_json::Value {
    json!({"message": message, "reason": "x", "details": {"causes": causes}})
}

#[test]
fn each_answer_has_its_reason() {
    use HoldReason::{ApplyFailed, CredentialRefused, Forbidden, KindNotServed, NamespaceMissing, Rejected};
    let said = |message: &str| json!({"message": message});
    let cases = [
        (401, said(""), CredentialRefused, true),
        (
            403,
            said(r#"x is forbidden: User "u" cannot patch resource "deployments" in API group "apps""#),
            Forbidden,
            false,
        ),
        (403, said("user is attempting to grant RBAC permissions not currently held:\n{}"), Forbidden, false),
        (403, said("pods x is forbidden: exceeded quota: q"), Rejected, false),
        (403, said(r#"pods "x" is forbidden: violates PodSecurity "restricted:latest""#), Rejected, false),
        (404, json!({"details": {"kind": "namespaces", "name": "a"}}), NamespaceMissing, true),
        (404, json!("404 page not found"), KindNotServed, true),
        (409, said("Precondition failed: UID in precondition"), ApplyFailed, true),
        (400, said("strict decoding error: unknown field"), Rejected, false),
        (413, said("Request entity too large"), Rejected, false),
        (418, said(r#"admission webhook "w" denied the request: no"#), Rejected, false),
        (500, said(r#"failed calling webhook "w": connection refused"#), ApplyFailed, true),
        (500, said("etcdserver: request is too large"), Rejected, false),
        (
            500,
            said("failed to create typed patch object (a/x; apps/v1): .spec.a: field not declared in schema"),
            Rejected,
            false,
        ),
        (503, said(""), ApplyFailed, true),
        (504, said("timeout"), ApplyFailed, true),
        (429, said(""), ApplyFailed, true),
    ];
    for (code, body, reason, retry) in cases {
        assert_eq!(check(code, &body), (reason, retry), "{code} {body}");
    }
}

#[test]
fn f5_a_terminating_namespace_is_waited_for() {
    let body =
        causes("x is forbidden", &json!([{"reason": "NamespaceTerminating", "field": "metadata.namespace"}]));
    assert_eq!(check(403, &body), (HoldReason::NamespaceTerminating, true));
    let old =
        json!({"message": "unable to create new content in namespace a because it is being terminated"});
    assert_eq!(check(403, &old), (HoldReason::NamespaceTerminating, true));
}

#[test]
fn f6_what_cannot_change_is_told_from_what_is_wrong() {
    let one = |message: &str| causes("", &json!([{"field": "spec.x", "message": message}]));
    for message in [
        "Invalid value: \"x\": field is immutable",
        "Forbidden: updates to statefulset spec for fields other than 'replicas' are forbidden",
        "Forbidden: spec is immutable after creation except resources.requests",
        "Invalid value: \"\": may not change once set",
        "Invalid value: {}: cannot change roleRef",
    ] {
        assert_eq!(check(422, &one(message)), (HoldReason::ImmutableChange, false), "{message}");
    }
    assert_eq!(check(422, &one("Required value")), (HoldReason::Rejected, false));
}

#[test]
fn f40_another_uid_is_another_object() {
    let body = causes(
        "",
        &json!([{"field": "metadata.uid", "message": "Invalid value: \"x\": field is immutable"}]),
    );
    assert_eq!(check(422, &body), (HoldReason::ApplyFailed, true));
}

#[test]
fn silence_passes() {
    let id = ObjectId { group: String::new(), kind: "Pod".into(), namespace: None, name: "x".into() };
    let refusal = refusal(Act::Delete, &id, &Trouble::Silent("connection refused".into()));
    assert_eq!((refusal.reason, refusal.retry), (HoldReason::ApplyFailed, true));
}
