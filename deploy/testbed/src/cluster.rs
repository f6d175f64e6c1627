//! A real Kubernetes control plane: kube-apiserver and etcd, and if wanted the controllers and a played node.

mod audit;
mod credentials;
mod programs;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;
use tokio::sync::OnceCell;

use crate::process::{Process, Ready};
use crate::tools::{self, Tool};
use crate::{ports, run, workplace};
pub use audit::AuditEvent;
use credentials::Authority;

/// The user of [`Cluster::kubeconfig`].
const USER: &str = "testbed";
/// Past every check of the API server's authorization.
const MASTERS: &str = "system:masters";
const PATIENCE: Duration = Duration::from_secs(90);

/// A running kube-apiserver with its etcd, and with the controllers if asked for.
#[derive(Debug)]
pub struct Cluster {
    controllers: Vec<Process>,
    api_server: Process,
    etcd: Process,
    authority: Authority,
    server_url: String,
    kubeconfig: PathBuf,
    kubectl: PathBuf,
    names: AtomicU32,
    folder: TempDir,
}

/// What runs beside API server and etcd.
#[derive(Clone, Copy, Debug, Default)]
pub struct ClusterOptions {
    /// kube-controller-manager, kube-scheduler, and kwok with one node: Deployments get pods, which become Ready, and
    /// namespaces can be deleted. Without them pods need no service account, a deleted namespace stays Terminating, and the
    /// roles `view`, `edit` and `admin` allow nothing (a controller gathers what they allow).
    pub controllers: bool,
}

impl Cluster {
    /// Starts one of the caller's own.
    pub async fn start(options: ClusterOptions) -> Result<Self> {
        let kubectl = tools::ready(Tool::Kubectl).await?;
        let folder = workplace::folder("cluster")?;
        let authority = Authority::new(folder.path())?;
        let client = authority.client(USER, Some(MASTERS))?;
        let etcd_port = ports::free_port()?;
        let etcd = programs::etcd(folder.path(), etcd_port).await?;
        let etcd = etcd
            .start(Ready::Http(format!("http://127.0.0.1:{etcd_port}/health")))
            .await
            .context("start etcd")?;
        let port = ports::free_port()?;
        let server_url = format!("https://127.0.0.1:{port}");
        let api_server = programs::api_server(folder.path(), port, etcd_port, options).await?;
        let listening = Ready::Tcp(format!("127.0.0.1:{port}"));
        let api_server = api_server.start(listening).await.context("start kube-apiserver")?;
        let kubeconfig = folder.path().join("kubeconfig");
        authority.write_kubeconfig(&kubeconfig, &server_url, &client)?;
        let names = AtomicU32::new(0);
        let controllers = Vec::new();
        let mut cluster =
            Self { controllers, api_server, etcd, authority, server_url, kubeconfig, kubectl, names, folder };
        cluster.until_ready().await?;
        if options.controllers {
            cluster.start_controllers().await?;
        }
        Ok(cluster)
    }

