//! The poll loop: asks the api what to run, proves the answer, fetches what it names, and hands it to the sync loop.
//! All that it believes is on disk first; with everything off, it hands over what it believed last (law L1).

mod accept;
mod chain;
mod fetch;
mod news;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use cdn::document::HoldReason;
use cdn::trust::{Snapshot, Trust};
use cdn::{Digest, ServiceName};
use jiff::Timestamp;
use origins::Origins;
use program::schedule;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::api::{Api, ApiError, Polled};
use crate::held::Held;
use crate::identity::Identity;
use crate::state::{State, Trusted};
use crate::status::Shared;
use crate::wanted::{Loaded, Wanted};

/// The poll loop.
#[derive(Debug)]
pub struct Poller {
    api: Api,
    interval: Duration,
    identity: Identity,
    origins: Origins,
    state: Arc<State>,
    root_file: Option<PathBuf>,
    trust: Option<Trust>,
    roots_asked: Option<Instant>,
    trusted: Trusted,
    /// What is believed now, and the ETag of it.
    held: Option<(Snapshot, Digest)>,
    loaded: BTreeMap<ServiceName, Loaded>,
    missing: BTreeMap<ServiceName, Held>,
    problems: Problems,
    saved_bytes: u64,
    news: watch::Sender<Option<Arc<Wanted>>>,
    status: Arc<Shared>,
}

/// What is in the way of the whole cluster's network.
#[derive(Debug, Default)]
struct Problems {
    /// From the last poll; the next good one clears it.
    poll: Option<Held>,
    /// What is wrong with the poll, where it is no hold.
    words: String,
    /// Since when every answer was older than what is held.
    older: Option<Instant>,
    /// The state folder cannot be written.
    unwritable: Option<Held>,
}

/// What the loop works with.
#[derive(Debug)]
pub struct Tools {
    /// The api.
    pub api: Api,
    /// Who this cluster is.
    pub identity: Identity,
    /// The site's own origins.
    pub origins: Origins,
    /// What is on disk.
    pub state: Arc<State>,
    /// Root 1, where the operator gave a file.
    pub root_file: Option<PathBuf>,
    /// Where it says how it gets on.
    pub status: Arc<Shared>,
}

/// How long nothing but older documents may come before it is said: until then an edge may just be behind.
const OLDER_FOR: Duration = Duration::from_mins(10);
/// Roots are asked for this often, news or not.
const ROOTS_EVERY: Duration = Duration::from_hours(24);
/// How long a look for a newer root may keep the poll waiting.
const ROOT_TIME: Duration = Duration::from_secs(10);
/// So many times content that is missing is asked for sooner than at the next poll.
const SOON_ENOUGH: u32 = 6;
const FIRST_RETRY: Duration = Duration::from_secs(1);

impl Poller {
    /// Takes up what is on disk; nothing is asked yet.
    pub async fn resume(tools: Tools, interval: Duration, news: watch::Sender<Option<Arc<Wanted>>>) -> Self {
        let Tools { api, identity, origins, state, root_file, status } = tools;
        let trusted = state.with(State::trusted).await.unwrap_or_else(|error| {
            tracing::warn!(%error, "what was trusted is lost; it is asked for anew");
            None
        });
        let mut poller = Self {
            api,
            interval,
            identity,
            origins,
            state,
            root_file,
            trust: None,
            roots_asked: None,
            trusted: trusted.unwrap_or_default(),
            held: None,
            loaded: BTreeMap::new(),
            missing: BTreeMap::new(),
            problems: Problems::default(),
            saved_bytes: 0,
            news,
            status,
        };
        poller.take_up().await;
        poller
    }

    /// Whether an assignment was on disk.
    pub fn had_assignment(&self) -> bool {
        self.trusted.kept.is_some()
    }

