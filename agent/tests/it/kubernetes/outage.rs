//! An API server that is away or frozen: nothing is missing, nothing hangs, and all is well when it is back.

use std::path::Path;
use std::time::{Duration, Instant};

use agent::kubernetes::Kubernetes;
use agent::target::{KubernetesSettings, Seen, Served, Target};
use anyhow::Result;
use cdn::document::HoldReason;
use serde_json::json;
use testbed::{Cluster, ClusterOptions};

use super::{address, kind, prepared, prepared_for, until};

const TIMEOUT: Duration = Duration::from_secs(2);

async fn target(kubeconfig: &Path) -> Result<Target> {
    let settings = KubernetesSettings {
        kubeconfig: Some(kubeconfig.to_owned()),
        context: None,
        namespace: "windlass-system".to_owned(),
        request_timeout: TIMEOUT,
    };
    Ok(Target::Kubernetes(Kubernetes::connect(&settings).await?))
}

/// Every question has an answer in time, and none of them says that something is not there.
async fn all_is_unknown(target: &Target) -> Result<()> {
    let started = Instant::now();
    let object =
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "one", "namespace": "default"}});
    let at = address(&object)?;
    let kind = kind("apps", "v1", "Deployment");
    let served = target.served(&[kind.clone()].into()).await;
    assert!(matches!(served[&kind], Served::Unknown(_)), "{served:?}");
    let seen = target.observe(std::slice::from_ref(&at)).await;
    assert!(matches!(seen[&at.id], Seen::Unknown(_)), "{seen:?}");
    for refused in [
        target.apply(&prepared("default/web", &object)?).await.expect_err("nobody answers"),
        target.delete(&at, "uid", None).await.expect_err("nobody answers"),
        target.load_inventory().await.expect_err("nobody answers"),
        target.home().await.expect_err("nobody answers"),
    ] {
        assert_eq!((refused.reason, refused.retry), (HoldReason::ApplyFailed, true), "{refused:?}");
    }
    assert!(started.elapsed() < TIMEOUT * 12, "{:?}", started.elapsed());
    Ok(())
}

#[tokio::test]
async fn f29_while_the_api_server_is_away_all_is_unknown_and_nothing_is_missing() -> Result<()> {
    let mut cluster = Box::pin(Cluster::start(ClusterOptions::default())).await?;
    let target = target(cluster.kubeconfig()).await?;
    let object =
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "one", "namespace": "default"}});
    let first = target.apply(&prepared("default/web", &object)?).await?.live;
    cluster.pause_api_server()?;
    all_is_unknown(&target).await?;
    cluster.resume_api_server()?;
    let at = address(&object)?;
    let is_seen =
        async || Ok(target.observe(std::slice::from_ref(&at)).await[&at.id] == Seen::Live(first.clone()));
    until("it is seen again after the pause", is_seen).await?;
    cluster.stop_api_server().await?;
    all_is_unknown(&target).await?;
    cluster.start_api_server().await?;
    until("it is seen again after the outage", is_seen).await?;
    assert!(!target.apply(&prepared_for("default/web", &object, &first)?).await?.changed);
    cluster.stop().await
}
