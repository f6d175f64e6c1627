//! A site of the demo: an agent and its target, a folder or the one cluster that was named.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use agent::kubernetes::Kubernetes;
use agent::target::{KubernetesSettings, Target};
use agent::{Agent, Status};
use anyhow::{Context as _, Result, bail};
use cdn::ServiceName;
use cdn::document::Sync;
use program::settings::parse_words;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::Demo;
use super::fleet::{Fleet, PATIENCE};
use super::running::Running;
use crate::exit::{Exit, Failure};
use crate::output::reasons;

/// How often the demo's agents poll and look at everything. In a fleet both are two minutes.
pub(super) const INTERVAL: &str = "1s";

/// How long a cluster may take to say that it is there.
const REACH_TIME: Duration = Duration::from_secs(10);

/// Where an agent of the demo keeps its notes in a cluster.
pub(super) const NAMESPACE: &str = "windlass-demo";

/// Whether the cluster that was named can be asked at all; before anything is built up, and nothing is written.
pub(super) async fn reach(demo: &Demo) -> Result<()> {
    let Some(context) = &demo.kube_context else { return Ok(()) };
    let settings = KubernetesSettings {
        kubeconfig: demo.kubeconfig.clone(),
        context: Some(context.clone()),
        namespace: NAMESPACE.to_owned(),
        request_timeout: REACH_TIME,
    };
    let asked = match Box::pin(Kubernetes::connect(&settings)).await {
        Ok(cluster) => Target::Kubernetes(cluster).home().await.map_err(anyhow::Error::from),
        Err(error) => Err(error),
    };
    asked.map(drop).map_err(|error| {
        let next =
            format!("`kubectl config get-contexts` lists the names; see what `kubectl --context {context} version` says");
        let what = format!("the cluster of the context `{context}` cannot be asked");
        Failure::new(Exit::NotFound, what).why(reasons(&error)).next(next).into()
    })
}

/// An agent and its target.
pub(super) struct Site {
    /// Its name.
    pub(super) name: String,
    /// The target's folder; none for a cluster.
    pub(super) folder: Option<PathBuf>,
    arguments: Vec<OsString>,
    status: watch::Receiver<Status>,
    agent: Option<Running>,
}

impl Site {
    /// Lets a new site join and starts its agent.
    pub(super) async fn join(
        fleet: &Fleet,
        name: &str,
        labels: &BTreeMap<String, String>,
        cluster: Option<&Demo>,
    ) -> Result<Self> {
        let asked = json!({ "labels": labels, "max_uses": 1, "approve": true });
        let made: Value = fleet.server.create("/v1/join-tokens", &asked).await?;
        let token = made["token"].as_str().context("the api gave no token")?;
        let token = fleet.workshop.keep(&format!("{name}.join-token"), token)?;
        let folder = fleet.workshop.path(format!("sites/{name}"));
        let mut arguments: Vec<OsString> =
            ["windlass-agent", "--name", name, "--observe-listen", "off"].map(OsString::from).into();
        arguments.extend(
            ["--poll-interval", INTERVAL, "--sync-interval", INTERVAL, "--api", &fleet.api_url]
                .map(OsString::from),
        );
        arguments.extend(["--join-token-file".into(), token.into_os_string()]);
        arguments.extend(["--state".into(), fleet.workshop.path(format!("state/{name}")).into_os_string()]);
        let folder = if let Some(demo) = cluster {
            arguments.extend(["--target", "kubernetes", "--namespace", NAMESPACE].map(OsString::from));
            arguments
                .extend(demo.kube_context.iter().flat_map(|name| ["--kube-context".into(), name.into()]));
            let file = demo.kubeconfig.iter();
            arguments.extend(file.flat_map(|file| ["--kubeconfig".into(), file.clone().into_os_string()]));
            None
        } else {
            fs::create_dir_all(&folder).with_context(|| format!("make the folder of {name}"))?;
            arguments.extend(["--target".into(), format!("directory:{}", folder.display()).into()]);
            Some(folder)
        };
        let (_, status) = watch::channel(Status::default());
        let mut site = Self { name: name.to_owned(), folder, arguments, status, agent: None };
        site.start()?;
        Ok(site)
    }

    /// Whether it is the cluster that was named.
    pub(super) fn is_cluster(&self) -> bool {
        self.folder.is_none()
    }

    /// Starts its agent, for the first time or again.
    pub(super) fn start(&mut self) -> Result<()> {
        let agent = Agent::new(parse_words(&self.arguments)?);
        self.status = agent.status();
        self.agent = Some(Running::start("an agent", |stop| Box::pin(agent.run(stop))));
        Ok(())
    }

    /// Starts its agent, unless it runs.
    pub(super) fn start_again(&mut self) -> Result<()> {
        if self.agent.is_some() { Ok(()) } else { self.start() }
    }

    /// Stops its agent, and lets it take away what it has kept in its target for itself.
    pub(super) async fn leave(&mut self) -> Result<()> {
        self.stop().await?;
        Agent::new(parse_words(&self.arguments)?).leave().await
    }

    /// Stops its agent.
    pub(super) async fn stop(&mut self) -> Result<()> {
        match self.agent.take() {
            Some(agent) => agent.stop().await,
            None => Ok(()),
        }
    }

    /// What its agent says of itself now.
    pub(super) fn status(&self) -> Status {
        self.status.borrow().clone()
    }

    /// Waits until its agent says that something is so.
    pub(super) async fn until(&mut self, what: &str, mut is: impl FnMut(&Status) -> bool) -> Result<Instant> {
        let begun = Instant::now();
        loop {
            if is(&self.status.borrow_and_update()) {
                return Ok(Instant::now());
            }
            if let Some(failure) = self.agent.as_mut().and_then(Running::failure) {
                return Err(failure.context(format!("at {}", self.name)));
            }
            let left = PATIENCE.saturating_sub(begun.elapsed());
            let changed = tokio::time::timeout(left.min(Duration::from_secs(1)), self.status.changed()).await;
            if left.is_zero() || matches!(changed, Ok(Err(_))) {
                bail!("{} did not get there: {what}; it says: {}", self.name, self.problems());
            }
        }
    }

    /// What is in its way, in words.
    pub(super) fn problems(&self) -> String {
        let status = self.status();
        let holds: Vec<_> =
            status.holds().iter().map(|hold| format!("{}: {}", hold.reason.code(), hold.message)).collect();
        format!("{} {}", status.network.problem, holds.join("; "))
    }
}

/// Whether a site runs what it should: everything synced.
pub(super) fn is_synced(status: &Status, services: &BTreeMap<ServiceName, cdn::Digest>) -> bool {
    status.pass.as_ref().is_some_and(|pass| {
        pass.seq == status.network.seq
            && !pass.services.is_empty()
            && pass.services.iter().all(|service| {
                service.sync == Sync::Synced && services.get(&service.name) == service.release.as_ref()
            })
    })
}