    /// Runs until `stop`. One that has just joined asks at once; every other waits for its own phase of the interval,
    /// so that a fleet that is switched on together does not ask together (law L12).
    pub async fn run(mut self, joined_now: bool, stop: CancellationToken) -> anyhow::Result<()> {
        let phase = schedule::phase(self.identity.cluster.as_str().as_bytes(), self.interval);
        let turn = |interval| schedule::until_phase(phase, interval, SystemTime::now());
        let mut backoff = schedule::Backoff::new(FIRST_RETRY, self.interval);
        let mut wait = if joined_now { Duration::ZERO } else { turn(self.interval) };
        loop {
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                () = tokio::time::sleep(wait) => {}
            }
            let polled = tokio::select! {
                () = stop.cancelled() => return Ok(()),
                polled = Box::pin(self.poll()) => polled,
            };
            wait = match polled {
                Turn::Failed(told) => backoff.next(told),
                // What is missing may be there soon (FAULTS C9); what stays missing is asked for at the usual pace.
                Turn::Incomplete if backoff.failures() < SOON_ENOUGH => backoff.next(None),
                Turn::Incomplete => turn(self.interval),
                Turn::Done(told) => {
                    backoff.reset();
                    let own = turn(self.interval) + schedule::jitter(self.interval / 10);
                    told.map_or(own, |told| own.max(schedule::server_wait(told)))
                }
            };
        }
    }

    /// One poll, and all that follows from it.
    pub async fn poll(&mut self) -> Turn {
        if !self.refresh_roots().await {
            let message = "root 1 cannot be had from any origin; give it with --root FILE, or an origin";
            self.problems.poll = Some(Held::cluster(HoldReason::ContentUnavailable, message));
            self.tell(|network| network.connected = false);
            return Turn::Failed(None);
        }
        if self.problems.unwritable.is_some() {
            self.write_again().await;
        }
        let payload = self.held.as_ref().map(|(_, payload)| *payload);
        let seq = self.trusted.floor().map_or(0, |floor| floor.seq);
        let (polled, told) = match self.api.poll(seq, payload).await {
            Ok(answer) => answer,
            Err(error) => {
                self.failed(&error);
                // The api may be gone while the origins are there.
                self.fetch(BTreeMap::new()).await;
                self.tell(|network| network.connected = false);
                return Turn::Failed(error.wait());
            }
        };
        let mut inline = BTreeMap::new();
        match polled {
            Polled::Unchanged => self.problems.answered(),
            Polled::News(answer) => inline = self.take(*answer).await,
        }
        self.fetch(inline).await;
        let usable = self.problems.poll.is_none();
        self.tell(|network| {
            network.polls += 1;
            network.connected = usable;
        });
        match () {
            () if !usable => Turn::Failed(None),
            () if !self.missing.is_empty() => Turn::Incomplete,
            () => Turn::Done(told),
        }
    }

    fn failed(&mut self, error: &ApiError) {
        // Whatever the api says of our credential, credential and state stay: it may be restored, or wrong.
        tracing::warn!(%error, "the poll failed; what runs goes on");
        self.problems.words = error.to_string();
    }

    /// Says how the network is.
    fn tell(&self, change: impl FnOnce(&mut crate::status::Network)) {
        let held = self.holds();
        let held_now = self.held.as_ref();
        self.status.network(&held, |network| {
            network.seq = held_now.map_or(0, |(snapshot, _)| snapshot.floor().seq);
            network.root = self.trust.as_ref().map_or(0, Trust::version);
            network.content_bytes = self.origins.bytes_read();
            network.saved_bytes = self.saved_bytes;
            network.problem = self.problems.text();
            change(network);
        });
    }

    fn holds(&self) -> Vec<Held> {
        let mut held: Vec<Held> =
            self.problems.poll.iter().chain(&self.problems.unwritable).cloned().collect();
        if let Some((snapshot, _)) = &self.held
            && snapshot.desired().expires < Timestamp::now()
        {
            let message = format!("the assignment expired at {}", snapshot.desired().expires);
            held.push(Held::cluster(HoldReason::Stale, message));
        }
        if self.problems.older.is_some_and(|since| since.elapsed() >= OLDER_FOR) {
            let message = "every answer of the last ten minutes was older than what is held";
            held.push(Held::cluster(HoldReason::RollbackRefused, message));
        }
        held
    }
}

/// What one poll came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// All is here; the api may ask to wait.
    Done(Option<Duration>),
    /// An answer, but some content could not be had yet.
    Incomplete,
    /// No usable answer; the api may ask to wait.
    Failed(Option<Duration>),
}

impl Problems {
    fn answered(&mut self) {
        self.poll = None;
        self.older = None;
        self.words.clear();
    }

    fn text(&self) -> String {
        self.poll.as_ref().map_or_else(|| self.words.clone(), |held| held.message.clone())
    }
}
