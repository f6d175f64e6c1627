//! Deleting: this very object, or nothing.

use agent::target::{Deleted, Seen};
use anyhow::Result;
use cdn::document::HoldReason;
use serde_json::json;

use super::{Bench, address, prepared, until};

#[tokio::test]
async fn f40_only_the_object_that_was_seen_is_deleted() -> Result<()> {
    let bench = Bench::new("deleted").await?;
    let object = bench.config("one", &json!({"a": "1"}));
    let at = address(&object)?;
    let first = bench.apply(&prepared("default/web", &object)?).await?.live;
    bench.kubectl(&["delete", "configmap", "one"]).await?;
    bench.kubectl_with(&object, &["create"]).await?;
    let refused = bench.target.delete(&at, &first.uid, None).await.expect_err("it is another one");
    assert!(refused.retry, "{refused:?}");
    let second = bench.live(&object).await?;
    let refused = bench.target.delete(&at, &second.uid, Some("1")).await.expect_err("it has changed");
    assert!(refused.retry, "{refused:?}");
    let deleted = bench.target.delete(&at, &second.uid, Some(&second.resource_version)).await?;
    assert_eq!(deleted, Deleted::Gone);
    assert_eq!(bench.seen(&object).await?, Seen::Missing);
    assert_eq!(bench.target.delete(&at, &second.uid, None).await?, Deleted::Gone);
    Ok(())
}

#[tokio::test]
async fn f19_an_object_with_a_finalizer_is_being_deleted() -> Result<()> {
    let bench = Bench::new("finalizer").await?;
    let mut object = bench.config("one", &json!({}));
    object["metadata"]["finalizers"] = json!(["example.dev/hold"]);
    let live = bench.apply(&prepared("default/web", &object)?).await?.live;
    assert_eq!(bench.target.delete(&address(&object)?, &live.uid, None).await?, Deleted::Deleting);
    assert!(bench.live(&object).await?.deleting);
    bench.kubectl(&["patch", "configmap", "one", "-p", r#"{"metadata": {"finalizers": null}}"#]).await?;
    assert_eq!(bench.seen(&object).await?, Seen::Missing);
    Ok(())
}

#[tokio::test]
async fn kinds_that_are_answered_by_themselves_are_gone_all_the_same() -> Result<()> {
    let bench = Bench::new("answered").await?;
    let account = json!({"apiVersion": "v1", "kind": "ServiceAccount",
        "metadata": {"name": "one", "namespace": bench.namespace}});
    let service = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "one", "namespace": bench.namespace},
        "spec": {"ports": [{"port": 80}]}});
    for object in [account, service, bench.deployment("web", "registry.invalid/web:1")] {
        let live = bench.apply(&prepared("default/web", &object)?).await?.live;
        assert_eq!(
            bench.target.delete(&address(&object)?, &live.uid, None).await?,
            Deleted::Gone,
            "{object}"
        );
        assert_eq!(bench.seen(&object).await?, Seen::Missing, "{object}");
    }
    Ok(())
}

#[tokio::test]
async fn f20_a_delete_that_admission_denies_is_refused_and_the_object_stays() -> Result<()> {
    let bench = Bench::new("denied").await?;
    let name = format!("keep.{}", bench.namespace);
    let rule = json!({"apiGroups": [""], "apiVersions": ["v1"], "operations": ["DELETE"], "resources": ["configmaps"]});
    let matches = json!({"matchLabels": {"kubernetes.io/metadata.name": bench.namespace}});
    let policy = json!({"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": name}, "spec": {"failurePolicy": "Fail",
            "matchConstraints": {"namespaceSelector": matches, "resourceRules": [rule]},
            "validations": [{"expression": "oldObject.metadata.name == 'free'", "message": "it is kept"}]}});
    let binding = json!({"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": name}, "spec": {"policyName": name, "validationActions": ["Deny"]}});
    bench.cluster.kubectl_with(&policy.to_string(), &["apply", "-f", "-"]).await?;
    bench.cluster.kubectl_with(&binding.to_string(), &["apply", "-f", "-"]).await?;
    bench.kubectl_with(&bench.config("probe", &json!({})), &["create"]).await?;
    let is_denied =
        async || Ok(bench.kubectl(&["delete", "configmap", "probe", "--dry-run=server"]).await.is_err());
    until("the policy is in force", is_denied).await?;
    let kept = bench.config("kept", &json!({}));
    let free = bench.config("free", &json!({}));
    let live = bench.apply(&prepared("default/web", &kept)?).await?.live;
    let other = bench.apply(&prepared("default/web", &free)?).await?.live;
    let refused = bench.target.delete(&address(&kept)?, &live.uid, None).await.expect_err("it is denied");
    assert_eq!(refused.reason, HoldReason::Rejected);
    assert!(refused.message.contains("it is kept"), "{refused}");
    assert_eq!(bench.live(&kept).await?, live);
    assert_eq!(bench.target.delete(&address(&free)?, &other.uid, None).await?, Deleted::Gone);
    Ok(())
}
