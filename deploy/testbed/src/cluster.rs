//! A real Kubernetes control plane.

use std::path::Path;

use anyhow::{Result, bail};

/// A running kube-apiserver with its etcd, and with the controllers if asked for.
#[derive(Debug)]
pub struct Cluster {}

/// What runs beside API server and etcd.
#[derive(Clone, Copy, Debug, Default)]
pub struct ClusterOptions {
    /// kube-controller-manager, kube-scheduler, and kwok with one node: Deployments get pods, which become Ready, and
    /// namespaces can be deleted.
    pub controllers: bool,
}

/// One request that reached the API server, as its audit log tells (level Metadata, stage `ResponseComplete`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEvent {
    /// `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`, `deletecollection`.
    pub verb: String,
    /// Path and query.
    pub uri: String,
    /// The user; the certificates of this crate are `testbed`, the parts of the control plane have names of their own.
    pub user: String,
    /// The client's User-Agent.
    pub user_agent: String,
    /// The resource, as `deployments`; empty for paths that are none.
    pub resource: String,
    /// The subresource, as `status`; mostly empty.
    pub subresource: String,
    /// The object's namespace; empty for cluster-wide ones.
    pub namespace: String,
    /// The object's name.
    pub name: String,
    /// The status of the answer.
    pub code: u16,
}

impl AuditEvent {
    /// Whether it asked for a change.
    pub fn is_write(&self) -> bool {
        matches!(self.verb.as_str(), "create" | "update" | "patch" | "delete" | "deletecollection")
    }
}

impl Cluster {
    /// Starts one of the caller's own.
    pub async fn start(options: ClusterOptions) -> Result<Self> {
        bail!("{options:?}")
    }
    /// API server and etcd, shared by all tests of this process: each takes a namespace of its own.
    pub async fn shared() -> Result<&'static Self> {
        bail!("not built yet")
    }
    /// The same with the controllers.
    pub async fn shared_with_controllers() -> Result<&'static Self> {
        bail!("not built yet")
    }
    /// A kubeconfig whose user `testbed` is of the group `system:masters`.
    pub fn kubeconfig(&self) -> &Path {
        Path::new("")
    }
    /// `https://127.0.0.1:PORT`.
    pub fn server_url(&self) -> &str {
        ""
    }
    /// The authority of the server's certificate.
    pub fn ca_pem(&self) -> &str {
        ""
    }
    /// The client certificate of the kubeconfig.
    pub fn client_cert_pem(&self) -> &str {
        ""
    }
    /// Its key.
    pub fn client_key_pem(&self) -> &str {
        ""
    }
    /// Runs kubectl against this cluster; returns its stdout, and an error with its stderr when it fails.
    pub async fn kubectl(&self, args: &[&str]) -> Result<String> {
        bail!("{args:?}")
    }
    /// The same with text for its stdin, as in `kubectl apply -f -`.
    pub async fn kubectl_with(&self, stdin: &str, args: &[&str]) -> Result<String> {
        bail!("{stdin} {args:?}")
    }
    /// A new namespace, named by the prefix and a number.
    pub async fn create_namespace(&self, prefix: &str) -> Result<String> {
        bail!("{prefix}")
    }
    /// A token of a service account, for clients that use no certificate.
    pub async fn service_account_token(&self, namespace: &str, name: &str) -> Result<String> {
        bail!("{namespace} {name}")
    }
    /// The requests that were answered so far, oldest first.
    pub fn audit_events(&self) -> Result<Vec<AuditEvent>> {
        bail!("not built yet")
    }
    /// Ends the API server (etcd stays), as in an outage of the control plane.
    pub async fn stop_api_server(&mut self) -> Result<()> {
        bail!("not built yet")
    }
    /// Starts the API server again on the same port.
    pub async fn start_api_server(&mut self) -> Result<()> {
        bail!("not built yet")
    }
    /// Ends everything and waits until the ports are free.
    pub async fn stop(&mut self) -> Result<()> {
        bail!("not built yet")
    }
}
