//! A real history: every commit published, the last one applied, and the cluster compared with what kubectl makes of
//! the same tree.

mod compare;

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use e2e::{History, Part, Rig, Service};
use serde_json::Value;
use testbed::{Cluster, ClusterOptions};

#[tokio::test]
async fn e2_f4_a_whole_history_is_published_and_its_end_is_what_kubectl_makes_of_it() -> Result<()> {
    let history = History::found().await?;
    Box::pin(published_and_compared(&history)).await
}

async fn published_and_compared(history: &History) -> Result<()> {
    let (ours, theirs) = tokio::try_join!(
        Box::pin(Cluster::start(ClusterOptions::default())),
        Box::pin(Cluster::start(ClusterOptions::default()))
    )?;
    let ours = Part::own(ours);
    let mut rig = Box::pin(Rig::in_cluster(ours.clone())).await?;
    let service = Service::new("history", &history.repository, &history.path, &history.namespace);
    let releases = publish_all(&mut rig, history, &service).await?;
    ensure!(releases >= 2, "a history has more than one release");
    let _site = rig.site("own").await?;
    rig.assign(&service.clone().at("own")).await?;
    let tree = history.repository.path().join(&history.path);
    by_kubectl(&theirs, &tree, &history.namespace).await?;
    let kinds = compare::kinds_of(&theirs, &tree, &history.namespace).await?;
    rig.until("both clusters hold the same", async || {
        compare::same(&compare::read(&ours, &kinds).await?, &compare::read(&theirs, &kinds).await?)
    })
    .await
}

/// Publishes commit after commit; returns the number of releases.
async fn publish_all(rig: &mut Rig, history: &History, service: &Service) -> Result<usize> {
    let (first, rest) = history.commits.split_first().context("a history has commits")?;
    history.repository.move_to(first).await?;
    rig.assign(service).await?;
    let seen = rig.looked_at(service, first).await?;
    let told = seen.pointer("/publish/message").and_then(Value::as_str).unwrap_or_default();
    let refused = seen.pointer("/publish/outcome").and_then(Value::as_str) == Some("refused");
    ensure!(refused && told.contains("Secret"), "plain Secrets are refused first: {seen:#}");
    ensure!(seen.get("latest").is_none(), "nothing is published: {seen:#}");
    let secrets: Vec<&str> = history.secrets.iter().map(String::as_str).collect();
    rig.allow_plain_secrets(&secrets).await?;
    rig.until("the allowed Secrets are published", async || {
        let seen = rig.service(service).await?;
        ensure!(seen.get("latest").is_some(), "{seen:#}");
        Ok(())
    })
    .await?;
    for commit in rest {
        history.repository.move_to(commit).await?;
        rig.published(service, commit).await?;
    }
    Ok(rig.operator.lists(&["get", "releases", &service.full_name()]).await?.len())
}

/// `kubectl apply --server-side` of the tree: what others need first, as its readers are told to.
async fn by_kubectl(cluster: &Cluster, tree: &Path, namespace: &str) -> Result<()> {
    let tree = tree.to_str().context("a temporary path is text")?;
    let kubeconfig = compare::kubeconfig_in(cluster, namespace).await?;
    let kubeconfig = kubeconfig.path().to_str().context("a temporary path is text")?;
    let apply = ["--kubeconfig", kubeconfig, "apply", "--server-side", "--recursive", "-f", tree];
    // Objects of kinds that the tree itself defines fail the first time.
    let first = cluster.kubectl(&apply).await;
    let established =
        ["wait", "--for=condition=Established", "customresourcedefinition", "--all", "--timeout=60s"];
    cluster.kubectl(&established).await.with_context(|| format!("after {first:?}"))?;
    cluster.kubectl(&apply).await.map(drop)
}

/// Without the corpus the test above runs on this history; so it is held to the same from the start.
#[tokio::test]
async fn the_history_made_of_the_example_ends_as_kubectl_would_have_it() -> Result<()> {
    let history = History::of_the_example().await?;
    ensure!(fs::metadata(history.repository.path().join(&history.path)).is_ok(), "it has manifests");
    Box::pin(published_and_compared(&history)).await
}
