//! The whole agent against a real API server: assigned, brought about, left alone, repaired, pruned.

use std::collections::BTreeSet;

use agent::{Agent, Settings, Status};
use anyhow::Result;
use cdn::document::{HoldReason, RemovalMode, Sync};
use serde_json::{Value, json};
use testbed::Cluster;

use crate::fleet::{config, config_in};
use crate::site::{Site, reasons, reported};

/// A site whose target is a namespace of a shared cluster.
struct Bench {
    site: Site,
    cluster: &'static Cluster,
    namespace: String,
}

impl Bench {
    async fn new(prefix: &str) -> Result<Self> {
        let cluster = Box::pin(Cluster::shared()).await?;
        let namespace = cluster.create_namespace(prefix).await?;
        Ok(Self { site: Site::new().await, cluster, namespace })
    }

    fn settings(&self) -> Settings {
        Settings {
            target: "kubernetes".parse().unwrap(),
            kubeconfig: Some(self.cluster.kubeconfig().to_owned()),
            namespace: format!("{}-windlass", self.namespace),
            ..self.site.settings()
        }
    }

    async fn assign(&mut self) -> Status {
        let envelope = self.site.fleet.assign(&self.site.wire.cluster);
        self.site.wire.serve(envelope);
        self.once().await
    }

    async fn once(&self) -> Status {
        Box::pin(Agent::new(self.settings()).once()).await.unwrap()
    }

    /// A `ConfigMap` here, whatever its service's namespace.
    fn config(&self, name: &str, text: &str) -> Value {
        config_in(&self.namespace, name, text)
    }

    async fn kubectl(&self, args: &[&str]) -> Result<String> {
        self.cluster.kubectl(&[args, &["-n", &self.namespace]].concat()).await
    }

    /// A field of an object here; empty where the object is not there.
    async fn field(&self, kind: &str, name: &str, path: &str) -> String {
        let path = format!("-o=jsonpath={{{path}}}");
        self.kubectl(&["get", kind, name, "--ignore-not-found", &path]).await.unwrap()
    }

    /// How often somebody wrote to this namespace so far.
    async fn writes(&self) -> usize {
        let events = self.cluster.audit_events().await.unwrap();
        events.iter().filter(|event| event.is_write() && event.uri.contains(&self.namespace)).count()
    }
}

