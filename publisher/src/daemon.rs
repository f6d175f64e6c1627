//! The publisher as a daemon: one pass over everything that is wanted, again and again. A pass takes no hints and may be
//! cut off anywhere; what one service cannot, the others can (law L8).

mod looked;
mod pass;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use cdn::wire::Wanted;
use program::observe::{Observe, Part, Readiness};
use program::schedule::jitter;
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::api::{Api, WantedList};
use crate::meters;
use crate::publisher::Publisher;
use crate::settings::Settings;

/// How often the store is asked for a new root.
const NEW_ROOT: Duration = Duration::from_hours(1);
/// How often the cache is swept.
const SWEEP: Duration = Duration::from_hours(1);

/// Runs until `stop`: the whole program but its logs and signals.
pub async fn run(settings: Settings, stop: CancellationToken) -> anyhow::Result<()> {
    run_woken(settings, stop, Arc::new(Notify::new())).await
}

/// The same; `wake` begins the next pass at once.
pub async fn run_woken(settings: Settings, stop: CancellationToken, wake: Arc<Notify>) -> anyhow::Result<()> {
    let readiness = Readiness::new();
    let observe = Observe::bind(settings.observe.observe_listen, readiness.clone()).await?;
    meters::describe();
    let mut daemon = Daemon::open(&settings, &readiness).await?;
    let serving = observe.serve(stop.clone());
    let (served, ()) = tokio::join!(serving, daemon.follow(&stop, &wake));
    daemon.publisher.close().await;
    served
}

struct Daemon {
    publisher: Arc<Publisher>,
    api: Api,
    known: Option<WantedList>,
    looks: pass::Looks,
    interval: Duration,
    roots_looked: Instant,
    swept: Option<Instant>,
    hears: Part,
    publishes: Part,
}

impl Daemon {
    async fn open(settings: &Settings, readiness: &Readiness) -> anyhow::Result<Self> {
        let publisher = Publisher::open(settings).await?;
        let api = publisher.api.clone().context("a daemon follows an api; give --api and --token-file")?;
        let publisher = Arc::new(publisher);
        let looks = pass::Looks::new(Arc::clone(&publisher), usize::from(settings.concurrency));
        Ok(Self {
            publisher,
            api,
            known: None,
            looks,
            interval: settings.interval,
            roots_looked: Instant::now(),
            swept: None,
            hears: readiness.part("wanted"),
            publishes: readiness.part("publish"),
        })
    }

    /// Passes at an interval until told to stop. A pass that is cut off has done no harm: the next one begins anew.
    async fn follow(&mut self, stop: &CancellationToken, wake: &Notify) {
        while stop.run_until_cancelled(self.pass()).await.is_some() {
            let pause = self.interval * 9 / 10 + jitter(self.interval / 5);
            tokio::select! {
                () = stop.cancelled() => break,
                () = wake.notified() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
        self.looks.stop().await;
    }

    async fn pass(&mut self) {
        let begun = Instant::now();
        if begun.duration_since(self.roots_looked) > NEW_ROOT {
            self.roots_looked = begun;
            if let Err(error) = self.publisher.follow_roots().await {
                tracing::error!(%error, "cannot follow the fleet's roots");
            }
        }
        self.publisher.allow.look_again();
        let Some(wanted) = self.wanted().await else { return };
        let is_first = self.swept.is_none();
        if self.swept.is_none_or(|at| at.elapsed() > SWEEP) {
            self.swept = Some(begun);
            self.publisher.sweep(&wanted).await;
        }
        let summary = self.looks.pass(wanted).await;
        summary.record(begun.elapsed());
        summary.show(&self.publishes, is_first);
    }

    /// What is wanted: from the api, else what it said last.
    async fn wanted(&mut self) -> Option<Wanted> {
        match self.api.wanted(self.known.as_ref()).await {
            Ok(Some(list)) => {
                self.hears.ready();
                self.looks.doubt(self.publisher.differing(&list.wanted).await);
                self.publisher.memory.keep_wanted(list.body.clone()).await;
                self.known = Some(list);
            }
            Ok(None) => self.hears.ready(),
            Err(error) => {
                tracing::warn!(%error, "the api does not say what is wanted; its last word counts");
                self.hears.not_ready(error.to_string());
                if self.known.is_none() {
                    return self.publisher.memory.wanted().await;
                }
            }
        }
        self.known.as_ref().map(|list| list.wanted.clone())
    }
}