    /// API server and etcd, shared by all tests of this process: each takes a namespace of its own.
    pub async fn shared() -> Result<&'static Self> {
        static SHARED: OnceCell<Cluster> = OnceCell::const_new();
        let start = || async { Box::pin(Self::start(ClusterOptions { controllers: false })).await };
        SHARED.get_or_try_init(start).await
    }

    /// The same with the controllers.
    pub async fn shared_with_controllers() -> Result<&'static Self> {
        static SHARED: OnceCell<Cluster> = OnceCell::const_new();
        let start = || async { Box::pin(Self::start(ClusterOptions { controllers: true })).await };
        SHARED.get_or_try_init(start).await
    }

    /// A kubeconfig whose user `testbed` is of the group `system:masters`.
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// A kubeconfig for another user, by a client certificate of this name; with no rights but those that the test binds
    /// to that user.
    pub fn kubeconfig_of(&self, user: &str) -> Result<PathBuf> {
        let number = self.names.fetch_add(1, Ordering::Relaxed);
        let path = self.folder.path().join(format!("kubeconfig-{number}"));
        self.authority.write_kubeconfig(&path, &self.server_url, &self.authority.client(user, None)?)?;
        Ok(path)
    }

    /// The end of what each controller has written.
    pub fn controllers_log(&self) -> String {
        self.controllers.iter().map(|controller| controller.tail() + "\n").collect()
    }

    /// `https://127.0.0.1:PORT`.
    pub fn server_url(&self) -> &str {
        &self.server_url
    }

    /// Runs kubectl against this cluster; returns its stdout, and an error with its stderr when it fails.
    pub async fn kubectl(&self, args: &[&str]) -> Result<String> {
        self.kubectl_with("", args).await
    }

    /// The same with text for its stdin, as in `kubectl apply -f -`.
    pub async fn kubectl_with(&self, stdin: &str, args: &[&str]) -> Result<String> {
        let mut command = Command::new(&self.kubectl);
        // First, so that a caller may name another kubeconfig.
        command.arg("--kubeconfig").arg(&self.kubeconfig);
        command.arg("--cache-dir").arg(self.folder.path().join("kubectl")).args(args);
        let (what, stdin) = (args.join(" "), stdin.to_owned());
        let said = tokio::task::spawn_blocking(move || run::output_with(&stdin, &mut command)).await;
        said.context("the thread of kubectl died")?.with_context(|| format!("kubectl {what}"))
    }

    /// A new namespace, named by the prefix and a number.
    pub async fn create_namespace(&self, prefix: &str) -> Result<String> {
        let name = format!("{prefix}-{}", self.names.fetch_add(1, Ordering::Relaxed));
        self.kubectl(&["create", "namespace", &name]).await?;
        Ok(name)
    }

    /// A token of a service account, which is created if it is not there, for clients that use no certificate.
    pub async fn service_account_token(&self, namespace: &str, name: &str) -> Result<String> {
        let known =
            self.kubectl(&["get", "serviceaccount", name, "-n", namespace, "--ignore-not-found"]).await?;
        if known.is_empty() {
            self.kubectl(&["create", "serviceaccount", name, "-n", namespace]).await?;
        }
        let token = self.kubectl(&["create", "token", name, "-n", namespace, "--duration=24h"]).await?;
        Ok(token.trim_end().to_owned())
    }

    /// The requests that were answered so far, oldest first. Complete: what a client has seen the end of is in it.
    pub async fn audit_events(&self) -> Result<Vec<AuditEvent>> {
        let log = self.folder.path().join(programs::AUDIT_LOG);
        let mark = format!("/version?testbed-mark={}", self.names.fetch_add(1, Ordering::Relaxed));
        self.kubectl(&["get", "--raw", &mark]).await?;
        let written = async || std::fs::read_to_string(&log).is_ok_and(|text| text.contains(&mark));
        self.api_server.wait_until("its audit log is written", PATIENCE, written).await?;
        audit::parse(&std::fs::read_to_string(&log).context("read the audit log")?)
    }

    /// Ends the API server (etcd stays), as in an outage of the control plane.
    pub async fn stop_api_server(&mut self) -> Result<()> {
        self.api_server.kill().await
    }

    /// Starts the API server again on the same port.
    pub async fn start_api_server(&mut self) -> Result<()> {
        self.api_server.start_again().await?;
        self.until_ready().await
    }

    /// Freezes the API server: connections stay open and nothing answers.
    pub fn pause_api_server(&self) -> Result<()> {
        self.api_server.pause()
    }

    /// Lets it go on.
    pub fn resume_api_server(&self) -> Result<()> {
        self.api_server.resume()
    }

    /// Ends everything and waits until it is gone and the ports are free.
    pub async fn stop(&mut self) -> Result<()> {
        for controller in &mut self.controllers {
            controller.kill().await?;
        }
        self.api_server.kill().await?;
        self.etcd.kill().await
    }

    async fn until_ready(&self) -> Result<()> {
        let ready = async || {
            self.kubectl(&["get", "--raw", "/readyz", "--request-timeout=5s"]).await.is_ok()
                && self.kubectl(&["get", "namespace", "default", "--request-timeout=5s"]).await.is_ok()
        };
        self.api_server.wait_until("the API server is ready", PATIENCE, ready).await
    }

    async fn start_controllers(&mut self) -> Result<()> {
        let folder = self.folder.path().to_owned();
        let kubeconfig = |user: &str| -> Result<PathBuf> {
            let path = folder.join(format!("{user}.kubeconfig"));
            let client = self.authority.client(&format!("system:{user}"), Some(MASTERS))?;
            self.authority.write_kubeconfig(&path, &self.server_url, &client)?;
            Ok(path)
        };
        let programs = [
            programs::controller_manager(&folder, &kubeconfig("kube-controller-manager")?).await?,
            programs::scheduler(&kubeconfig("kube-scheduler")?).await?,
            programs::kwok(&kubeconfig("kwok")?).await?,
        ];
        for program in programs {
            self.controllers.push(program.start(Ready::AtOnce).await.context("start the controllers")?);
        }
        self.kubectl_with(programs::NODE, &["apply", "-f", "-"]).await?;
        let wanted = ["wait", "--for=condition=Ready", "node/testbed", "--timeout=1s"];
        let account = ["get", "serviceaccount", "default", "-n", "default"];
        let ready = async || self.kubectl(&wanted).await.is_ok() && self.kubectl(&account).await.is_ok();
        let played = self.controllers.last().context("kwok was started")?;
        played.wait_until("the node is ready", PATIENCE, ready).await?;
        for controller in &self.controllers {
            ensure!(controller.is_running(), "a controller has ended; its log:\n{}", controller.log());
        }
        Ok(())
    }
}
