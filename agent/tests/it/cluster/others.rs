//! Others that write, scale, or stand in the way.

use std::time::Duration;

use agent::{Agent, Settings};
use anyhow::{Context as _, Result};
use cdn::document::HoldReason;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::Bench;
use crate::site::{Running, reasons};

#[tokio::test]
async fn f11_a_workload_that_a_tool_made_keeps_its_replicas_under_an_autoscaler() -> Result<()> {
    let by_tools: [&[&str]; 2] = [&["apply", "-f", "-"], &["create", "--field-manager=helm", "-f", "-"]];
    for by_tool in by_tools {
        let mut bench = Bench::new("scales").await?;
        let mut made = bench.deployment("web", 5);
        made["spec"]["minReadySeconds"] = json!(7);
        bench.cluster.kubectl_with(&made.to_string(), by_tool).await?;
        let scaler = json!({"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler",
            "metadata": {"name": "web", "namespace": bench.namespace}, "spec": {"maxReplicas": 10,
                "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}}});
        bench.site.fleet.publish("web", &[bench.deployment("web", 2), scaler]);
        bench.assign().await;
        for _ in 0..10 {
            let status = bench.once().await;
            assert!(reasons(&status).is_empty(), "{:?}", status.holds());
            assert_eq!(bench.field("deployment", "web", ".spec.replicas").await, "5", "{by_tool:?}");
        }
        let left = bench.field("deployment", "web", ".spec.minReadySeconds").await;
        assert_eq!(left, "", "what else the tool declared goes (FAULTS F25)");
    }
    Ok(())
}

#[tokio::test]
async fn f10_a_quantity_in_another_form_is_no_drift() -> Result<()> {
    let mut bench = Bench::new("quantity").await?;
    let mut web = bench.deployment("web", 0);
    web["spec"]["template"]["spec"]["containers"][0]["resources"] =
        json!({"limits": {"cpu": "0.5", "memory": "1024Mi"}, "requests": {"cpu": "100m"}});
    bench.site.fleet.publish("web", &[web]);
    bench.assign().await;
    let writes = bench.writes().await;
    for _ in 0..3 {
        let status = bench.once().await;
        assert!(reasons(&status).is_empty(), "{:?}", status.holds());
    }
    assert_eq!(bench.writes().await, writes);
    Ok(())
}

#[tokio::test]
async fn f10_somebody_who_changes_an_object_back_each_time_is_named_and_left_the_field_for_a_while()
-> Result<()> {
    let mut bench = Bench::new("fights").await?;
    bench.site.fleet.publish("web", &[bench.config("a", "ours"), bench.config("b", "ours")]);
    bench.assign().await;
    let running = Running::new(bench.settings());
    let theirs = r#"{"data": {"text": "theirs"}}"#;
    let patch = ["patch", "configmap", "a", "--field-manager=their-controller", "-p", theirs];
    let said = || {
        let holds = running.status.borrow().holds();
        holds.into_iter().find(|hold| hold.reason == HoldReason::Fighting)
    };
    // They write whenever it is ours again, until it is said.
    for _ in 0..1000 {
        bench.kubectl(&patch).await?;
        if said().is_some() {
            break;
        }
    }
    let said = said();
    let said = said.context("it is said")?;
    assert_eq!(said.object.map(|id| id.name).as_deref(), Some("a"));
    assert!(said.message.contains("their-controller (.data.text)"), "{}", said.message);
    running.stop().await;
    Ok(())
}

#[tokio::test]
async fn f8_a_bundle_of_a_webhook_and_its_own_backend_is_installed() -> Result<()> {
    let mut bench = Bench::new("backs").await?;
    let backend = json!({"service": {"namespace": bench.namespace, "name": "hook"}});
    let rules = json!({"apiGroups": ["", "apps"], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"],
        "resources": ["configmaps", "deployments"]});
    let service = json!({"apiVersion": "v1", "kind": "Service",
        "metadata": {"name": "hook", "namespace": bench.namespace}, "spec": {"ports": [{"port": 443}]}});
    let hook = bench.webhook(&backend, &rules);
    bench.site.fleet.publish("web", &[hook, service, bench.deployment("hook", 0), bench.config("a", "1")]);
    // It stands in the way of nothing that comes with it, though its backend never runs here.
    let status = bench.assign().await;
    assert!(reasons(&status).is_empty(), "{:?}", status.holds());
    bench.refused(&["create", "configmap", "probe", "--dry-run=server"]).await;
    let writes = bench.writes().await;
    let status = bench.once().await;
    assert!(reasons(&status).is_empty(), "{:?}", status.holds());
    assert_eq!(bench.writes().await, writes, "nothing changed: 0 writes");
    // From now on it does, for what it is asked about; the rest is repaired.
    bench.kubectl(&["delete", "configmap", "a"]).await?;
    bench.kubectl(&["delete", "service", "hook"]).await?;
    let status = bench.once().await;
    assert_eq!(reasons(&status), [HoldReason::ApplyFailed]);
    assert_eq!(bench.field("service", "hook", ".metadata.name").await, "hook");
    bench.without_webhook().await?;
    Ok(())
}

#[tokio::test]
async fn f9_a_webhook_that_hangs_takes_its_objects_time_and_nobody_elses() -> Result<()> {
    let mut bench = Bench::new("hangs").await?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("https://{}/", listener.local_addr()?);
    let mut silent = JoinSet::new();
    silent.spawn(async move {
        let mut open = Vec::new();
        while let Ok(connection) = listener.accept().await {
            open.push(connection);
        }
    });
    let rules = json!({"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"],
        "resources": ["configmaps"]});
    let mut hook = bench.webhook(&json!({"url": url}), &rules);
    hook["webhooks"][0]["objectSelector"] = json!({"matchLabels": {"hangs": "yes"}});
    bench.create(&hook).await?;
    let hanging = |name: &str| {
        let mut config = bench.config(name, "1");
        config["metadata"]["labels"] = json!({"hangs": "yes"});
        config
    };
    let probe = hanging("probe").to_string();
    let probes = async || {
        let args = ["create", "--dry-run=server", "--request-timeout=1s", "-f", "-"];
        bench.cluster.kubectl_with(&probe, &args).await
    };
    let heeded = async {
        while probes().await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), heeded).await.context("the webhook is never asked")?;
    let mut objects: Vec<_> = (0..10).map(|n| hanging(&format!("h{n}"))).collect();
    objects.extend([bench.config("z", "1"), bench.deployment("web", 0)]);
    bench.site.fleet.publish("web", &objects);
    bench.site.fleet.publish("other", &[bench.config("c", "1")]);
    let envelope = bench.site.fleet.assign(&bench.site.wire.cluster);
    bench.site.wire.serve(envelope);
    let second = Duration::from_secs(1);
    // Two objects at once, two seconds each: a whole pass has no time for ten of them, and the one that comes last by its
    // name is made all the same.
    let settings =
        Settings { request_timeout: 2 * second, pass_time: 8 * second, concurrency: 2, ..bench.settings() };
    let status = Box::pin(Agent::new(settings).once()).await?;
    assert_eq!(reasons(&status), [HoldReason::ApplyFailed; 10]);
    assert!(
        status.holds().iter().all(|hold| hold.object.as_ref().is_some_and(|id| id.name.starts_with('h')))
    );
    assert_eq!(bench.field("deployment", "web", ".metadata.name").await, "web", "a later turn has its share");
    assert_eq!(bench.field("configmap", "z", ".data.text").await, "1", "what was refused goes last");
    assert_eq!(bench.field("configmap", "c", ".data.text").await, "1");
    bench.without_webhook().await?;
    bench.settle().await;
    Ok(())
}