#[tokio::test]
async fn a_cluster_is_brought_about_left_alone_repaired_and_pruned() -> Result<()> {
    let mut bench = Bench::new("whole").await?;
    let group = format!("{}.example", bench.namespace);
    let definition = json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("berths.{group}")},
        "spec": {"group": group, "scope": "Namespaced",
            "names": {"kind": "Berth", "plural": "berths", "singular": "berth", "listKind": "BerthList"},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema":
                {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}}]}});
    let berth = json!({"apiVersion": format!("{group}/v1"), "kind": "Berth",
        "metadata": {"name": "b1", "namespace": bench.namespace}, "spec": {"length": 300}});
    let mut web = json!({"apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "web", "namespace": bench.namespace},
        "spec": {"replicas": 0, "selector": {"matchLabels": {"app": "web"}}, "template":
            {"metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "web", "image": "example.com/web:1"}]}}}});
    let objects = [bench.config("a", "1"), bench.config("b", "1"), web.clone(), berth, definition];
    bench.site.fleet.publish("web", &objects);
    let status = bench.assign().await;
    assert!(reasons(&status).is_empty(), "{:?}", status.holds());
    assert_eq!(reported(&status, "web").sync, Sync::Synced);
    assert_eq!(bench.field("berths", "b1", ".spec.length").await, "300");

    let writes = bench.writes().await;
    let status = bench.once().await;
    assert!(!status.pass.as_ref().unwrap().counts.wrote());
    assert_eq!(bench.writes().await, writes, "nothing changed: 0 writes");

    bench.kubectl(&["delete", "configmap", "a"]).await?;
    bench.kubectl(&["patch", "configmap", "b", "--type=merge", "-p", r#"{"data":{"text":"2"}}"#]).await?;
    let status = bench.once().await;
    assert!(reasons(&status).is_empty(), "{:?}", status.holds());
    assert_eq!(bench.field("configmap", "a", ".data.text").await, "1");
    assert_eq!(bench.field("configmap", "b", ".data.text").await, "1");

    let uid = bench.field("configmap", "b", ".metadata.uid").await;
    web["spec"]["template"]["spec"]["containers"][0]["image"] = json!("example.com/web:2");
    let fewer: Vec<Value> = [bench.config("b", "1"), web].into_iter().chain(objects[3..].to_vec()).collect();
    bench.site.fleet.publish("web", &fewer);
    let status = bench.assign().await;
    assert!(reasons(&status).is_empty(), "{:?}", status.holds());
    assert_eq!(bench.field("configmap", "a", ".data.text").await, "");
    assert_eq!(bench.field("configmap", "b", ".metadata.uid").await, uid);
    let image = bench.field("deployment", "web", ".spec.template.spec.containers[0].image").await;
    assert_eq!(image, "example.com/web:2");

    bench.site.fleet.remove("web", RemovalMode::Delete);
    let status = bench.assign().await;
    assert_eq!(reasons(&status), [HoldReason::NeedsConfirm], "the definition needs a yes");
    assert_eq!(bench.field("deployment", "web", ".metadata.name").await, "");
    Ok(())
}

#[tokio::test]
async fn f14_an_object_moves_between_services_of_a_cluster_and_keeps_its_uid() -> Result<()> {
    let mut bench = Bench::new("moves").await?;
    for (from, to) in [("old", "new"), ("new", "old")] {
        let (moving, own) = (bench.config("m", "1"), [bench.config(from, "1"), bench.config(to, "1")]);
        bench.site.fleet.publish(from, &[moving.clone(), own[0].clone()]);
        bench.site.fleet.publish(to, &own[1..]);
        bench.assign().await;
        let uid = bench.field("configmap", "m", ".metadata.uid").await;
        bench.site.fleet.publish(from, &own[..1]);
        bench.site.fleet.publish(to, &[moving, own[1].clone()]);
        let status = bench.assign().await;
        assert!(reasons(&status).is_empty(), "{:?}", status.holds());
        assert_eq!(bench.field("configmap", "m", ".metadata.uid").await, uid);
        let managers = bench.field("configmap", "m", ".metadata.managedFields[*].manager").await;
        assert_eq!(managers, format!("windlass/default/{to}"));
    }
    Ok(())
}

#[tokio::test]
async fn l8_one_object_that_is_rejected_stops_neither_the_others_nor_the_repair() -> Result<()> {
    let mut bench = Bench::new("rejects").await?;
    let wrong = json!({"apiVersion": "v1", "kind": "Service",
        "metadata": {"name": "s", "namespace": bench.namespace}, "spec": {"ports": [{"port": 99_999}]}});
    let nowhere = json!({"apiVersion": "nowhere.example/v1", "kind": "Nothing", "metadata": {"name": "n"}});
    bench.site.fleet.publish("web", &[bench.config("a", "1"), bench.config("b", "1"), wrong, nowhere]);
    bench.site.fleet.publish("other", &[bench.config("c", "1")]);
    let status = bench.assign().await;
    let found: BTreeSet<_> = reasons(&status).into_iter().collect();
    assert_eq!(found, [HoldReason::Rejected, HoldReason::KindNotServed].into());
    assert_eq!(reported(&status, "other").sync, Sync::Synced);
    bench.kubectl(&["delete", "configmap", "a", "c"]).await?;
    bench.once().await;
    assert_eq!(bench.field("configmap", "a", ".data.text").await, "1");
    assert_eq!(bench.field("configmap", "c", ".data.text").await, "1");
    Ok(())
}

#[tokio::test]
async fn f22_the_clusters_inventory_stands_in_for_a_lost_disk() -> Result<()> {
    let mut bench = Bench::new("disk").await?;
    bench.site.fleet.publish("web", &[bench.config("a", "1"), bench.config("b", "1")]);
    bench.assign().await;
    std::fs::remove_dir_all(bench.site.state())?;
    bench.site.fleet.publish("web", &[bench.config("a", "1")]);
    let status = bench.assign().await;
    assert!(reasons(&status).is_empty(), "{:?}", status.holds());
    assert_eq!(bench.field("configmap", "b", ".data.text").await, "");
    assert_eq!(bench.site.wire.far().joins, 2);
    Ok(())
}

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
async fn a_service_whose_namespace_is_not_there_yet_waits_for_it() -> Result<()> {
    let mut bench = Bench::new("late").await?;
    let name = format!("late-{}", bench.namespace);
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
    bench.site.fleet.publish(&name, &[config("a", "1")]);
    let status = bench.assign().await;
    assert!(!reasons(&status).is_empty());
    bench.site.fleet.publish("platform", &[namespace]);
    bench.site.fleet.depends(&name, "platform");
    let status = bench.assign().await;
    assert!(reasons(&status).is_empty(), "{:?}", status.holds());
    Ok(())
}
