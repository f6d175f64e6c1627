//! The poll loop: asks the api what to run, proves the answer, fetches what it names, and hands it to the sync loop.
//! All that it believes is on disk first; with everything off, it hands over what it believed last (law L1).
//!
//! What takes long is on its [`way`] beside the loop: the question to the api, an assignment's documents, each service's
//! content. So a slow origin keeps nobody from the next poll (FAULTS A7), and a newer assignment ends those downloads
//! that it does not name - the others go on where they are.

mod accept;
mod chain;
mod download;
mod fetch;
mod news;
mod pace;
mod problems;
mod way;

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use cdn::document::HoldReason;
use cdn::trust::{Snapshot, Trust};
use cdn::{Digest, ServiceName};
use futures::FutureExt;
use origins::Origins;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::api::{Api, ApiError, Polled};
use crate::checked::Unusable;
use crate::held::Held;
use crate::identity::Member;
use crate::meters::{self, PollResult};
use crate::outside::Outside;
use crate::state::{State, Trusted};
use crate::status::Shared;
use crate::wanted::{Loaded, Wanted};

use download::Beside;
use pace::Pace;
use problems::Problems;
use way::{Came, Way};

/// The poll loop.
#[derive(Debug)]
pub(crate) struct Poller {
    api: Api,
    member: Member,
    outside: Outside,
    /// The site's own, then those of what is believed.
    origins: Origins,
    /// Origins that the api named at the join.
    origins_at_join: Vec<String>,
    state: Arc<State>,
    trust: Option<Trust>,
    /// When newer roots are asked for.
    roots_due: Instant,
    trusted: Trusted,
    /// Whether the disk lacks something of `trusted`.
    unsaved: bool,
    /// Whether bundles may lie there that nothing names any more.
    untidy: bool,
    /// What is believed now, and the ETag of it.
    believed: Option<(Arc<Snapshot>, Digest)>,
    /// Small objects that came beside the newest answer.
    beside: Arc<Beside>,
    loaded: BTreeMap<ServiceName, Loaded>,
    missing: BTreeMap<ServiceName, Held>,
    way: Way,
    pace: Pace,
    problems: Problems,
    saved_bytes: u64,
    news: watch::Sender<Option<Arc<Wanted>>>,
    status: Arc<Shared>,
}

/// What the loop works with.
#[derive(Debug)]
pub(crate) struct Tools {
    /// The api.
    pub api: Api,
    /// Which cluster this is.
    pub member: Member,
    /// What the settings name.
    pub outside: Outside,
    /// Origins that the api named at the join.
    pub origins_at_join: Vec<String>,
    /// What is on disk.
    pub state: Arc<State>,
    /// Where it says how it gets on.
    pub status: Arc<Shared>,
}

/// What one poll, and all that followed from it, came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// All is here.
    Done,
    /// An answer, but some content could not be had yet.
    Incomplete,
    /// No usable answer.
    Failed,
}

/// What the loop wakes up for.
#[derive(Debug)]
enum Event {
    /// It is time to ask the api.
    Poll,
    /// It is time to ask the origins again for what is missing.
    Look,
    /// It is time to hand over what has come so far.
    Tell,
    /// Something has come.
    Came(Box<Came>),
}

impl Poller {
    /// Takes up what is on disk; nothing is asked yet. Fails where that cannot be read just now: to go on without the
    /// floor would be to take older documents (law L4).
    pub(crate) async fn resume(
        tools: Tools,
        interval: Duration,
        news: watch::Sender<Option<Arc<Wanted>>>,
    ) -> Result<Self, Unusable> {
        let Tools { api, member, outside, origins_at_join, state, status } = tools;
        let trusted = match state.with(State::trusted).await {
            Ok(trusted) => trusted,
            Err(error) if error.is_damaged() => {
                tracing::warn!(%error, "what was trusted is lost; it is asked for anew");
                None
            }
            Err(error) => return Err(error),
        };
        let mut trusted = match trusted {
            Some(trusted) if trusted.is_anothers(&member) => {
                tracing::warn!("what was trusted is another cluster's; it is asked for anew");
                Trusted::default()
            }
            trusted => trusted.unwrap_or_default(),
        };
        let is_noted = trusted.member.replace(member.clone()).as_ref() == Some(&member);
        let pace = Pace::new(member.cluster.as_str().as_bytes(), interval);
        let mut poller = Self {
            api,
            member,
            origins: outside.origins(),
            outside,
            origins_at_join,
            state,
            trust: None,
            roots_due: Instant::now(),
            trusted,
            unsaved: !is_noted,
            untidy: false,
            believed: None,
            beside: Arc::default(),
            loaded: BTreeMap::new(),
            missing: BTreeMap::new(),
            way: Way::default(),
            pace,
            problems: Problems::default(),
            saved_bytes: 0,
            news,
            status,
        };
        poller.look_outside().await;
        poller.look_for_credential().await;
        poller.take_up().await;
        Ok(poller)
    }

    /// Whether an assignment was on disk.
    pub(crate) fn had_assignment(&self) -> bool {
        self.trusted.kept.is_some()
    }

