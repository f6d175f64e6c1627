//! A site: a state folder, a target folder, and the agent between them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use agent::{Agent, Settings, Status};
use cdn::document::{HoldReason, ServiceReport};
use clap::Parser;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::fleet::{Fleet, service};
use crate::wire::Wire;

/// A fleet of one site, with an api.
pub(crate) struct Site {
    pub(crate) fleet: Fleet,
    pub(crate) wire: Wire,
    folder: tempfile::TempDir,
    origin: PathBuf,
}

impl Site {
    pub(crate) async fn new() -> Self {
        let fleet = Fleet::new();
        let wire = Wire::new(fleet.id).await;
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("token"), wire.token.secret().expose()).unwrap();
        let origin = fleet.origin().to_owned();
        Self { fleet, wire, folder, origin }
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    pub(crate) fn token_file(&self) -> PathBuf {
        self.folder.path().join("token")
    }

    pub(crate) fn target(&self) -> PathBuf {
        self.folder.path().join("target")
    }

    pub(crate) fn settings(&self) -> Settings {
        Settings::try_parse_from(["windlass-agent".to_owned()].into_iter().chain(self.arguments())).unwrap()
    }

    /// The settings, as a process takes them.
    pub(crate) fn arguments(&self) -> [String; 8] {
        let text = |path: &Path| path.display().to_string();
        [
            format!("--api={}", self.wire.url),
            format!("--join-token-file={}", text(&self.token_file())),
            format!("--state={}", text(&self.state())),
            format!("--target=directory:{}", text(&self.target())),
            format!("--origin={}", text(&self.origin)),
            "--poll-interval=1s".to_owned(),
            "--sync-interval=1s".to_owned(),
            "--observe-listen=off".to_owned(),
        ]
    }

    /// Assigns the set as it is now, and lets the agent take it up: poll, passes, report.
    pub(crate) async fn assign(&mut self) -> Status {
        let envelope = self.fleet.assign(&self.wire.cluster);
        self.wire.serve(envelope);
        self.once().await
    }

    /// Starts an agent on this state for one poll and what follows.
    pub(crate) async fn once(&self) -> Status {
        Box::pin(Agent::new(self.settings()).once()).await.unwrap()
    }

    /// Starts an agent that runs until the guard is stopped.
    pub(crate) fn start(&self) -> Running {
        Running::new(self.settings())
    }

    /// The files of the target, by name.
    pub(crate) fn files(&self) -> BTreeMap<String, String> {
        let mut files = BTreeMap::new();
        for entry in std::fs::read_dir(self.target()).unwrap().map(Result::unwrap) {
            if entry.file_type().unwrap().is_file() {
                let text = std::fs::read_to_string(entry.path()).unwrap();
                files.insert(entry.file_name().into_string().unwrap(), text);
            }
        }
        files
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.files().into_keys().collect()
    }

    /// The file of a `ConfigMap`.
    pub(crate) fn path(&self, namespace: &str, name: &str) -> PathBuf {
        self.target().join(format!("{namespace}_ConfigMap_{name}.json"))
    }

    /// What a `ConfigMap` says; none where it is not there.
    pub(crate) fn text(&self, namespace: &str, name: &str) -> Option<String> {
        let bytes = std::fs::read(self.path(namespace, name)).ok()?;
        let value: serde_json::Value = serde_json::from_slice(&bytes).ok()?;
        Some(value["data"]["text"].as_str()?.to_owned())
    }
}

/// An agent that runs.
pub(crate) struct Running {
    pub(crate) status: tokio::sync::watch::Receiver<Status>,
    stop: CancellationToken,
    task: JoinSet<anyhow::Result<()>>,
}

impl Running {
    pub(crate) fn new(settings: Settings) -> Self {
        let agent = Agent::new(settings);
        let (status, stop) = (agent.status(), CancellationToken::new());
        let mut task = JoinSet::new();
        task.spawn(Box::pin(agent.run(stop.clone())));
        Self { status, stop, task }
    }

    /// Waits until the agent says so.
    pub(crate) async fn until(&mut self, what: &str, mut so: impl FnMut(&Status) -> bool) -> Status {
        let waiting = self.status.wait_for(|status| so(status));
        let waited = tokio::time::timeout(Duration::from_secs(30), waiting).await;
        waited.unwrap_or_else(|_| panic!("not within 30 s: {what}")).expect("the agent runs").clone()
    }

    pub(crate) async fn stop(mut self) {
        self.stop.cancel();
        while let Some(ended) = self.task.join_next().await {
            ended.unwrap().unwrap();
        }
    }
}

/// The reasons of all holds, sorted.
pub(crate) fn reasons(status: &Status) -> Vec<HoldReason> {
    let mut reasons: Vec<HoldReason> = status.holds().iter().map(|hold| hold.reason).collect();
    reasons.sort();
    reasons
}

/// How one service is reported.
pub(crate) fn reported<'a>(status: &'a Status, name: &str) -> &'a ServiceReport {
    let services = &status.pass.as_ref().expect("a pass was made").services;
    services.iter().find(|report| report.name == service(name)).expect("the service is reported")
}
