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
mod stored;
mod story;
mod workshop;

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::Args;
use program::shutdown::Shutdown;

use crate::exit::{Exit, Failure};
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
        let mut signals = Shutdown::listen().context("listen for signals")?;
        let stays = !self.once && session.out.is_terminal();
        let story = Story::new(&session.out);
        let mut acts = tokio::select! {
            acts = Box::pin(Acts::prepare(&self, session, story)) => acts?,
            _ = signals.signalled() => return Ok(Exit::Interrupted),
        };
        let told = tokio::select! {
            told = Box::pin(acts.tell(&self, session)) => told.map(|()| Exit::Ok),
            _ = signals.signalled() => Ok(Exit::Interrupted),
        };
        if matches!(told, Ok(Exit::Ok)) && stays {
            acts.invite(&self)?;
            signals.signalled().await;
        }
        let ended = tokio::select! {
            ended = Box::pin(acts.end()) => ended,
            _ = signals.signalled() => Err(self.cut_off()),
        };
        let exit = told?;
        ended.map(|()| exit)
    }

    /// A second Ctrl-C, while everything is taken away.
    fn cut_off(&self) -> anyhow::Error {
        let failure = Failure::new(Exit::Interrupted, "ended before everything was taken away");
        match &self.kube_context {
            Some(context) => failure
                .why(format!("objects of the demo may still be in cluster `{context}`"))
                .next("find them by the annotation `windlass.dev/owner`, and the namespace `windlass-demo`"),
            None => failure,
        }
        .into()
    }
}