    /// Runs until `stop`. One that has just joined asks at once; every other waits for its own phase of the interval,
    /// so that a fleet that is switched on together does not ask together (law L12).
    pub(crate) async fn run(mut self, joined_now: bool, stop: CancellationToken) -> anyhow::Result<()> {
        self.pace.begin(joined_now);
        loop {
            let event = tokio::select! {
                () = stop.cancelled() => return Ok(()),
                event = self.event() => event,
            };
            let turn = AssertUnwindSafe(Box::pin(self.turn(event))).catch_unwind();
            let ended = tokio::select! {
                () = stop.cancelled() => return Ok(()),
                ended = turn => ended,
            };
            if ended.is_err() {
                tracing::error!("a turn of the poll loop panicked; the line before has the place");
                "a turn of the poll loop panicked; the log has the place"
                    .clone_into(&mut self.problems.words);
                self.pace.failed(None);
            }
        }
    }

    /// One poll, and all that follows from it.
    pub(crate) async fn once(&mut self) -> Turn {
        self.ask().await;
        while !self.way.is_idle() {
            let came = self.way.next().await;
            self.came(came).await;
        }
        match (self.status.is_connected(), self.missing.is_empty()) {
            (false, _) => Turn::Failed,
            (true, false) => Turn::Incomplete,
            (true, true) => Turn::Done,
        }
    }

    async fn event(&mut self) -> Event {
        let at = |when: Option<Instant>| async move {
            match when {
                Some(when) => sleep_until(when).await,
                None => std::future::pending().await,
            }
        };
        let poll = (!self.way.is_asking()).then_some(self.pace.poll);
        tokio::select! {
            came = self.way.next() => Event::Came(Box::new(came)),
            () = at(poll) => Event::Poll,
            () = at(self.pace.look) => Event::Look,
            () = at(self.pace.tell) => Event::Tell,
        }
    }

    async fn turn(&mut self, event: Event) {
        match event {
            Event::Poll => self.ask().await,
            Event::Look => self.fetch().await,
            Event::Tell => {
                self.publish().await;
                self.pace.told(self.way.is_fetching());
            }
            Event::Came(came) => self.came(*came).await,
        }
    }

    /// Asks the api; the answer comes later.
    async fn ask(&mut self) {
        if self.problems.settings.is_some() {
            self.look_outside().await;
        }
        self.look_for_credential().await;
        if !self.refresh_roots().await {
            let message = "root 1 cannot be had from any origin; give it with --root FILE, or an origin";
            self.problems.poll = Some(Held::cluster(HoldReason::ContentUnavailable, message));
            meters::polled(PollResult::Failed);
            self.pace.failed(None);
            self.tell(|network| network.connected = false);
            return;
        }
        if self.problems.unwritable.is_some() {
            self.write_again().await;
        }
        // What a dropped key signed binds nobody, also not the api, which holds none above its own (FAULTS A3).
        let counts = |trust: &Trust| self.trusted.floor().filter(|floor| floor.counts(trust));
        let floor = self.trust.as_ref().and_then(counts);
        let payload = self.believed.as_ref().map(|(_, payload)| *payload).filter(|_| floor.is_some());
        let (api, seq) = (self.api.clone(), floor.map_or(0, |floor| floor.seq));
        self.way.ask(async move { api.poll(seq, payload).await });
    }

    /// Says what of that which the settings name cannot be used, until it can.
    async fn look_outside(&mut self) {
        let (outside, fleet) = (self.outside.clone(), self.member.fleet);
        self.problems.settings = self.state.with(move |_| outside.take_up(fleet)).await;
    }

    /// Where the credential is lost, says so, until its file is put back.
    async fn look_for_credential(&mut self) {
        if self.api.has_credential() {
            return;
        }
        let why = match self.state.with(State::identity).await {
            Ok(Some(identity)) if identity.member() == self.member => {
                tracing::info!("the identity is there again");
                self.api.give(identity.credential);
                self.origins_at_join = identity.origins;
                self.problems.identity = None;
                self.problems.answered();
                return;
            }
            Ok(Some(_)) => "identity.json is another cluster's".to_owned(),
            Ok(None) => "identity.json is gone".to_owned(),
            Err(error) => error.to_string(),
        };
        let message = format!("{why}; the api cannot be asked without it");
        self.problems.identity = Some(Held::cluster(HoldReason::IdentityLost, message));
    }

    async fn came(&mut self, came: Came) {
        match came {
            Came::Answer(answer) => self.answered(answer).await,
            Came::Documents(opening, documents) => self.opened(*opening, documents).await,
            Came::Service(service, fetched) => self.arrived(service, fetched).await,
        }
    }

    async fn answered(&mut self, answer: Result<(Polled, Option<Duration>), ApiError>) {
        let answered = answer.is_ok();
        meters::polled(match &answer {
            Ok((Polled::News(_), _)) => PollResult::News,
            Ok((Polled::Unchanged, _)) => PollResult::Unchanged,
            Err(_) => PollResult::Failed,
        });
        match answer {
            Ok((polled, told)) => {
                match polled {
                    Polled::Unchanged => self.problems.answered(),
                    Polled::News(answer) => self.take(*answer).await,
                }
                self.pace.answered(told, self.problems.poll.is_none());
            }
            Err(error) => {
                // Whatever the api says of our credential, credential and state stay: it may be restored, or wrong.
                tracing::warn!(%error, "the poll failed; what runs goes on");
                self.problems.words = match error.way_back() {
                    Some(way) => format!("{error}: {way}"),
                    None => error.to_string(),
                };
                self.problems.refused(&error);
                self.pace.failed(error.wait());
            }
        }
        // The api may be gone while the origins are there.
        self.fetch().await;
        let usable = answered && self.problems.poll.is_none();
        self.tell(|network| {
            network.polls += u64::from(answered);
            network.connected = usable;
        });
    }
}
