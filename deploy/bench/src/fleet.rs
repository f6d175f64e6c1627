//! A fleet of the shipped binaries: keys, api, publisher, agents, driven as an operator drives them.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;
use testbed::{Process, Program, Ready};

use crate::wire::Client;

/// A folder with a fleet's keys, an api that runs, and a web server in front of its store.
pub(crate) struct Fleet {
    folder: TempDir,
    _cdn: Process,
    /// The api.
    pub(crate) api: Process,
    /// `127.0.0.1:PORT`.
    pub(crate) address: String,
}

/// Where `make build` leaves a binary.
pub(crate) fn binary(name: &str) -> Result<PathBuf> {
    let own = std::env::current_exe().context("this program's own path")?;
    let release = own.parent().context("this program lies in a folder")?;
    let profile = if name == "windlass-agent" { "agent" } else { "release" };
    let path = release.parent().context("the target folder")?.join(profile).join(name);
    ensure!(path.is_file(), "{} is not there: run `make build`", path.display());
    Ok(path)
}

/// A web server in front of a store.
struct Cdn {
    process: Process,
    url: String,
}

async fn cdn(store: &Path) -> Result<Cdn> {
    std::fs::create_dir_all(store).context("make the store's folder")?;
    let address = format!("127.0.0.1:{}", testbed::free_port()?);
    let program = Program::new("windlass-mirror", binary("windlass-mirror")?)
        .args(["--listen", &address, "--observe-listen", "off", "--log-level", "warn"])
        .args([OsStr::new("--directory"), store.as_os_str()]);
    Ok(Cdn { process: program.start(Ready::Tcp(address.clone())).await?, url: format!("http://{address}") })
}

