//! `windlass demo`: the whole story, and nothing that it leaves behind.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use e2e::{Bin, Programs, Repository};
use testbed::{Cluster, ClusterOptions, Process, Program, Ready};

/// A story takes seconds; the machine may be busy.
const PATIENCE: Duration = Duration::from_mins(5);

/// A demo with a folder of its own for temporary files.
struct Demo {
    process: Process,
    temporary: tempfile::TempDir,
}

impl Demo {
    async fn start(arguments: &[&str]) -> Result<Self> {
        let programs = Programs::built().await?;
        let temporary = tempfile::Builder::new().prefix("demo-").tempdir()?;
        let helm = testbed::tool(testbed::Tool::Helm)?;
        let helm = helm.parent().context("helm lies in a folder")?.display();
        let process = Program::new("demo", programs.path(Bin::Windlass))
            .arg("demo")
            .args(arguments)
            .env("TMPDIR", temporary.path())
            // Where a visitor's own programs are, no program of the system looks.
            .env("PATH", format!("{helm}:/usr/local/bin:/usr/bin:/bin"))
            // What the visitor's own fleet needs says nothing to the demo's.
            .env("WINDLASS_ROOT", "/nowhere")
            .env("WINDLASS_STORE", "/nowhere")
            .env("WINDLASS_DATABASE", "/nowhere")
            .start(Ready::AtOnce)
            .await?;
        Ok(Self { process, temporary })
    }

    fn left(&self) -> Result<Vec<String>> {
        let entries = fs::read_dir(self.temporary.path()).context("look into the temporary folder")?;
        Ok(entries.flatten().map(|entry| entry.file_name().display().to_string()).collect())
    }

    async fn told(&mut self) -> Result<String> {
        let code = self.process.wait(PATIENCE).await?;
        let log = self.process.log();
        ensure!(code == 0, "the demo ends with exit code {code}:\n{log}");
        ensure!(self.left()?.is_empty(), "it has left {:?}", self.left()?);
        Ok(log)
    }
}

#[tokio::test]
async fn the_demo_tells_the_whole_story_and_leaves_nothing_behind() -> Result<()> {
    let told = Demo::start(&["--once"]).await?.told().await?;
    for part in [
        "default/gate-production",
        "1 of ",
        "healed after",
        "every site polls again",
        "manifest bytes through the api:  0",
        "site-3",
    ] {
        ensure!(told.contains(part), "it does not say `{part}`:\n{told}");
    }
    Ok(())
}

#[tokio::test]
async fn the_demo_ends_at_ctrl_c_and_leaves_nothing_behind() -> Result<()> {
    let mut demo = Demo::start(&[]).await?;
    let log = async || demo.process.log().contains("2. Run");
    demo.process.wait_until("its sites join", PATIENCE, log).await?;
    let code = demo.process.interrupt().await?;
    ensure!(code == 130, "it ends with exit code {code}:\n{}", demo.process.log());
    ensure!(demo.left()?.is_empty(), "it has left {:?}", demo.left()?);
    Ok(())
}

const YARD: &str = r#"
apiVersion: v1
kind: Namespace
metadata: {name: yard}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: cranes.yard.example.com}
spec:
  group: yard.example.com
  scope: Namespaced
  names: {kind: Crane, plural: cranes, singular: crane}
  versions:
    - name: v1
      served: true
      storage: true
      schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
---
apiVersion: yard.example.com/v1
kind: Crane
metadata: {name: long-arm, namespace: yard}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: was-here, namespace: default}
data: {by: demo}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: crew, namespace: yard}
spec:
  replicas: 1
  selector: {matchLabels: {app: crew}}
  template:
    metadata: {labels: {app: crew}}
    spec:
      containers: [{name: crew, image: "registry.example.com/crew:1.0.0"}]
"#;

#[tokio::test]
async fn a_visitors_cluster_gets_the_visitors_manifests_and_is_as_it_was_afterwards() -> Result<()> {
    let cluster = Box::pin(Cluster::start(ClusterOptions { controllers: true })).await?;
    let repository = Repository::new().await?;
    repository.write("yard/yard.yaml", YARD)?;
    repository.commit("A yard").await?;
    cluster
        .kubectl(&["create", "configmap", "was-here", "-n", "default", "--from-literal=by=somebody"])
        .await?;
    let (before, context) = (everything(&cluster).await?, context(&cluster).await?);
    let source = repository.path().display().to_string();
    let kubeconfig = cluster.kubeconfig().display().to_string();
    let words = ["--once", "--source", &source, "--path", "yard", "--kube-context", &context];
    let mut demo = Demo::start(&[&words[..], &["--kubeconfig", &kubeconfig, "--yes"]].concat()).await?;
    let told = demo.told().await?;
    ensure!(told.contains("Deployment.apps/yard/crew"), "the plan is shown first:\n{told}");
    ensure!(told.contains("Healthy"), "its pods ran:\n{told}");
    ensure!(told.contains("nothing of the demo is left in it"), "{told}");
    gone(&cluster, &["namespace", "yard"]).await?;
    gone(&cluster, &["namespace", "windlass-demo"]).await?;
    let after = everything(&cluster).await?;
    ensure!(before == after, "before:\n{before}\nafter:\n{after}");
    Ok(())
}

#[tokio::test]
async fn a_cluster_that_is_not_there_is_said_before_anything_is_built_up() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let kubeconfig = folder.path().join("config");
    let nobody =
        "{apiVersion: v1, kind: Config, clusters: [{name: c, cluster: {server: 'http://127.0.0.1:1'}}],
        users: [], contexts: [{name: silent, context: {cluster: c, user: ''}}]}";
    fs::write(&kubeconfig, nobody)?;
    let kubeconfig = kubeconfig.display().to_string();
    for (context, why) in [("other", "other"), ("silent", "did not answer")] {
        let words = ["--once", "--kube-context", context, "--kubeconfig", &kubeconfig, "--yes"];
        let mut demo = Demo::start(&words).await?;
        let (code, log) = (demo.process.wait(PATIENCE).await?, demo.process.log());
        ensure!(code == 4, "{context}: exit code {code}:\n{log}");
        ensure!(log.contains("cannot be asked") && log.contains(why), "{context}:\n{log}");
        ensure!(!log.contains("Publish"), "{context}:\n{log}");
        ensure!(demo.left()?.is_empty(), "it has left {:?}", demo.left()?);
    }
    Ok(())
}

/// Deleting a namespace takes its controller a while.
async fn gone(cluster: &Cluster, what: &[&str]) -> Result<()> {
    let wait = ["wait", "--for=delete", "--timeout=60s"];
    cluster.kubectl(&[&wait[..], &what[..1], &what[1..]].concat()).await.map(drop)
}

/// The names of all that people put into a cluster.
async fn everything(cluster: &Cluster) -> Result<String> {
    let kinds = "namespaces,configmaps,deployments.apps,customresourcedefinitions.apiextensions.k8s.io";
    cluster.kubectl(&["get", kinds, "--all-namespaces", "-o", "name"]).await
}

async fn context(cluster: &Cluster) -> Result<String> {
    Ok(cluster.kubectl(&["config", "current-context"]).await?.trim().to_owned())
}
