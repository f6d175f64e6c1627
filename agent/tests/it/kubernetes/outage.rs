//! An API server that is away or frozen: nothing is missing, nothing hangs, and all is well when it is back.

use std::path::Path;
use std::time::{Duration, Instant};

use agent::kubernetes::Kubernetes;
use agent::target::{KubernetesSettings, NotLoaded, Seen, Served, Target};
use agent::{Settings, Status};
use anyhow::{Result, bail};
use cdn::document::{HoldReason, Sync};
use serde_json::json;
use testbed::{Cluster, ClusterOptions};

use crate::fleet::config_in;
use crate::site::{Running, Site, reasons, reported};

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
    let NotLoaded::Refused(unread) = target.load_inventory().await.expect_err("nobody answers") else {
        bail!("what nobody could read is not damaged")
    };
    for refused in [
        target.apply(&prepared("default/web", &object)?).await.expect_err("nobody answers"),
        target.delete(&at, "uid", None).await.expect_err("nobody answers"),
        unread,
        target.home().await.expect_err("nobody answers"),
    ] {
        assert_eq!((refused.reason, refused.retry), (HoldReason::ApplyFailed, true), "{refused:?}");
    }
    assert!(target.silence().await.is_some());
    assert!(started.elapsed() < TIMEOUT * 13, "{:?}", started.elapsed());
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

#[tokio::test]
async fn f29_an_api_server_that_is_away_is_one_hold_and_not_one_for_each_object() -> Result<()> {
    let mut cluster = Box::pin(Cluster::start(ClusterOptions::default())).await?;
    let mut site = Site::new().await;
    site.fleet.publish("web", &["a", "b", "c"].map(|name| config_in("default", name, "1")));
    site.wire.serve(site.fleet.assign(&site.wire.cluster));
    let kubeconfig = Some(cluster.kubeconfig().to_owned());
    let target = || "kubernetes".parse().expect("a target");
    let settings = || Settings { target: target(), kubeconfig: kubeconfig.clone(), ..site.settings() };
    let mut running = Running::new(settings());
    let synced = |status: &Status| {
        status.pass.is_some() && reasons(status).is_empty() && reported(status, "web").sync == Sync::Synced
    };
    running.until("applied", synced).await;
    cluster.stop_api_server().await?;
    let away = |status: &Status| reasons(status) == [HoldReason::ApiServerUnreachable];
    let status = running.until("one hold", away).await;
    assert_eq!((&status.holds()[0].service, &status.holds()[0].object), (&None, &None));
    let web = reported(&status, "web");
    assert_eq!((web.sync, web.objects), (Sync::Held, 3), "held, and nothing of it is forgotten");
    // An agent that starts meanwhile says the same.
    running.stop().await;
    let mut running = Running::new(settings());
    running.until("one hold again", away).await;
    cluster.start_api_server().await?;
    running.until("all is well", synced).await;
    running.stop().await;
    cluster.stop().await
}
