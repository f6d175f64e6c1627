//! The sync loop: one idempotent pass after the other - observe, plan, apply - every two minutes and whenever the poll
//! loop has news. It never waits for the network of origins and api (law L1).

mod applier;
mod books;
mod fights;
mod pace;
mod pass;
mod stall;

use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cdn::ObjectId;
use cdn::document::HoldReason;
use futures::FutureExt;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::held::Held;
use crate::meters;
use crate::outcome::{Ended, Outcome};
use crate::plan::Budget;
use crate::state::State;
use crate::status::Shared;
use crate::target::{Claim, Target};
use crate::wanted::Wanted;

use books::Books;
use fights::Fights;
use pace::Pace;
use stall::Stalls;

/// What the poll loop knows: the newest proved assignment, if there is one.
pub(crate) type News = watch::Receiver<Option<Arc<Wanted>>>;

/// The sync loop.
#[derive(Debug)]
pub(crate) struct Syncer {
    target: Arc<Target>,
    budget: Budget,
    bounds: Bounds,
    books: Books,
    stalls: Stalls,
    fights: Fights,
    /// Objects that the target refused in the last pass: others go first in the next one.
    refused: BTreeSet<ObjectId>,
    status: Arc<Shared>,
}

/// What a sync loop is made of.
#[derive(Debug)]
pub(crate) struct Parts {
    /// Where objects are made so.
    pub(crate) target: Arc<Target>,
    /// The site's own bound on deleting.
    pub(crate) budget: Budget,
    /// Times and widths.
    pub(crate) bounds: Bounds,
    /// The state on disk.
    pub(crate) state: Arc<State>,
    /// The target that the state on disk belongs to.
    pub(crate) home: String,
    /// Who this agent is to other agents that find it there.
    pub(crate) holder: String,
    /// Whether there was an assignment on disk when the program started.
    pub(crate) trusted: bool,
    /// Where it is said how things stand.
    pub(crate) status: Arc<Shared>,
}

/// The loop's times and widths.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// From one pass to the next when all is well.
    pub(crate) interval: Duration,
    /// Objects at once.
    pub(crate) concurrency: usize,
    /// How long a pass waits for kinds to be served that it has just defined.
    pub(crate) definitions: Duration,
    /// How long the steps of a pass may take, before what is left is for the next one (FAULTS F9).
    pub(crate) pass: Duration,
}

/// A pass that looks, and writes down what it did, has so many times the time of its steps.
const WHOLE: u32 = 2;

/// A claim to a cluster never stands for less.
const SHORTEST_CLAIM: Duration = Duration::from_mins(1);

impl Bounds {
    /// How long a claim stands that is renewed, after a third of that, when a pass begins: the pass that begins just
    /// before has ended by then, so none needs to look again on its way.
    fn claim(&self) -> Duration {
        ((WHOLE + 1) * self.interval.max(self.pass)).max(SHORTEST_CLAIM)
    }
}

impl Syncer {
    /// A loop of these parts.
    pub(crate) fn new(parts: Parts) -> Self {
        let claim = Claim { holder: parts.holder, lasting: parts.bounds.claim() };
        Self {
            target: parts.target,
            budget: parts.budget,
            bounds: parts.bounds,
            books: Books::new(parts.state, parts.home, claim, parts.trusted),
            stalls: Stalls::default(),
            fights: Fights::default(),
            refused: BTreeSet::new(),
            status: parts.status,
        }
    }

    /// Runs until `stop`.
    pub(crate) async fn run(mut self, mut news: News, stop: CancellationToken) -> anyhow::Result<()> {
        let mut pace = Pace::default();
        loop {
            let wanted = news.borrow_and_update().clone();
            let mut wait = self.bounds.interval;
            if let Some(wanted) = wanted {
                let outcome = tokio::select! {
                    () = stop.cancelled() => return Ok(()),
                    outcome = self.pass(&wanted, news.clone()) => outcome,
                };
                wait = pace.after(&outcome, wait);
            }
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                // Once the poll loop has ended there is none; drift is repaired without it until we are told to stop.
                Ok(()) = news.changed() => pace.news(),
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// One pass, bounded in time; a panic in it is one failed pass.
    pub(crate) async fn pass(&mut self, wanted: &Arc<Wanted>, news: News) -> Outcome {
        let begun = Instant::now();
        let whole = self.bounds.pass * WHOLE;
        let attempt = AssertUnwindSafe(Box::pin(self.attempt(wanted, news))).catch_unwind();
        let failed = |why: &str| Outcome::failed(wanted.seq, Held::cluster(HoldReason::ApplyFailed, why));
        let outcome = match tokio::time::timeout(whole, attempt).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) => failed("a pass panicked; the log has the place, and the next pass begins anew"),
            Err(_) => failed("a pass took longer than it may; the next one goes on"),
        };
        let mut outcome = Outcome { took: begun.elapsed(), ..outcome };
        outcome.held.extend(self.stalls.found(&outcome.services, begun));
        meters::passed(&outcome);
        log(&outcome);
        self.status.passed(wanted, &outcome);
        outcome
    }
}

fn log(outcome: &Outcome) {
    let counts = outcome.counts;
    if outcome.result == Ended::Complete && !counts.wrote() {
        return;
    }
    tracing::info!(
        seq = outcome.seq,
        result = outcome.result.word(),
        applied = counts.applied,
        repaired = counts.repaired,
        deleted = counts.deleted,
        failed = counts.failed,
        held = outcome.held.len(),
        ms = outcome.took.as_millis(),
        "pass"
    );
}

#[cfg(test)]
mod tests;
