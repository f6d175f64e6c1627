//! `apply` and `agent-rss`: 400 objects into a real API server, the shipped agent against `kubectl apply --server-side`.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use testbed::{Cluster, ClusterOptions, Program, Ready};

use crate::figure::Figure;
use crate::fleet::{Fleet, PATIENCE, binary, run};
use crate::usage;

/// Names with four objects each, one of them a Kubernetes Service; all are one service of the fleet.
const SERVICES: u32 = 100;
const OBJECTS: u32 = 4 * SERVICES;
const IDLE: Duration = Duration::from_secs(15);

/// Measures cold, unchanged, writes of an unchanged pass, and memory.
pub(crate) async fn figures() -> Result<Vec<Figure>> {
    let cluster = Cluster::start(ClusterOptions { controllers: false }).await?;
    for namespace in ["ours", "theirs"] {
        cluster.kubectl(&["create", "namespace", namespace]).await?;
    }
    let fleet = Fleet::start(None).await?;
    fleet.join_token(1)?;
    let manifests = fleet.path("manifests");
    write(&manifests)?;
    // Joining is the time of a person's first minute, not of a pass.
    run(&mut agent(&fleet, &cluster)?)?;
    fleet.publish(&manifests, "ours")?;
    fleet.until_assigned().await?;

    let before = writes(&cluster).await?;
    let cold = ours(&fleet, &cluster)?;
    let written = writes(&cluster).await? - before;
    ensure!(written >= f64::from(OBJECTS), "only {written} of {OBJECTS} objects were written");
    let cold_kubectl = theirs(&cluster, &manifests)?;
    let before = writes(&cluster).await?;
    let unchanged = ours(&fleet, &cluster)?;
    let ours_written = writes(&cluster).await? - before;
    let before = writes(&cluster).await?;
    let unchanged_kubectl = theirs(&cluster, &manifests)?;
    let theirs_written = writes(&cluster).await? - before;
    let anchor = "kubectl_server_side";
    let mut figures = vec![
        Figure { name: "apply-cold", ours: cold, anchor, against: cold_kubectl, unit: "s" },
        Figure { name: "apply-unchanged", ours: unchanged, anchor, against: unchanged_kubectl, unit: "s" },
        Figure {
            name: "apply-unchanged-writes",
            ours: ours_written,
            anchor,
            against: theirs_written,
            unit: "writes",
        },
    ];
    figures.extend(memory(&fleet, &cluster).await?);
    Ok(figures)
}

/// The shipped agent, once: a poll, what follows from it, a report.
fn agent(fleet: &Fleet, cluster: &Cluster) -> Result<Command> {
    let mut agent = Command::new(binary("windlass-agent")?);
    agent.args(fleet.agent(cluster.kubeconfig())).arg("once");
    Ok(agent)
}

/// Its time for bringing all objects about, which it must say of itself.
fn ours(fleet: &Fleet, cluster: &Cluster) -> Result<f64> {
    let (time, said) = timed(&mut agent(fleet, cluster)?)?;
    let status: Value = serde_json::from_str(&said).context("what the agent says of itself")?;
    let objects = status.pointer("/pass/services/0/objects").and_then(Value::as_u64);
    let ended = status.pointer("/pass/ended").and_then(Value::as_str);
    ensure!(objects == Some(OBJECTS.into()) && ended == Some("complete"), "not all is there: {status:#}");
    Ok(time)
}

fn theirs(cluster: &Cluster, manifests: &Path) -> Result<f64> {
    let mut kubectl = Command::new(testbed::tool(testbed::Tool::Kubectl)?);
    kubectl.arg("--kubeconfig").arg(cluster.kubeconfig());
    kubectl.args(["apply", "--server-side", "--namespace", "theirs", "-f"]).arg(manifests);
    timed(&mut kubectl).map(|(time, _)| time)
}

async fn memory(fleet: &Fleet, cluster: &Cluster) -> Result<Vec<Figure>> {
    let path = binary("windlass-agent")?;
    let size = std::fs::metadata(&path).context("the agent's size")?.len();
    let agent = Program::new("windlass-agent", &path).args(fleet.agent(cluster.kubeconfig()));
    let agent = agent.start(Ready::AtOnce).await?;
    // Past the first poll and the first pass: what it needs when nothing happens.
    tokio::time::sleep(IDLE).await;
    ensure!(agent.is_running(), "the agent has stopped: {}", agent.log());
    let resident = usage::resident_bytes(agent.id())?;
    let limit = "figure_to_reach";
    #[expect(clippy::cast_precision_loss, reason = "sizes are far below 2^53")]
    let size = size as f64;
    Ok(vec![
        Figure { name: "agent-rss", ours: resident / 1e6, anchor: limit, against: 30.0, unit: "MB" },
        Figure { name: "agent-binary", ours: size / 1e6, anchor: limit, against: 10.0, unit: "MB" },
    ])
}

fn timed(command: &mut Command) -> Result<(f64, String)> {
    let started = Instant::now();
    let said = run(command)?;
    let took = started.elapsed();
    ensure!(took < PATIENCE, "it took {took:?}");
    Ok((took.as_secs_f64(), said))
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
async fn writes(cluster: &Cluster) -> Result<f64> {
    // Leases and events are not about our objects; nobody else writes here.
    let ours = |event: &testbed::AuditEvent| {
        event.is_write() && ["ours", "theirs"].contains(&event.namespace.as_str())
    };
    Ok(cluster.audit_events().await?.iter().filter(|event| ours(event)).count() as f64)
}

/// A file a name, with four objects: a `ConfigMap`, a `ServiceAccount`, a headless Service, a Deployment without replicas.
fn write(folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder).context("make the manifests' folder")?;
    for number in 0..SERVICES {
        let mut text = String::new();
        let name = format!("service-{number:03}");
        write!(
            text,
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata: {{greeting: \"hello from {name}\", level: \"info\"}}\n---\n\
             apiVersion: v1\nkind: ServiceAccount\nmetadata: {{name: {name}}}\n---\n\
             apiVersion: v1\nkind: Service\nmetadata: {{name: {name}}}\nspec: {{clusterIP: None, selector: {{app: {name}}}, ports: [{{name: http, port: 80}}]}}\n---\n\
             apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: {name}}}\nspec:\n  replicas: 0\n  selector: {{matchLabels: {{app: {name}}}}}\n  \
             template:\n    metadata: {{labels: {{app: {name}}}}}\n    spec:\n      serviceAccountName: {name}\n      containers:\n      \
             - {{name: main, image: \"registry.example.com/{name}:1.0.0\", ports: [{{containerPort: 8080}}]}}\n"
        )?;
        std::fs::write(folder.join(format!("{name}.yaml")), text).context("write a manifest")?;
    }
    Ok(())
}
