//! What goes from a real cluster, and what stays.

use anyhow::{Context as _, Result};
use cdn::document::{Approval, HoldReason, RemovalMode};
use serde_json::json;

use super::Bench;
use crate::site::{reasons, reported};

#[tokio::test]
async fn f16_what_a_cluster_had_before_us_is_let_go_when_the_service_goes() -> Result<()> {
    let mut bench = Bench::new("adopts").await?;
    bench.kubectl(&["create", "configmap", "a", "--from-literal=theirs=1"]).await?;
    bench.site.fleet.publish("web", &[bench.config("a", "1"), bench.config("b", "1")]);
    let status = bench.assign().await;
    assert!(reasons(&status).is_empty(), "{:?}", status.holds());
    bench.site.fleet.remove("web", RemovalMode::Delete);
    bench.assign().await;
    assert_eq!(bench.field("configmap", "b", ".metadata.name").await, "");
    assert_eq!(bench.field("configmap", "a", ".data.theirs").await, "1");
    assert_eq!(bench.field("configmap", "a", ".metadata.annotations").await, "");
    Ok(())
}

#[tokio::test]
async fn f16_a_namespace_that_was_there_before_us_is_never_deleted() -> Result<()> {
    let mut bench = Bench::new("premade").await?;
    let names = [bench.cluster.create_namespace("theirs").await?, "kube-system".to_owned()];
    let namespace =
        |name: &String| json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
    let objects = [namespace(&names[0]), namespace(&names[1]), bench.config("a", "1")];
    bench.site.fleet.publish("web", &objects);
    let status = bench.assign().await;
    assert!(reasons(&status).is_empty(), "{:?}", status.holds());
    let mark = r".metadata.annotations.windlass\.dev/adopted";
    for name in &names {
        assert_eq!(bench.field("namespace", name, mark).await, "true");
    }
    bench.site.fleet.remove("web", RemovalMode::Delete);
    let status = bench.assign().await;
    assert!(reasons(&status).is_empty(), "no yes is needed, since nothing of it goes: {:?}", status.holds());
    for name in &names {
        assert_eq!(bench.field("namespace", name, ".status.phase").await, "Active");
        assert_eq!(bench.field("namespace", name, mark).await, "");
    }
    assert_eq!(bench.field("configmap", "a", ".metadata.name").await, "");
    Ok(())
}

#[tokio::test]
async fn f26_objects_of_a_version_that_is_no_longer_served_go_or_are_let_go_all_the_same() -> Result<()> {
    let mut bench = Bench::new("versions").await?;
    bench.create(&bench.berths(&[("v1", true), ("v1alpha1", true)])).await?;
    bench.site.fleet.publish("web", &[bench.berth("v1alpha1", "one"), bench.config("a", "1")]);
    bench.site.fleet.publish("kept", &[bench.berth("v1alpha1", "two")]);
    bench.assign().await;
    bench.settle().await;
    let served = json!({"spec": bench.berths(&[("v1", true), ("v1alpha1", false)])["spec"]}).to_string();
    bench.cluster.kubectl(&["patch", "crd", &bench.of_berths(), "--type=merge", "-p", &served]).await?;
    bench.refused(&["get", "--raw", &format!("/apis/{}.example/v1alpha1", bench.namespace)]).await;
    bench.site.fleet.publish("web", &[bench.config("a", "1")]);
    bench.site.fleet.remove("kept", RemovalMode::Orphan);
    bench.assign().await;
    bench.settle().await;
    assert_eq!(bench.field(&bench.of_berths(), "one", ".metadata.name").await, "");
    assert_eq!(bench.field(&bench.of_berths(), "two", ".spec.length").await, "300");
    assert_eq!(bench.field(&bench.of_berths(), "two", ".metadata.annotations").await, "");
    Ok(())
}

#[tokio::test]
async fn f20_what_admission_keeps_stays_ours_and_goes_when_it_may() -> Result<()> {
    let mut bench = Bench::new("survives").await?;
    let all: Vec<_> = ["a", "b", "c", "d"].map(|name| bench.config(name, "1")).to_vec();
    bench.site.fleet.publish("web", &all);
    bench.assign().await;
    let name = format!("keep.{}", bench.namespace);
    let rule = json!({"apiGroups": [""], "apiVersions": ["v1"], "operations": ["DELETE"],
        "resources": ["configmaps"]});
    let here = json!({"matchLabels": {"kubernetes.io/metadata.name": bench.namespace}});
    let policy = json!({"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": name}, "spec": {"failurePolicy": "Fail",
            "matchConstraints": {"namespaceSelector": here, "resourceRules": [rule]},
            "validations": [{"expression": "!(oldObject.metadata.name in ['b', 'c'])", "message": "kept"}]}});
    let binding = json!({"apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicyBinding", "metadata": {"name": name},
        "spec": {"policyName": name, "validationActions": ["Deny"]}});
    bench.create(&policy).await?;
    bench.create(&binding).await?;
    bench.refused(&["delete", "configmap", "b", "--dry-run=server"]).await;
    bench.site.fleet.publish("web", &all[3..]);
    let status = bench.assign().await;
    assert_eq!(reasons(&status), [HoldReason::Rejected; 2]);
    assert_eq!(bench.field("configmap", "a", ".data.text").await, "");
    for name in ["b", "c"] {
        assert_eq!(bench.field("configmap", name, ".data.text").await, "1");
    }
    // Also an agent that starts anew knows them.
    let status = bench.once().await;
    assert_eq!((reasons(&status), reported(&status, "web").objects), (vec![HoldReason::Rejected; 2], 3));
    bench.cluster.kubectl(&["delete", "validatingadmissionpolicybinding", &name]).await?;
    let status = bench.settle().await;
    assert_eq!(reported(&status, "web").objects, 1);
    for name in ["b", "c"] {
        assert_eq!(bench.field("configmap", name, ".data.text").await, "");
    }
    Ok(())
}

#[tokio::test]
async fn f17_a_definition_stays_while_somebody_else_uses_its_kind() -> Result<()> {
    let mut bench = Bench::new("used").await?;
    let objects = [bench.berths(&[("v1", true)]), bench.berth("v1", "ours"), bench.config("a", "1")];
    bench.site.fleet.publish("web", &objects);
    bench.assign().await;
    bench.settle().await;
    bench.create(&bench.berth("v1", "theirs")).await?;
    bench.site.fleet.remove("web", RemovalMode::Delete);
    let status = bench.assign().await;
    assert_eq!(reasons(&status), [HoldReason::InUse]);
    let message = &status.holds()[0].message;
    assert!(message.starts_with("1 object of kind Berth"), "{message}");
    assert_eq!(bench.field(&bench.of_berths(), "ours", ".metadata.name").await, "", "the service's own goes");
    assert_eq!(bench.field(&bench.of_berths(), "theirs", ".spec.length").await, "300");
    bench.kubectl(&["delete", &bench.of_berths(), "theirs"]).await?;
    let status = bench.once().await;
    assert_eq!(reasons(&status), [HoldReason::NeedsConfirm]);
    let hold = status.holds()[0].digest.context("it can be approved")?;
    bench.site.fleet.approvals.push(Approval { hold, signatures: Vec::new() });
    bench.assign().await;
    bench.settle().await;
    assert_eq!(bench.field("crd", &bench.of_berths(), ".metadata.name").await, "");
    Ok(())
}
