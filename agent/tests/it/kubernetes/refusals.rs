//! Every no of the API server has its reason, and no word of an object's content.

use std::time::Duration;

use agent::target::Refusal;
use anyhow::{Context as _, Result};
use cdn::document::HoldReason;
use serde_json::{Value, json};

use super::{Bench, prepared, prepared_for, until};

const CANARY: &str = "hunter2-canary";

async fn refused(bench: &Bench, object: &Value) -> Result<Refusal> {
    Ok(bench.apply(&prepared("default/web", object)?).await.expect_err("it is refused"))
}

#[tokio::test]
async fn f5_in_a_namespace_that_is_being_deleted_nothing_is_created_and_elsewhere_all_is() -> Result<()> {
    let bench = Bench::new("going").await?;
    let elsewhere = Bench::new("staying").await?;
    bench.cluster.kubectl(&["delete", "namespace", &bench.namespace, "--wait=false"]).await?;
    let refused = refused(&bench, &bench.config("one", &json!({}))).await?;
    assert_eq!((refused.reason, refused.retry), (HoldReason::NamespaceTerminating, true));
    elsewhere.apply(&prepared("default/web", &elsewhere.config("one", &json!({})))?).await?;
    Ok(())
}

#[tokio::test]
async fn a_missing_namespace_is_named() -> Result<()> {
    let bench = Bench::new("nowhere").await?;
    let mut object = bench.config("one", &json!({}));
    object["metadata"]["namespace"] = json!("not-there");
    let refused = refused(&bench, &object).await?;
    assert_eq!((refused.reason, refused.retry), (HoldReason::NamespaceMissing, true));
    assert!(refused.message.contains("not-there"), "{refused}");
    Ok(())
}

#[tokio::test]
async fn f6_an_immutable_field_is_named() -> Result<()> {
    let bench = Bench::new("fixed").await?;
    let metadata = |name: &str| json!({"name": name, "namespace": bench.namespace});
    let pods = json!({"metadata": {"labels": {"app": "x"}}, "spec": {"restartPolicy": "Never",
        "containers": [{"name": "main", "image": "registry.invalid/a:1"}]}});
    let job = json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata("one"), "spec": {"template": pods}});
    let set = json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": metadata("one"), "spec": {
        "serviceName": "one", "replicas": 0, "selector": {"matchLabels": {"app": "x"}}, "template": {
            "metadata": {"labels": {"app": "x"}},
            "spec": {"containers": [{"name": "main", "image": "registry.invalid/a:1"}]}}}});
    let binding = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": metadata("one"),
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "a"}, "subjects": []});
    let claim = json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata("one"),
        "spec": {"accessModes": ["ReadWriteOnce"], "storageClassName": "a", "resources": {"requests": {"storage": "1Gi"}}}});
    let cases = [
        (
            bench.deployment("web", "registry.invalid/a:1"),
            "/spec/selector/matchLabels/app",
            json!("other"),
            "spec.selector",
        ),
        (job, "/spec/template/spec/containers/0/image", json!("registry.invalid/a:2"), "spec.template"),
        (set, "/spec/serviceName", json!("other"), "spec"),
        (binding, "/roleRef/name", json!("b"), "roleRef"),
        (claim, "/spec/storageClassName", json!("b"), "spec"),
    ];
    for (object, pointer, value, field) in cases {
        let live = bench.apply(&prepared("default/web", &object)?).await?.live;
        let mut changed = object.clone();
        *changed.pointer_mut(pointer).context("the field is there")? = value;
        if pointer.contains("selector") {
            changed["spec"]["template"]["metadata"]["labels"]["app"] = json!("other");
        }
        let refused = bench.apply(&prepared_for("default/web", &changed, &live)?).await;
        let refused = refused.expect_err("it cannot change");
        assert_eq!((refused.reason, refused.retry), (HoldReason::ImmutableChange, false), "{refused}");
        assert!(refused.message.contains(field), "{refused}");
    }
    Ok(())
}

#[tokio::test]
async fn what_validation_rejects_is_said_with_its_field() -> Result<()> {
    let bench = Bench::new("wrong").await?;
    let mut negative = bench.deployment("web", "registry.invalid/a:1");
    negative["spec"]["replicas"] = json!(-1);
    let mut unknown = bench.deployment("web", "registry.invalid/a:1");
    unknown["spec"]["replicaz"] = json!(1);
    let mut typed = bench.deployment("web", "registry.invalid/a:1");
    typed["spec"]["paused"] = json!("maybe");
    for (object, field) in [(negative, "spec.replicas"), (unknown, "spec.replicaz"), (typed, "spec.paused")] {
        let refused = refused(&bench, &object).await?;
        assert_eq!((refused.reason, refused.retry), (HoldReason::Rejected, false), "{refused}");
        assert!(refused.message.contains(field), "{refused}");
    }
    Ok(())
}

