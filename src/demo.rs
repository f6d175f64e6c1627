//! `windlass demo`: all of Windlass in one process, on this machine, with true figures. Nothing of it is simulated but
//! the sites' size: api on SQLite, a directory store behind the embedded web server that stands for the CDN, a publisher
//! that watches a git repository, and agents whose sites are folders (or one cluster, if it is named).

mod acts;
mod description;
mod fleet;
mod relay;
mod repository;
mod running;
mod site;
mod story;
mod workshop;

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::Args;
use tokio_util::sync::CancellationToken;

use crate::exit::Exit;
use crate::session::Session;
use acts::Acts;
use story::Story;

/// See the whole way on this machine, from a git commit to sites that heal themselves
#[derive(Args, Debug)]
#[command(before_help = "Examples:
  windlass demo --once
  windlass demo --source https://git.example.com/shop.git --path deploy/production
  windlass demo --kube-context kind-demo")]
pub(crate) struct Demo {
    /// End after the story, with exit code 0; so it is too where nobody watches (no terminal)
    #[arg(long)]
    once: bool,
    /// Your own manifests: a git URL or a folder with a repository; a copy is used
    #[arg(long, value_name = "GIT")]
    source: Option<String>,
    /// The folder in the source: plain manifests, a kustomization or a chart
    #[arg(long, value_name = "PATH", default_value = "", requires = "source")]
    path: String,
    /// Make one site this cluster of your kubeconfig, after showing what would be applied; no cluster is touched without it
    #[arg(long, value_name = "NAME")]
    kube_context: Option<String>,
    /// The kubeconfig; the usual one unless said
    #[arg(long, value_name = "FILE", requires = "kube_context")]
    kubeconfig: Option<PathBuf>,
}

impl Demo {
    /// Tells the story; whatever happens, all programs end and the folder goes.
    pub(crate) async fn run(self, session: &Session) -> Result<Exit> {
        let interrupted = CancellationToken::new();
        let stays = !self.once && session.out.is_terminal();
        let story = Story::new(&session.out);
        let mut acts = Box::pin(Acts::prepare(&self, session, story)).await?;
        let told = tokio::select! {
            told = Box::pin(acts.tell(&self, session)) => told,
            _ = tokio::signal::ctrl_c() => { interrupted.cancel(); Ok(()) }
        };
        if told.is_ok() && !interrupted.is_cancelled() && stays {
            acts.invite()?;
            tokio::signal::ctrl_c().await.context("wait for Ctrl-C")?;
        }
        let ended = Box::pin(acts.end()).await;
        told?;
        ended?;
        Ok(if interrupted.is_cancelled() { Exit::Interrupted } else { Exit::Ok })
    }
}
