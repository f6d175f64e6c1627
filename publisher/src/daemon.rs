//! The publisher as a daemon: one pass over everything that is wanted, again and again. A pass takes no hints and may be
//! cut off anywhere; what one service cannot, the others can (law L8).

mod freshness;
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

/// How often the store is asked for a new root that the api has not named.
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
    under_way: pass::UnderWay,
    interval: Duration,
    roots_looked: Instant,
    swept: Option<Instant>,
    passes: u64,
    hears: Part,
    publishes: Part,
    keys: Part,
}

impl Daemon {
    async fn open(settings: &Settings, readiness: &Readiness) -> anyhow::Result<Self> {
        let publisher = Publisher::open(settings).await?;
        let api = publisher.api.clone().context("a daemon follows an api; give --api and --token-file")?;
        let publisher = Arc::new(publisher);
        let under_way = pass::UnderWay::new(Arc::clone(&publisher), usize::from(settings.concurrency));
        Ok(Self {
            publisher,
            api,
            known: None,
            under_way,
            interval: settings.interval,
            roots_looked: Instant::now(),
            swept: None,
            passes: 0,
            hears: readiness.part("wanted"),
            publishes: readiness.part("publish"),
            keys: readiness.part("keys"),
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
        self.under_way.stop().await;
    }

    async fn pass(&mut self) {
        let begun = Instant::now();
        let wanted = self.wanted().await;
        self.follow_roots(wanted.as_ref().and_then(|wanted| wanted.root)).await;
        self.look_at_keys().await;
        self.publisher.allow.look_again();
        let Some(wanted) = wanted else { return };
        if self.swept.is_none_or(|at| at.elapsed() > SWEEP) {
            self.swept = Some(begun);
            self.publisher.sweep(&wanted).await;
        }
        let summary = self.under_way.pass(wanted).await;
        summary.record(begun.elapsed());
        self.passes += 1;
        summary.show(&self.publishes, self.passes == 1);
    }

    /// Looks for a new root: as soon as the api has one, and at times without it.
    async fn follow_roots(&mut self, newest: Option<u64>) {
        let ours = self.publisher.releases().trust().version();
        if newest.is_none_or(|newest| newest <= ours) && self.roots_looked.elapsed() <= NEW_ROOT {
            return;
        }
        self.roots_looked = Instant::now();
        if let Err(error) = self.publisher.follow_roots().await {
            tracing::error!(%error, "cannot follow the fleet's roots");
        }
    }

    async fn look_at_keys(&self) {
        match self.publisher.look_at_keys().await {
            Ok(()) => self.keys.ready(),
            Err(error) => {
                if self.keys.works() {
                    tracing::error!(%error, "the release keys as they were before go on to sign; mend the file");
                }
                self.keys.degraded(format!("{error}; the keys as they were before go on to sign"));
            }
        }
    }

    /// What is wanted: from the api, else what it said last.
    async fn wanted(&mut self) -> Option<Wanted> {
        match self.api.wanted(self.known.as_ref()).await {
            Ok(Some(list)) => {
                self.hears.ready();
                self.under_way.doubt(self.publisher.differing(&list.wanted).await);
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
