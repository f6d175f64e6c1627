//! The whole agent against a real API server: assigned, brought about, left alone, repaired, pruned.

mod jobs;
mod lease;
mod losses;
mod others;
mod prunes;

use std::collections::BTreeSet;
use std::time::Duration;

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

    /// Looks again and again until nothing is held: some of what a server serves takes its time to come.
    async fn settle(&self) -> Status {
        for _ in 0..50 {
            let status = self.once().await;
            if reasons(&status).is_empty() {
                return status;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        panic!("something is held all the time: {:?}", self.once().await.holds());
    }

    /// Waits until kubectl says no.
    async fn refused(&self, args: &[&str]) {
        for _ in 0..300 {
            if self.kubectl(args).await.is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("not refused within 30 s: kubectl {args:?}");
    }

    async fn create(&self, object: &Value) -> Result<String> {
        let text = object.to_string();
        self.cluster.kubectl_with(&text, &["create", "-n", &self.namespace, "-f", "-"]).await
    }

    /// A Deployment here, of so many replicas.
    fn deployment(&self, name: &str, replicas: u32) -> Value {
        json!({"apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": name, "namespace": self.namespace},
            "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": name}}, "template":
                {"metadata": {"labels": {"app": name}},
                    "spec": {"containers": [{"name": "main", "image": "example.com/web:1"}]}}}})
    }

    /// The definition of a kind `Berth` of this namespace's own group, with versions and whether each is served.
    fn berths(&self, versions: &[(&str, bool)]) -> Value {
        let schema =
            json!({"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}});
        let version = |(index, (name, served)): (usize, &(&str, bool))| json!({"name": name, "served": served, "storage": index == 0, "schema": schema});
        let versions: Vec<Value> = versions.iter().enumerate().map(version).collect();
        let group = format!("{}.example", self.namespace);
        json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": format!("berths.{group}")},
            "spec": {"group": group, "scope": "Namespaced", "versions": versions,
                "names": {"kind": "Berth", "plural": "berths", "singular": "berth", "listKind": "BerthList"}}})
    }

    /// The name of its resource and of its definition.
    fn of_berths(&self) -> String {
        format!("berths.{}.example", self.namespace)
    }

    fn berth(&self, version: &str, name: &str) -> Value {
        json!({"apiVersion": format!("{}.example/{version}", self.namespace), "kind": "Berth",
            "metadata": {"name": name, "namespace": self.namespace}, "spec": {"length": 300}})
    }

    /// A webhook of this address that must agree to what these rules name in this namespace.
    fn webhook(&self, address: &Value, rules: &Value) -> Value {
        let name = format!("hook.{}.dev", self.namespace);
        let here = json!({"matchLabels": {"kubernetes.io/metadata.name": self.namespace}});
        json!({"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration",
            "metadata": {"name": name}, "webhooks": [{"name": name, "failurePolicy": "Fail",
                "sideEffects": "None", "admissionReviewVersions": ["v1"], "timeoutSeconds": 30,
                "clientConfig": address, "namespaceSelector": here, "rules": [rules]}]})
    }

    async fn without_webhook(&self) -> Result<String> {
        let name = format!("hook.{}.dev", self.namespace);
        self.cluster.kubectl(&["delete", "validatingwebhookconfiguration", &name]).await
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
    let (definition, berth) = (bench.berths(&[("v1", true)]), bench.berth("v1", "b1"));
    let mut web = bench.deployment("web", 0);
    let objects = [bench.config("a", "1"), bench.config("b", "1"), web.clone(), berth, definition];
    bench.site.fleet.publish("web", &objects);
    let status = bench.assign().await;
    assert!(reasons(&status).is_empty(), "{:?}", status.holds());
    assert_eq!(reported(&status, "web").sync, Sync::Synced);
    assert_eq!(bench.field(&bench.of_berths(), "b1", ".spec.length").await, "300");

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