#[tokio::test]
async fn f28_a_missing_right_is_named_and_the_rest_is_applied() -> Result<()> {
    let bench = Bench::new("limited").await?;
    let user = format!("limited-{}", bench.namespace);
    bench
        .kubectl(&["create", "role", "some", "--verb=get,list,create,patch", "--resource=configmaps"])
        .await?;
    bench.kubectl(&["create", "rolebinding", "some", "--role=some", &format!("--user={user}")]).await?;
    let limited = bench.of(&user).await?;
    limited.apply(&prepared("default/web", &bench.config("one", &json!({})))?).await?;
    let object = bench.deployment("web", "registry.invalid/a:1");
    let refused = limited.apply(&prepared("default/web", &object)?).await.expect_err("it may not");
    assert_eq!((refused.reason, refused.retry), (HoldReason::Forbidden, false));
    for part in ["patch", "\"deployments\"", "\"apps\"", &bench.namespace] {
        assert!(refused.message.contains(part), "{part}: {refused}");
    }
    Ok(())
}

#[tokio::test]
async fn f8_a_webhook_that_does_not_answer_fails_its_object_and_no_other() -> Result<()> {
    let bench = Bench::new("hooked").await?;
    let name = format!("hook.{}.dev", bench.namespace);
    let matches = json!({"matchLabels": {"kubernetes.io/metadata.name": bench.namespace}});
    let hook = json!({"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": name}, "webhooks": [{"name": name, "failurePolicy": "Fail", "sideEffects": "None",
            "admissionReviewVersions": ["v1"], "clientConfig": {"url": "https://127.0.0.1:1/"},
            "namespaceSelector": matches, "rules": [{"apiGroups": [""], "apiVersions": ["v1"],
                "operations": ["CREATE"], "resources": ["configmaps"]}]}]});
    bench.cluster.kubectl_with(&hook.to_string(), &["apply", "-f", "-"]).await?;
    let probe = bench.config("probe", &json!({}));
    let in_force = async || Ok(bench.kubectl_with(&probe, &["create", "--dry-run=server"]).await.is_err());
    until("the webhook is in force", in_force).await?;
    let refused = refused(&bench, &bench.config("one", &json!({}))).await?;
    assert_eq!((refused.reason, refused.retry), (HoldReason::ApplyFailed, true), "{refused}");
    assert!(refused.message.contains(&name), "{refused}");
    bench.apply(&prepared("default/web", &bench.deployment("web", "registry.invalid/a:1"))?).await?;
    bench.cluster.kubectl(&["delete", "validatingwebhookconfiguration", &name]).await?;
    Ok(())
}

#[tokio::test]
async fn e1_no_refusal_repeats_what_an_object_holds() -> Result<()> {
    let bench = Bench::new("canary").await?;
    let metadata = |name: &str| json!({"name": name, "namespace": bench.namespace});
    let secret = |name: &str, kind: &str, data: &Value| json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata(name), "type": kind, "data": data});
    let base64 = "aHVudGVyMi1jYW5hcnk=";
    let live =
        bench.apply(&prepared("default/web", &secret("one", "Opaque", &json!({"p": base64})))?).await?.live;
    let retyped = secret("one", "example.dev/other", &json!({"p": base64}));
    let retyped =
        bench.apply(&prepared_for("default/web", &retyped, &live)?).await.expect_err("it cannot change");
    assert_eq!(retyped.reason, HoldReason::ImmutableChange);
    let mut refusals = vec![retyped];
    refusals.push(refused(&bench, &secret("two", "Opaque", &json!({"p": CANARY}))).await?);
    refusals.push(refused(&bench, &secret("two", "Opaque", &json!({"p": {CANARY: CANARY}}))).await?);
    refusals.push(refused(&bench, &secret("two", "kubernetes.io/tls", &json!({CANARY: base64}))).await?);
    let mut labelled = bench.deployment("web", "registry.invalid/a:1");
    labelled["metadata"]["labels"] = json!({"a": format!("{CANARY}!")});
    refusals.push(refused(&bench, &labelled).await?);
    let mut environment = bench.deployment("web", "registry.invalid/a:1");
    environment["spec"]["template"]["spec"]["containers"][0]["env"] =
        json!([{"name": "A", "value": [CANARY]}]);
    refusals.push(refused(&bench, &environment).await?);
    for refusal in refusals {
        for word in [CANARY, base64] {
            assert!(!format!("{refusal:?}").contains(word), "{refusal:?}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn f24_an_object_that_etcd_cannot_take_is_rejected() -> Result<()> {
    let bench = Bench::new("large").await?;
    let group = format!("large{}.dev", bench.namespace.replace('-', ""));
    super::served::define(&bench, &group, "Thing", &[("v1", true)]).await?;
    let kinds = [super::kind(&group, "v1", "Thing")].into();
    bench.target.wait_served(&kinds, Duration::from_secs(30)).await;
    let object = json!({"apiVersion": format!("{group}/v1"), "kind": "Thing",
        "metadata": {"name": "one", "namespace": bench.namespace}, "spec": {"text": "x".repeat(1_700_000)}});
    let refused = refused(&bench, &object).await?;
    assert_eq!(refused.reason, HoldReason::Rejected, "{refused}");
    Ok(())
}
