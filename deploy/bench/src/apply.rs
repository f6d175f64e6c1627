//! `apply` and `agent-rss`: 400 objects into a real API server, the shipped agent against `kubectl apply --server-side`.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use testbed::{Cluster, ClusterOptions, Program, Ready};

use crate::figure::Figure;
use crate::fleet::{Fleet, PATIENCE, binary, run};
use crate::usage;

/// Services of four objects each.
const SERVICES: usize = 100;
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
    fleet.publish(&manifests, "ours")?;

    let agent = || -> Result<f64> {
        timed(Command::new(binary("windlass-agent")?).args(fleet.agent(cluster.kubeconfig())).arg("once"))
    };
    let kubectl = || -> Result<f64> {
        timed(
            Command::new(testbed::tool(testbed::Tool::Kubectl)?)
                .arg("--kubeconfig")
                .arg(cluster.kubeconfig())
                .args(["apply", "--server-side", "--namespace", "theirs", "-f"])
                .arg(&manifests),
        )
    };
    // The agent's first start joins: the time of a person's first minute, not of a pass. `once` joins, polls and applies.
    let (cold, cold_kubectl) = (agent()?, kubectl()?);
    let before = writes(&cluster).await?;
    let unchanged = agent()?;
    let ours_written = writes(&cluster).await? - before;
    let before = writes(&cluster).await?;
    let unchanged_kubectl = kubectl()?;
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

fn timed(command: &mut Command) -> Result<f64> {
    let started = Instant::now();
    run(command)?;
    let took = started.elapsed();
    ensure!(took < PATIENCE, "it took {took:?}");
    Ok(took.as_secs_f64())
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
async fn writes(cluster: &Cluster) -> Result<f64> {
    // Leases and events are not about our objects; nobody else writes here.
    let ours = |event: &testbed::AuditEvent| {
        event.is_write() && ["ours", "theirs"].contains(&event.namespace.as_str())
    };
    Ok(cluster.audit_events().await?.iter().filter(|event| ours(event)).count() as f64)
}

/// 100 services of four objects: a `ConfigMap`, a `ServiceAccount`, a headless Service, a Deployment without replicas.
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
