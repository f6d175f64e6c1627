//! The sync loop: one idempotent pass after the other - observe, plan, apply - every two minutes and whenever the poll
//! loop has news. It never waits for the network of origins and api (law L1).

mod applier;
mod books;
mod pass;
mod stall;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cdn::document::{HoldReason, Sync};
use futures::FutureExt;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::held::Held;
use crate::outcome::{Ended, Outcome};
use crate::plan::Rails;
use crate::state::State;
use crate::status::Shared;
use crate::target::Target;
use crate::wanted::Wanted;

use books::Books;
use stall::Stalls;

/// What the poll loop knows: the newest proved assignment, if there is one.
pub type News = watch::Receiver<Option<Arc<Wanted>>>;

/// The sync loop.
#[derive(Debug)]
pub struct Syncer {
    target: Arc<Target>,
    rails: Rails,
    bounds: Bounds,
    books: Books,
    stalls: Stalls,
    status: Arc<Shared>,
}

/// The loop's times and widths.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// From one pass to the next when all is well.
    pub interval: Duration,
    /// Objects at once.
    pub concurrency: usize,
    /// How long a pass waits for kinds to be served that it has just defined.
    pub definitions: Duration,
}

/// The most time for one pass (FAULTS F9).
const PASS_TIME: Duration = Duration::from_mins(10);
/// The first wait for something that is on its way; doubled up to the interval.
const SOON: Duration = Duration::from_millis(200);

impl Syncer {
    /// A loop for a target. `home`: the target that the state on disk belongs to. `trusted`: whether there was an
    /// assignment on disk when the program started.
    pub fn new(
        (target, rails, bounds): (Arc<Target>, Rails, Bounds),
        state: Arc<State>,
        (home, trusted): (String, bool),
        status: Arc<Shared>,
    ) -> Self {
        let rails = Rails { deletes: target.deletes(), knows_health: target.knows_health(), ..rails };
        let rails = Rails { edits_change_uid: target.edits_change_uid(), ..rails };
        Self {
            target,
            rails,
            bounds,
            books: Books::new(state, home, trusted),
            stalls: Stalls::default(),
            status,
        }
    }

    /// Runs until `stop`.
    pub async fn run(mut self, mut news: News, stop: CancellationToken) -> anyhow::Result<()> {
        let mut calm = 0;
        loop {
            let wanted = news.borrow_and_update().clone();
            let mut wait = self.bounds.interval;
            if let Some(wanted) = wanted {
                let outcome = tokio::select! {
                    () = stop.cancelled() => return Ok(()),
                    outcome = self.pass(&wanted, news.clone()) => outcome,
                };
                calm = if outcome.again { 0 } else { calm + 1 };
                if outcome.unsettled {
                    wait = SOON.saturating_mul(2_u32.saturating_pow(calm)).min(wait);
                }
            }
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                changed = news.changed() => match changed {
                    Ok(()) => calm = 0,
                    // The poll loop has ended; drift is repaired without it until we are told to stop.
                    Err(_) => tokio::time::sleep(wait).await,
                },
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// One pass, bounded in time; a panic in it is one failed pass.
    pub async fn pass(&mut self, wanted: &Arc<Wanted>, news: News) -> Outcome {
        let begun = Instant::now();
        let attempt = AssertUnwindSafe(Box::pin(self.attempt(wanted, news))).catch_unwind();
        let failed = |why: &str| Outcome::failed(wanted.seq, Held::cluster(HoldReason::ApplyFailed, why));
        let outcome = match tokio::time::timeout(PASS_TIME, attempt).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) => failed("a pass panicked; the log has the place, and the next pass begins anew"),
            Err(_) => failed("a pass took longer than ten minutes; the next one goes on"),
        };
        let mut outcome = Outcome { took: begun.elapsed(), ..outcome };
        outcome.held.extend(self.stalls.found(&outcome.services, begun));
        count(&outcome);
        self.status.passed(wanted, &outcome);
        outcome
    }
}

/// The reasons that stand for something that should be deleted and is not.
const PRUNES: [HoldReason; 4] =
    [HoldReason::PruneBudget, HoldReason::NeedsConfirm, HoldReason::PruneWaits, HoldReason::PruneUnsupported];

fn count(outcome: &Outcome) {
    let word = outcome.result.word();
    metrics::counter!("windlass_sync_passes_total", "result" => word).increment(1);
    metrics::histogram!("windlass_apply_seconds").record(outcome.took.as_secs_f64());
    let held = |reasons: &[HoldReason]| {
        let of = |held: &&Held| reasons.contains(&held.reason);
        u32::try_from(outcome.held.iter().filter(of).count()).unwrap_or(u32::MAX)
    };
    for (state, sync) in [("synced", Sync::Synced), ("pending", Sync::Pending), ("held", Sync::Held)] {
        let of = outcome.services.values().filter(|service| service.sync == sync);
        let objects = u32::try_from(of.map(|service| service.objects).sum::<u64>()).unwrap_or(u32::MAX);
        metrics::gauge!("windlass_objects", "state" => state).set(f64::from(objects));
    }
    metrics::gauge!("windlass_prune_held").set(f64::from(held(&PRUNES)));
    if outcome.result == Ended::Complete {
        let now = jiff::Timestamp::now().as_duration().as_secs_f64();
        metrics::gauge!("windlass_last_success_timestamp_seconds").set(now);
    }
    let counts = outcome.counts;
    if outcome.result != Ended::Complete || counts.wrote() {
        tracing::info!(
            seq = outcome.seq,
            result = word,
            applied = counts.applied,
            repaired = counts.repaired,
            deleted = counts.deleted,
            failed = counts.failed,
            held = outcome.held.len(),
            ms = outcome.took.as_millis(),
            "pass"
        );
    }
}
