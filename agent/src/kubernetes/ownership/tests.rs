use super::*;

const WEB: &str = "windlass/default/web";
/// Of an object that declares its replicas.
const WHOLE: Legacy = Legacy { leaves_replicas: false };

fn entry(manager: &str, operation: &str, fields: impl Into<Value>) -> Value {
    json!({"manager": manager, "operation": operation, "apiVersion": "apps/v1", "time": "2024-01-01T00:00:00Z",
        "fieldsType": "FieldsV1", "fieldsV1": fields.into()})
}

fn image() -> Value {
    json!({"f:spec": {"f:containers": {"k:{\"name\":\"web\"}": {".": {}, "f:image": {}}}}})
}

fn arguments() -> Value {
    json!({"f:spec": {"f:paused": {}, "f:containers": {"k:{\"name\":\"web\"}": {".": {}, "f:args": {}}}}})
}

#[test]
fn f25_what_kubectl_declared_becomes_ours_and_nothing_of_others_is_touched() {
    let other = entry("kube-controller-manager", "Update", json!({"f:status": {}}));
    let entries = [
        entry("kubectl-client-side-apply", "Update", arguments()),
        other.clone(),
        entry(WEB, "Apply", image()),
    ];
    let after = WHOLE.taken_over(&entries, WEB).unwrap();
    let fields = json!({"f:spec": {"f:paused": {}, "f:containers": {"k:{\"name\":\"web\"}":
        {".": {}, "f:args": {}, "f:image": {}}}}});
    assert_eq!(after, [entry(WEB, "Apply", fields), other]);
    assert!(WHOLE.is_in(&entries) && !WHOLE.is_in(&after));
    assert_eq!(WHOLE.taken_over(&after, WEB), None);
}

#[test]
fn f25_a_first_entry_of_kubectl_alone_is_renamed() {
    let entries = [entry("kubectl-client-side-apply", "Update", image())];
    assert_eq!(WHOLE.taken_over(&entries, WEB).unwrap(), [entry(WEB, "Apply", image())]);
}

#[test]
fn an_entry_in_another_version_is_left_alone() {
    let mut old = entry("kubectl-client-side-apply", "Update", image());
    old["apiVersion"] = "extensions/v1beta1".into();
    assert_eq!(WHOLE.taken_over(&[old, entry(WEB, "Apply", image())], WEB), None);
}

#[test]
fn a_persons_edits_and_another_service_are_not_legacy() {
    for manager in ["kubectl-edit", "kubectl", "windlass/default/api", "argocd-controller"] {
        let entries = [entry(manager, "Update", image()), entry(manager, "Apply", image())];
        assert_eq!(WHOLE.taken_over(&entries, WEB), None, "{manager}");
    }
}

#[test]
fn f14_a_former_service_owns_nothing_afterwards() {
    let former = ["windlass/default/old".to_owned()];
    let entries =
        [entry("windlass/default/old", "Apply", arguments()), entry("kubectl-edit", "Update", image())];
    let after = without_former(&entries, WEB, &former).unwrap();
    assert_eq!(after, [entry(WEB, "Apply", arguments()), entry("kubectl-edit", "Update", image())]);
    assert_eq!(without_former(&after, WEB, &former), None);
}

#[test]
fn without_any_other_owner_the_list_is_reset_not_kept() {
    assert_eq!(without(&[entry(WEB, "Apply", image())], WEB), [json!({})]);
    let other = entry("kubectl-edit", "Update", image());
    assert_eq!(without(&[entry(WEB, "Apply", image()), other.clone()], WEB), [other]);
}

#[test]
fn whoever_created_an_object_is_among_its_owners() {
    let ours = entry(WEB, "Apply", image());
    assert!(is_alone(std::slice::from_ref(&ours), WEB));
    assert!(!is_alone(&[ours, entry("kubectl-create", "Update", image())], WEB));
}

#[test]
fn the_content_moves_with_our_own_entries_alone() {
    let ours = entry(WEB, "Apply", image());
    let before = content("uid", std::slice::from_ref(&ours));
    let status = entry("kubelet", "Update", json!({"f:status": {}}));
    assert_eq!(content("uid", &[status, ours.clone()]), before);
    assert_ne!(content("uid", &[entry(WEB, "Apply", json!({}))]), before);
    assert_ne!(content("uid", &[]), before);
    assert_ne!(content("other", &[ours]), before);
}

#[test]
fn f11_whoever_set_the_replicas_is_named_and_the_scale_subresource_comes_first() {
    let replicas = json!({"f:spec": {"f:replicas": {}}});
    let mut scaled = entry("kube-controller-manager", "Update", replicas.clone());
    scaled["subresource"] = "scale".into();
    let edited = entry("kubectl-edit", "Update", replicas.clone());
    let ours = entry(WEB, "Apply", replicas);
    assert_eq!(scaler(&[ours.clone(), edited.clone(), scaled]).as_deref(), Some("kube-controller-manager"));
    assert_eq!(scaler(&[ours.clone(), edited]).as_deref(), Some("kubectl-edit"));
    assert_eq!(scaler(&[ours, entry("kubectl-edit", "Update", image())]), None);
}

#[test]
fn f11_replicas_that_we_do_not_declare_stay_with_whoever_declared_them() {
    let scaled = Legacy::of(&json!({"spec": {"paused": false}}));
    let of = |fields: Value| entry("helm", "Update", fields);
    let replicas = json!({"f:spec": {"f:replicas": {}}});
    let entries = [of(json!({"f:spec": {"f:replicas": {}, "f:paused": {}}})), entry(WEB, "Apply", image())];
    let after = scaled.taken_over(&entries, WEB).unwrap();
    let fields = json!({"f:spec": {"f:paused": {}, "f:containers": {"k:{\"name\":\"web\"}": {".": {}, "f:image": {}}}}});
    assert_eq!(after, [entry(WEB, "Apply", fields), of(replicas.clone())]);
    assert!(!scaled.is_in(&after), "what stays is not looked at again");
    assert_eq!(scaled.taken_over(&after, WEB), None);
    // Nothing of the specification but its replicas: no empty set of fields is left of it.
    let entries = [of(json!({"f:metadata": {"f:labels": {}}, "f:spec": {"f:replicas": {}}}))];
    let after = scaled.taken_over(&entries, WEB).unwrap();
    assert_eq!(after, [entry(WEB, "Apply", json!({"f:metadata": {"f:labels": {}}})), of(replicas)]);
    assert!(Legacy::of(&json!({"spec": {"replicas": 2}})).is_in(&after), "declared, they are ours");
}
