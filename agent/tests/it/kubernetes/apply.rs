//! Applying: idempotent, repairing, counting its changes.

use agent::target::{OWNER, OwnerMark};
use anyhow::{Context as _, Result};
use cdn::document::Health;
use serde_json::json;
use testbed::Cluster;

use super::{Bench, fleet, id_of, managers, prepared, prepared_for, service, until};

#[tokio::test]
async fn an_object_applied_twice_keeps_its_resource_version() -> Result<()> {
    let bench = Bench::new("twice").await?;
    for object in [bench.config("one", &json!({"a": "1"})), bench.deployment("web", "registry.invalid/web:1")]
    {
        let first = bench.apply(&prepared("default/web", &object)?).await?;
        assert!(first.changed);
        let id = id_of(&object)?;
        let owner = first.live.owner.as_ref().and_then(|mark| mark.owner_of(&id, fleet()));
        assert_eq!(owner, Some(&service("default/web")));
        let again = bench.apply(&prepared_for("default/web", &object, &first.live)?).await?;
        assert!(!again.changed);
        assert_eq!(again.live, first.live);
        assert_eq!(bench.live(&object).await?, first.live);
    }
    Ok(())
}

#[tokio::test]
async fn a_change_within_a_second_is_seen_as_one() -> Result<()> {
    let bench = Bench::new("quick").await?;
    for name in ["one", "two", "three"] {
        let first = bench.apply(&prepared("default/web", &bench.config(name, &json!({"a": "1"})))?).await?;
        let second = prepared_for("default/web", &bench.config(name, &json!({"a": "2"})), &first.live)?;
        let second = bench.apply(&second).await?;
        assert!(second.changed);
        assert_eq!(second.live.uid, first.live.uid);
        assert_ne!(second.live.resource_version, first.live.resource_version);
    }
    Ok(())
}

#[tokio::test]
async fn a_target_that_starts_anew_knows_what_an_apply_changes() -> Result<()> {
    let bench = Bench::new("anew").await?;
    let object = bench.config("one", &json!({"a": "1"}));
    let first = bench.apply(&prepared("default/web", &object)?).await?;
    let restarted = super::target(bench.cluster.kubeconfig(), &bench.namespace).await?;
    assert!(!restarted.apply(&prepared_for("default/web", &object, &first.live)?).await?.changed);
    Ok(())
}

#[tokio::test]
async fn a_field_that_left_the_source_leaves_the_object() -> Result<()> {
    let bench = Bench::new("less").await?;
    let first =
        bench.apply(&prepared("default/web", &bench.config("one", &json!({"a": "1", "b": "2"})))?).await?;
    let less = bench.config("one", &json!({"a": "1"}));
    assert!(bench.apply(&prepared_for("default/web", &less, &first.live)?).await?.changed);
    assert_eq!(bench.get("configmap", "one").await?["data"], json!({"a": "1"}));
    Ok(())
}

#[tokio::test]
async fn drift_is_seen_and_repaired_and_what_others_add_is_not_drift() -> Result<()> {
    let bench = Bench::new("drift").await?;
    let object = bench.deployment("web", "registry.invalid/web:1");
    let first = bench.apply(&prepared("default/web", &object)?).await?;
    bench.kubectl(&["annotate", "deployment", "web", "note=theirs"]).await?;
    let annotated = bench.live(&object).await?;
    assert_eq!(annotated.content, first.live.content, "another's annotation is not ours to repair");
    let image = r#"[{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "evil"}]"#;
    bench
        .kubectl(&["patch", "deployment", "web", "--type=json", "-p", image, "--field-manager=kubectl-edit"])
        .await?;
    let drifted = bench.live(&object).await?;
    assert_ne!(drifted.content, first.live.content);
    let repaired = bench.apply(&prepared_for("default/web", &object, &drifted)?).await?;
    assert!(repaired.changed);
    let now = bench.get("deployment", "web").await?;
    assert_eq!(now["spec"]["template"]["spec"]["containers"][0]["image"], "registry.invalid/web:1");
    assert_eq!(now["metadata"]["annotations"]["note"], "theirs");
    Ok(())
}

