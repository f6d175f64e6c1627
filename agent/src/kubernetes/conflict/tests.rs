use super::*;

fn conflict(causes: &[(&str, &str)]) -> Status {
    let causes: Vec<_> = causes
        .iter()
        .map(|(message, field)| {
            serde_json::json!({"reason": "FieldManagerConflict", "message": message, "field": field})
        })
        .collect();
    let status = serde_json::json!({"status": "Failure", "reason": "Conflict", "code": 409, "message": "Apply failed",
        "details": {"causes": causes}});
    serde_json::from_value(status).unwrap()
}

fn check(message: &str) -> Option<HoldReason> {
    let all = contenders(&conflict(&[(message, ".spec.replicas")]));
    assert_eq!(all.len(), 1, "{message}");
    refusal(&all).map(|refusal| refusal.reason)
}

#[test]
fn f12_a_persons_edit_is_taken_back() {
    for manager in
        ["kubectl-edit", "kubectl-client-side-apply", "kubectl", "k9s", "python-requests", "Mozilla"]
    {
        let message = format!("conflict with {manager:?} using apps/v1 at 2024-01-01T00:00:00Z");
        assert_eq!(check(&message), None, "{manager}");
    }
}

#[test]
fn f12_another_tools_field_is_left_to_it() {
    for manager in
        ["argocd-controller", "argocd-application-controller", "kustomize-controller", "helm-controller"]
    {
        let message = format!("conflict with {manager:?}");
        assert_eq!(check(&message), Some(HoldReason::Conflict), "{manager}");
    }
}

#[test]
fn f13_another_service_of_ours_keeps_its_object() {
    assert_eq!(check(r#"conflict with "windlass/default/web""#), Some(HoldReason::OwnedBy));
    let both = conflict(&[
        (r#"conflict with "argocd-controller""#, ".spec.a"),
        (r#"conflict with "windlass/default/web""#, ".metadata.annotations.windlass.dev/owner"),
    ]);
    let refusal = refusal(&contenders(&both)).unwrap();
    assert_eq!(refusal.reason, HoldReason::OwnedBy);
    assert!(refusal.message.contains("default/web") && !refusal.retry, "{refusal:?}");
}

#[test]
fn f11_replicas_that_an_autoscaler_has_set_are_left_to_it() {
    let message = r#"conflict with "kube-controller-manager" with subresource "scale" using apps/v1"#;
    assert_eq!(check(message), Some(HoldReason::Conflict));
    assert_eq!(check(r#"conflict with "kubectl" with subresource "scale" using apps/v1"#), None);
}

#[test]
fn fields_are_gathered_by_their_owner_and_not_all_of_many_are_named() {
    let fields: Vec<String> = (0..8).map(|n| format!(".spec.f{n}")).collect();
    let causes: Vec<_> =
        fields.iter().map(|field| (r#"conflict with "flux" using v1"#, field.as_str())).collect();
    let all = contenders(&conflict(&causes));
    assert_eq!(all.len(), 1);
    assert_eq!(listed(&all), "flux (.spec.f0, .spec.f1, .spec.f2, .spec.f3, .spec.f4 and 3 more)");
}

#[test]
fn a_409_about_something_else_names_nobody() {
    let status: Status =
        serde_json::from_value(serde_json::json!({"reason": "Conflict", "message": "uid mismatch"})).unwrap();
    assert_eq!(contenders(&status), []);
    assert_eq!(contenders(&conflict(&[("conflict with nobody", ".a")])), []);
}

/// The corpus of the fuzz target: a message that is cut anywhere names whom it names, or nobody.
#[test]
fn b12_a_message_that_is_cut_names_its_manager_or_nobody() {
    let message = r#"conflict with "k\u00e9 \"q" with subresource "scale" using apps/v1"#;
    for end in 0..=message.len() {
        let all = contenders(&conflict(&[(&message[..end], ".spec")]));
        assert!(all.iter().all(|one| one.manager == "ké \"q"), "{end}");
        assert_eq!(all.len(), usize::from(end >= message.find(" with sub").unwrap()), "{end}");
    }
}
