//! `Agent`: the three loops, wired once, owned by whoever runs it.

use std::sync::Arc;

use anyhow::{Context, anyhow, bail};
use program::observe::{Observe, Readiness};
use program::progress;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::api::Api;
use crate::directory::Directory;
use crate::inventory::Inventory;
use crate::join::{self, Known};
use crate::kubernetes::Kubernetes;
use crate::meters;
use crate::outside::Outside;
use crate::poll::{Poller, Tools, Turn};
use crate::ready::Ready;
use crate::report::Reporter;
use crate::settings::{Settings, TargetArg};
use crate::state::State;
use crate::status::{Shared, Status};
use crate::sync::{News, Parts, Syncer};
use crate::target::Target;

/// An agent, not yet running.
#[derive(Debug)]
pub struct Agent {
    settings: Settings,
    status: Arc<Shared>,
}

/// The loops, ready to run.
struct Loops {
    poller: Poller,
    syncer: Syncer,
    reporter: Reporter,
    news: News,
    joined_now: bool,
    folders: Folders,
}

/// What must be at rest when an agent has ended.
struct Folders(Arc<State>, Arc<Target>);

impl Folders {
    async fn settled(self) {
        self.0.settled().await;
        self.1.settled().await;
    }
}

/// Runs an agent until `stop`.
pub async fn run(settings: Settings, stop: CancellationToken) -> anyhow::Result<()> {
    Box::pin(Agent::new(settings).run(stop)).await
}

impl Agent {
    /// An agent by its settings.
    pub fn new(settings: Settings) -> Self {
        Self { settings, status: Arc::new(Shared::new(watch::Sender::new(Status::default()))) }
    }

    /// What it says of itself, also before and after it runs.
    pub fn status(&self) -> watch::Receiver<Status> {
        self.status.watch()
    }

    /// Runs until `stop`, or until a loop breaks, which none does for what comes from outside.
    pub async fn run(self, stop: CancellationToken) -> anyhow::Result<()> {
        let readiness = Readiness::new();
        let ready = Ready::of(&readiness);
        let observe = Observe::bind(self.settings.observe.observe_listen, readiness).await?;
        meters::begin();
        let mut tasks = JoinSet::new();
        tasks.spawn(observe.serve(stop.clone()));
        let loops = tokio::select! {
            () = stop.cancelled() => return Ok(()),
            loops = Box::pin(self.prepare()) => loops?,
        };
        let (mut status, folders) = (self.status.watch(), loops.folders);
        tasks.spawn(loops.poller.run(loops.joined_now, stop.clone()));
        tasks.spawn(loops.syncer.run(loops.news, stop.clone()));
        tasks.spawn(loops.reporter.run(stop.clone()));
        let mut outcome = Ok(());
        while !tasks.is_empty() {
            tokio::select! {
                Some(ended) = tasks.join_next() => {
                    let ended = ended.map_err(|_| anyhow!("a loop panicked; the log has the place"));
                    if let Err(error) = ended.and_then(|result| result) {
                        stop.cancel();
                        outcome = outcome.and(Err(error));
                    }
                }
                Ok(()) = status.changed() => ready.show(&status.borrow_and_update()),
            }
        }
        folders.settled().await;
        outcome
    }

    /// One poll, passes until nothing more follows, one report: for CI and tests.
    pub async fn once(self) -> anyhow::Result<Status> {
        /// Chains of services and waves that wait for each other end long before.
        const PASSES: usize = 32;
        let Loops { mut poller, mut syncer, mut reporter, mut news, folders, .. } =
            Box::pin(self.prepare()).await?;
        let turn = Box::pin(poller.once()).await;
        tracing::info!(?turn, "polled");
        let wanted = news.borrow_and_update().clone();
        if let Some(wanted) = wanted {
            for _ in 0..PASSES {
                let outcome = Box::pin(syncer.pass(&wanted, news.clone())).await;
                if !outcome.again {
                    break;
                }
            }
        }
        if turn != Turn::Failed
            && let Err(error) = reporter.say().await
        {
            tracing::warn!(%error, "the report was not taken");
        }
        drop((poller, syncer));
        folders.settled().await;
        Ok(self.status.watch().borrow().clone())
    }

    /// Takes away what an agent keeps in its target for itself, once nothing there is ours any more. Refused while
    /// something is: whoever comes next must find it in the inventory.
    pub async fn leave(self) -> anyhow::Result<()> {
        let target = self.target().await?;
        let kept = target.load_inventory().await?;
        let inventory = kept.as_ref().map(Inventory::from_shards).transpose()?.unwrap_or_default();
        if !inventory.is_empty() {
            let ours = progress::count(inventory.len() as u64, "object");
            bail!("the target still holds {ours} of ours: remove their services first");
        }
        Ok(target.remove_inventory().await?)
    }

    async fn prepare(&self) -> anyhow::Result<Loops> {
        let settings = &self.settings;
        let (folder, room) = (settings.state.clone(), settings.bundle_cache);
        let opened = tokio::task::spawn_blocking(move || State::open(&folder, room)).await;
        let state = Arc::new(opened.context("open the state folder")??);
        let target = Arc::new(self.target().await?);
        let (known, outside) = Box::pin(self.known(&state, &target)).await?;
        let (member, joined_now) = (known.member, known.joined_now);
        self.status.joined(&member.cluster);
        let start = cdn::Digest::of(&cdn::secret::random::<16>()).hex()[..16].to_owned();
        let api = Api::new(outside.client(), &settings.api, known.credential, start);
        let (home, holder) = (member.home.clone(), member.holder());
        let (sender, news) = watch::channel(None);
        let status = Arc::clone(&self.status);
        let tools = Tools {
            api: api.clone(),
            member,
            outside,
            origins_at_join: known.origins,
            state: Arc::clone(&state),
            status,
        };
        let poller = Poller::resume(tools, settings.poll_interval, sender).await?;
        if !poller.had_assignment()
            && let Err(error) = state.with(State::note_lost).await
        {
            tracing::warn!(%error, "that nothing was trusted at the start cannot be written down");
        }
        let folders = Folders(Arc::clone(&state), Arc::clone(&target));
        let reporter = Reporter::new(api, self.status.watch(), Arc::clone(&target), home.clone());
        let syncer = Syncer::new(Parts {
            target,
            budget: settings.budget(),
            bounds: settings.bounds(),
            state,
            home,
            holder,
            trusted: poller.had_assignment(),
            status: Arc::clone(&self.status),
        });
        Ok(Loops { poller, syncer, reporter, news, joined_now, folders })
    }

    /// Who this cluster is, and what its settings name.
    async fn known(&self, state: &Arc<State>, target: &Target) -> anyhow::Result<(Known, Outside)> {
        let settings = &self.settings;
        if let Some(known) = join::known(settings, state).await? {
            let outside = Outside::usable(settings, known.member.fleet)?;
            return Ok((known, outside));
        }
        let outside = Outside::whole(settings)?;
        let known = Box::pin(join::anew(settings, state, target, &outside.client())).await?;
        Ok((known, outside))
    }

    async fn target(&self) -> anyhow::Result<Target> {
        match &self.settings.target {
            TargetArg::Kubernetes => {
                Ok(Target::Kubernetes(Box::pin(Kubernetes::connect(&self.settings.kubernetes())).await?))
            }
            TargetArg::Directory(folder) => {
                let deletes = !self.settings.target_ignores_removal;
                let folder = folder.clone();
                let opened = tokio::task::spawn_blocking(move || Directory::open(&folder, deletes)).await;
                Ok(Target::Directory(opened.context("open the target folder")??))
            }
        }
    }
}