#[tokio::test]
async fn drift_of_a_secret_is_seen_without_reading_it() -> Result<()> {
    let bench = Bench::new("secretly").await?;
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "one", "namespace": bench.namespace},
        "stringData": {"a": "x"}});
    let stored = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "one", "namespace": bench.namespace},
        "data": {"a": "eA=="}});
    assert!(bench.apply(&prepared("default/web", &secret)?).await.is_ok());
    let first = bench.live(&stored).await?;
    let first = bench.apply(&prepared_for("default/web", &stored, &first)?).await?;
    bench.kubectl(&["patch", "secret", "one", "-p", r#"{"data": {"a": "eQ=="}}"#]).await?;
    let drifted = bench.live(&stored).await?;
    assert_ne!(drifted.content, first.live.content);
    assert!(bench.apply(&prepared_for("default/web", &stored, &drifted)?).await?.changed);
    assert_eq!(bench.get("secret", "one").await?["data"]["a"], "eA==");
    Ok(())
}

#[tokio::test]
async fn f11_replicas_that_an_autoscaler_sets_are_reported_and_left_when_not_declared() -> Result<()> {
    let bench = Bench::new("scaled").await?;
    let object = bench.deployment("web", "registry.invalid/web:1");
    let first = bench.apply(&prepared("default/web", &object)?).await?;
    assert_eq!(first.live.scaler, None);
    let scale = ["patch", "deployment", "web", "--subresource=scale", "-p", r#"{"spec": {"replicas": 3}}"#];
    bench.kubectl(&[&scale[..], &["--field-manager=kube-controller-manager"]].concat()).await?;
    let scaled = bench.live(&object).await?;
    assert_eq!(scaled.scaler.as_deref(), Some("kube-controller-manager"));
    let refused = bench.apply(&prepared_for("default/web", &object, &scaled)?).await.expect_err("it is left");
    assert!(refused.retry, "{refused:?}");
    let mut without = object.clone();
    without["spec"].as_object_mut().context("a specification")?.remove("replicas");
    for _ in 0..3 {
        bench.apply(&prepared_for("default/web", &without, &scaled)?).await?;
        assert_eq!(bench.get("deployment", "web").await?["spec"]["replicas"], 3);
    }
    Ok(())
}

#[tokio::test]
async fn f23_a_mark_that_was_copied_to_another_object_names_no_owner_of_it() -> Result<()> {
    let bench = Bench::new("copied").await?;
    let object = bench.config("one", &json!({}));
    let first = bench.apply(&prepared("default/web", &object)?).await?;
    let mark = first.live.owner.as_ref().map(OwnerMark::to_string).context("it is marked")?;
    let mut child = bench.config("child", &json!({}));
    child["metadata"]["annotations"] = json!({OWNER: mark});
    bench.kubectl_with(&child, &["create"]).await?;
    let copy = bench.live(&child).await?;
    assert_eq!(copy.owner.context("it reads")?.owner_of(&id_of(&child)?, fleet()), None);
    Ok(())
}

#[tokio::test]
async fn f14_an_object_of_a_former_service_changes_hands_as_it_is() -> Result<()> {
    let bench = Bench::new("hands").await?;
    let old = bench.config("one", &json!({"a": "1", "b": "2"}));
    let first = bench.apply(&prepared("default/old", &old)?).await?;
    let new = bench.config("one", &json!({"a": "1"}));
    let mut taken = prepared_for("default/new", &new, &first.live)?;
    taken.former.insert(service("default/old"));
    let second = bench.apply(&taken).await?;
    assert!(second.changed);
    assert_eq!(second.live.uid, first.live.uid);
    assert_eq!(second.live.owner.map(|mark| mark.service), Some(service("default/new")));
    let now = bench.get("configmap", "one").await?;
    assert_eq!(now["data"], json!({"a": "1"}));
    assert_eq!(managers(&now), ["windlass/default/new"]);
    Ok(())
}

#[tokio::test]
async fn a_deployment_is_healthy_when_its_pods_are_ready() -> Result<()> {
    let cluster = Box::pin(Cluster::shared_with_controllers()).await?;
    let bench = Bench::on(cluster, "healthy").await?;
    let mut object = bench.deployment("web", "registry.invalid/web:1");
    object["spec"]["replicas"] = json!(2);
    let applied = bench.apply(&prepared("default/web", &object)?).await?;
    assert_eq!(applied.live.health, Health::Progressing);
    until("the pods are ready", async || Ok(bench.live(&object).await?.health == Health::Healthy)).await?;
    let settled = bench.live(&object).await?;
    assert_eq!(settled.content, applied.live.content, "a status that moves is no drift");
    assert!(!bench.apply(&prepared_for("default/web", &object, &settled)?).await?.changed);
    Ok(())
}
