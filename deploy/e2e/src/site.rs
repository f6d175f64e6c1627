//! A site: an agent, what it keeps on disk, and the cluster or folder that it makes so.

use std::path::PathBuf;

use anyhow::{Context, Result};
use testbed::{Process, Program, Ready};

use crate::programs::Bin;
use crate::rig::{PATIENCE, Rig, address, metric};
use crate::target::Target;

/// A running agent and its target.
#[derive(Debug)]
pub struct Site {
    /// The name it joined under.
    pub name: String,
    /// The agent.
    pub agent: Process,
    /// Where it makes things so.
    pub target: Target,
    /// What it keeps on disk.
    pub state: PathBuf,
    observe: String,
}

/// What is particular to a site.
#[derive(Clone, Debug, Default)]
pub struct SiteOptions {
    /// The api's URL, where it is not the fleet's wire.
    pub api: Option<String>,
    /// Origins of its own, before those that the assignment names.
    pub origins: Vec<String>,
    /// How much the agent logs; `info` unless said.
    pub log_level: Option<String>,
    /// Labels that its join token gives, as `key=value`.
    pub labels: Vec<String>,
    /// Further flags.
    pub flags: Vec<String>,
    /// A folder as target, where the fleet has a cluster too.
    pub folder: Option<PathBuf>,
    /// A state folder that is there already.
    pub state: Option<PathBuf>,
}

impl Site {
    pub(crate) async fn start(
        rig: &Rig,
        name: &str,
        (token, target): (PathBuf, Target),
        options: SiteOptions,
    ) -> Result<Self> {
        let state = options.state.unwrap_or_else(|| rig.path(&format!("state-{name}")));
        let observe = address()?;
        let mut program = Program::new("windlass-agent", rig.programs().path(Bin::Agent))
            .args(["--api", options.api.as_deref().unwrap_or(&rig.wire.url()), "--name", name])
            .arg("--join-token-file")
            .arg(&token)
            .arg("--state")
            .arg(&state)
            .args(["--poll-interval", "1s", "--sync-interval", "1s", "--observe-listen", &observe])
            .args(["--log-level", options.log_level.as_deref().unwrap_or("info")])
            .args(options.origins.iter().flat_map(|origin| ["--origin", origin]))
            .args(&options.flags)
            .ready_within(PATIENCE);
        match &target {
            Target::Kubernetes(cluster) => {
                let namespace = cluster.create_namespace("windlass").await?;
                program = program.args(["--target", "kubernetes", "--namespace", &namespace]);
                program = program.arg("--kubeconfig").arg(cluster.kubeconfig());
            }
            Target::Directory(folder) => {
                program = program.arg("--target").arg(format!("directory:{}", folder.display()));
            }
        }
        let ready = Ready::Http(format!("http://{observe}/healthz"));
        let agent = program.start(ready).await.with_context(|| format!("start the agent of {name}"))?;
        Ok(Self { name: name.to_owned(), agent, target, state, observe })
    }

    /// One of the agent's metrics, summed over its labels.
    pub async fn metric(&self, name: &str) -> Result<f64> {
        metric(&self.observe, name).await
    }

    /// Ends the agent as a power cut would, and starts it again on the same state.
    pub async fn power_cut(&mut self) -> Result<()> {
        self.agent.kill().await?;
        self.agent.start_again().await
    }
}