impl Fleet {
    /// Makes keys and starts an api on SQLite with a directory store, pinned to one core if asked for.
    pub(crate) async fn start(core: Option<&str>) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("windlass-bench-").tempdir().context("make a folder")?;
        let path = folder.path();
        run(Command::new(binary("windlass")?).args(["keys", "init", "--dir"]).arg(path.join("keys")))?;
        let address = format!("127.0.0.1:{}", testbed::free_port()?);
        let cdn = cdn(&path.join("store")).await?;
        let api = binary("windlass-api")?;
        let program = match core {
            Some(core) => Program::new("windlass-api", "taskset").args(["-c", core]).arg(api),
            None => Program::new("windlass-api", api),
        };
        let program = program
            .args(["--listen", &address, "--observe-listen", "off", "--log-level", "warn"])
            .args([OsStr::new("--database"), path.join("api.db").as_os_str()])
            .args([OsStr::new("--store"), path.join("store").as_os_str()])
            .args([OsStr::new("--root"), path.join("keys/root").as_os_str()])
            .args([OsStr::new("--desired-key"), path.join("keys/desired.key").as_os_str()])
            .args([OsStr::new("--admin-token-file"), path.join("admin-token").as_os_str()])
            .args(["--origins", &cdn.url]);
        let api = program.start(Ready::Tcp(address.clone())).await?;
        Ok(Self { folder, _cdn: cdn.process, api, address })
    }

    /// A path in the fleet's folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs `windlass` as the admin; gives its stdout.
    pub(crate) fn windlass<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Result<String> {
        let url = format!("http://{}", self.address);
        run(Command::new(binary("windlass")?)
            .args(["--server", &url, "--token-file"])
            .arg(self.path("admin-token"))
            .args(arguments))
    }

    /// A join token for `count` clusters, in a file.
    pub(crate) fn join_token(&self, count: usize) -> Result<PathBuf> {
        let uses = count.to_string();
        let token = self.windlass(["join-token", "create", "--approve", "--uses", &uses, "-o", "name"])?;
        let path = self.path("join-token");
        std::fs::write(&path, token).context("keep the join token")?;
        Ok(path)
    }

    /// Joins `count` clusters through the front door; gives their credentials.
    pub(crate) async fn join(&self, count: usize) -> Result<Vec<String>> {
        let token = std::fs::read_to_string(self.join_token(count)?).context("read the join token")?;
        let client = Client { address: self.address.clone() };
        let mut credentials = Vec::new();
        for number in 0..count {
            let key = cdn::SigningKey::random().public();
            let body = json!({"name": format!("cluster-{number}"), "key": key, "agent": "bench"}).to_string();
            let (_, joined) = client.ask("POST", "/v1/join", token.trim(), &body).await?;
            let joined: Value = serde_json::from_str(&joined).context("the answer to a join")?;
            credentials.push(joined["credential"].as_str().context("a credential")?.to_owned());
        }
        Ok(credentials)
    }

    /// Publishes one folder of plain manifests as the service `default/bench`, to the cluster `bench`.
    pub(crate) fn publish(&self, manifests: &Path, namespace: &str) -> Result<()> {
        let credential = self.path("publisher-token");
        self.windlass([
            OsStr::new("publisher"),
            "create".as_ref(),
            "bench".as_ref(),
            "--out".as_ref(),
            credential.as_ref(),
        ])?;
        let documents = format!(
            "apiVersion: windlass.dev/v1alpha1\nkind: Source\nmetadata: {{name: bench}}\nspec: {{directory: {{path: {}}}}}\n---\n\
             apiVersion: windlass.dev/v1alpha1\nkind: ServiceDeployment\nmetadata: {{name: bench}}\n\
             spec: {{source: bench, namespace: {namespace}, clusters: [bench]}}\n",
            manifests.display()
        );
        let description = self.path("fleet.yaml");
        std::fs::write(&description, documents).context("write the fleet's description")?;
        self.windlass([OsStr::new("apply"), "-f".as_ref(), description.as_ref()])?;
        let allow = self.path("allow.toml");
        let entry = format!(
            "[[allow]]\nservices = [\"default/*\"]\nrepository = \"{}\"\nlocal = true\n",
            manifests.display()
        );
        std::fs::write(&allow, entry).context("write the allow list")?;
        run(Command::new(binary("windlass-publisher")?)
            .args(["--api", &format!("http://{}", self.address), "--observe-listen", "off"])
            .args([OsStr::new("--token-file"), credential.as_ref()])
            .args([OsStr::new("--root"), self.path("keys/root").as_ref()])
            .args([OsStr::new("--release-key"), self.path("keys/release-default.key").as_ref()])
            .args([OsStr::new("--store"), self.path("store").as_ref()])
            .args([OsStr::new("--cache"), self.path("publisher-cache").as_ref()])
            .args([OsStr::new("--allow"), allow.as_ref()])
            .args(["once", "default/bench"]))
        .map(drop)
    }

    /// Waits until the one cluster has been assigned what is published.
    pub(crate) async fn until_assigned(&self) -> Result<()> {
        let until = Instant::now() + PATIENCE;
        loop {
            let cluster: Value =
                serde_json::from_str(&self.windlass(["describe", "cluster", "bench", "-o", "json"])?)?;
            if cluster.pointer("/cluster/assigned/0").is_some() {
                return Ok(());
            }
            ensure!(Instant::now() < until, "nothing was assigned: {cluster:#}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// The agent's command line for one Kubernetes cluster.
    pub(crate) fn agent(&self, kubeconfig: &Path) -> Vec<OsString> {
        let mut words: Vec<OsString> =
            ["--name", "bench", "--target", "kubernetes", "--observe-listen", "off"]
                .into_iter()
                .chain(["--log-level", "warn", "--api"])
                .map(OsString::from)
                .collect();
        words.push(format!("http://{}", self.address).into());
        for (flag, path) in [
            ("--join-token-file", self.path("join-token")),
            ("--state", self.path("agent-state")),
            ("--kubeconfig", kubeconfig.to_owned()),
        ] {
            words.extend([flag.into(), path.into_os_string()]);
        }
        words
    }
}

/// Runs a command to its end; gives its stdout, or its stderr as the error.
pub(crate) fn run(command: &mut Command) -> Result<String> {
    let name = command.get_program().to_owned();
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("run {}", name.display()))?;
    let stderr = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{} failed: {stderr}", name.display());
    String::from_utf8(output.stdout).context("its output is text")
}

/// How long a condition may take.
pub(crate) const PATIENCE: Duration = Duration::from_mins(5);
