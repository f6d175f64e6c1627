//! How each program of the control plane is started.

use std::path::Path;

use anyhow::{Context, Result};

use super::ClusterOptions;
use super::credentials::{ACCOUNTS_KEY, ACCOUNTS_PUBLIC_KEY, CA, SERVER_CERTIFICATE, SERVER_KEY};
use crate::ports;
use crate::process::Program;
use crate::tools::{self, Tool};

/// One line of JSON for each answered request.
pub(super) const AUDIT_LOG: &str = "audit.log";
const AUDIT_POLICY: &str = r#"{"apiVersion": "audit.k8s.io/v1", "kind": "Policy",
    "omitStages": ["RequestReceived", "ResponseStarted"], "rules": [{"level": "Metadata"}]}"#;
/// kwok does the rest: capacity, addresses, readiness.
pub(super) const NODE: &str = r#"{"apiVersion": "v1", "kind": "Node", "metadata": {"name": "testbed"}}"#;

pub(super) async fn etcd(folder: &Path, port: u16) -> Result<Program> {
    let clients = format!("http://127.0.0.1:{port}");
    let peers = format!("http://127.0.0.1:{}", ports::free_port()?);
    Ok(Program::new("etcd", tools::ready(Tool::Etcd).await?).args([
        "--name=testbed".to_owned(),
        format!("--data-dir={}", inside(folder, "etcd")?),
        format!("--listen-client-urls={clients}"),
        format!("--advertise-client-urls={clients}"),
        format!("--listen-peer-urls={peers}"),
        format!("--initial-advertise-peer-urls={peers}"),
        format!("--initial-cluster=testbed={peers}"),
        "--unsafe-no-fsync".to_owned(),
        "--log-level=warn".to_owned(),
    ]))
}

pub(super) async fn api_server(
    folder: &Path,
    port: u16,
    etcd: u16,
    options: ClusterOptions,
) -> Result<Program> {
    let file = |name: &str| inside(folder, name);
    std::fs::write(file("audit-policy.yaml")?, AUDIT_POLICY).context("write the audit policy")?;
    let mut args = vec![
        format!("--etcd-servers=http://127.0.0.1:{etcd}"),
        "--bind-address=127.0.0.1".to_owned(),
        "--advertise-address=127.0.0.1".to_owned(),
        // Otherwise it wants to publish its own address, and 127.0.0.1 is none that an Endpoints object may hold.
        "--endpoint-reconciler-type=none".to_owned(),
        format!("--secure-port={port}"),
        format!("--cert-dir={}", file("certificates")?),
        format!("--tls-cert-file={}", file(SERVER_CERTIFICATE)?),
        format!("--tls-private-key-file={}", file(SERVER_KEY)?),
        format!("--client-ca-file={}", file(CA)?),
        format!("--service-account-key-file={}", file(ACCOUNTS_PUBLIC_KEY)?),
        format!("--service-account-signing-key-file={}", file(ACCOUNTS_KEY)?),
        "--service-account-issuer=https://kubernetes.default.svc".to_owned(),
        "--authorization-mode=RBAC".to_owned(),
        "--service-cluster-ip-range=10.96.0.0/16".to_owned(),
        format!("--audit-policy-file={}", file("audit-policy.yaml")?),
        format!("--audit-log-path={}", file(AUDIT_LOG)?),
        // In MB; the default starts a new file after 100.
        "--audit-log-maxsize=10000".to_owned(),
    ];
    if !options.controllers {
        // Nobody makes the service account that every pod must have.
        args.push("--disable-admission-plugins=ServiceAccount".to_owned());
    }
    Ok(Program::new("kube-apiserver", tools::ready(Tool::KubeApiserver).await?).args(args))
}

pub(super) async fn controller_manager(folder: &Path, kubeconfig: &Path) -> Result<Program> {
    let program = tools::ready(Tool::ControllerManager).await?;
    Ok(Program::new("kube-controller-manager", program).arg("--kubeconfig").arg(kubeconfig).args([
        "--leader-elect=false".to_owned(),
        "--secure-port=0".to_owned(),
        format!("--service-account-private-key-file={}", inside(folder, ACCOUNTS_KEY)?),
        format!("--root-ca-file={}", inside(folder, CA)?),
        "--kube-api-qps=500".to_owned(),
        "--kube-api-burst=1000".to_owned(),
        // Who finds a node silent takes the readiness of its pods, and a played node never gives it back.
        "--node-monitor-grace-period=1h".to_owned(),
    ]))
}

pub(super) async fn scheduler(kubeconfig: &Path) -> Result<Program> {
    let program = tools::ready(Tool::Scheduler).await?;
    Ok(Program::new("kube-scheduler", program).arg("--kubeconfig").arg(kubeconfig).args([
        "--leader-elect=false",
        "--secure-port=0",
        "--kube-api-qps=500",
        "--kube-api-burst=1000",
    ]))
}

pub(super) async fn kwok(kubeconfig: &Path) -> Result<Program> {
    let program = tools::ready(Tool::Kwok).await?;
    let stages =
        tokio::task::spawn_blocking(tools::kwok_stages).await.context("the thread of the stages died")??;
    let mut kwok = Program::new("kwok", program)
        .arg("--kubeconfig")
        .arg(kubeconfig)
        // Without a lease it says every ten minutes that its node is there; with one, every ten seconds.
        .args(["--manage-all-nodes=true", "--node-ip=127.0.0.1", "--node-lease-duration-seconds=40"])
        .arg(format!("--server-address=127.0.0.1:{}", ports::free_port()?));
    for stage in stages {
        kwok = kwok.arg("--config").arg(stage);
    }
    Ok(kwok)
}

fn inside(folder: &Path, name: &str) -> Result<String> {
    Ok(folder.join(name).to_str().context("the cluster's folder has a path that is not text")?.to_owned())
}
