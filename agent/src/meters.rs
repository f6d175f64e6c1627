//! What the agent counts and measures: a prefix, base units, `_total` on what only grows. No label names a cluster, a
//! service or an object.

use std::time::Duration;

use cdn::document::{Hold, HoldClass, HoldReason, Sync};
use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};

use crate::outcome::{Ended, Outcome};

/// What can be refused of content and documents.
const REFUSALS: [HoldReason; 9] = [
    HoldReason::RollbackRefused,
    HoldReason::SeqConflict,
    HoldReason::WrongCluster,
    HoldReason::NotSigned,
    HoldReason::OriginNotAllowed,
    HoldReason::AssignmentUnusable,
    HoldReason::ContentMismatch,
    HoldReason::ReleaseRefused,
    HoldReason::BundleRefused,
];

/// Says what each one is, and begins those that only grow; to be called after the recorder is there.
pub(crate) fn begin() {
    describe();
    for result in [PollResult::News, PollResult::Unchanged, PollResult::Failed] {
        counter!("windlass_polls_total", "result" => result.word()).increment(0);
    }
    for result in [Ended::Complete, Ended::Incomplete, Ended::Superseded, Ended::Failed] {
        counter!("windlass_sync_passes_total", "result" => result.word()).increment(0);
    }
    for reason in REFUSALS {
        counter!("windlass_verify_failures_total", "reason" => reason.code()).increment(0);
    }
    content(0, 0);
    drop(histogram!("windlass_apply_seconds"));
}

fn describe() {
    describe_counter!("windlass_polls_total", "Polls of the api, by what came of them");
    describe_gauge!("windlass_last_poll_timestamp_seconds", "When the api last answered a poll");
    describe_gauge!("windlass_holds", "What is held at present, by reason");
    describe_counter!("windlass_sync_passes_total", "Passes of the sync loop, by result");
    describe_histogram!("windlass_sync_pass_seconds", "Time of one pass over everything");
    describe_histogram!("windlass_apply_seconds", "Time of one object's apply");
    describe_gauge!("windlass_objects", "Objects in the inventory, by the state of their service");
    describe_gauge!("windlass_prune_held", "Holds of something that should be deleted and is not");
    describe_gauge!("windlass_last_success_timestamp_seconds", "When a pass was last complete");
    describe_counter!("windlass_content_bytes_total", "Content, by how it came here");
    describe_counter!(
        "windlass_verify_failures_total",
        "What was refused of content and documents, by reason"
    );
}

/// What came of a poll.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PollResult {
    /// A document to look at.
    News,
    /// An answer without one.
    Unchanged,
    /// No answer, or a refusal.
    Failed,
}

impl PollResult {
    const fn word(self) -> &'static str {
        match self {
            Self::News => "news",
            Self::Unchanged => "unchanged",
            Self::Failed => "failed",
        }
    }
}

/// Content or a document was refused.
pub(crate) fn refused(reason: HoldReason) {
    debug_assert!(REFUSALS.contains(&reason), "{reason:?} has no counter from the start");
    counter!("windlass_verify_failures_total", "reason" => reason.code()).increment(1);
}

/// Content has come: so much over the network, or so much that was here already.
pub(crate) fn content(full: u64, cached: u64) {
    for (kind, bytes) in [("full", full), ("cached", cached)] {
        counter!("windlass_content_bytes_total", "kind" => kind).increment(bytes);
    }
}

/// A poll has ended.
pub(crate) fn polled(result: PollResult) {
    counter!("windlass_polls_total", "result" => result.word()).increment(1);
    if result != PollResult::Failed {
        gauge!("windlass_last_poll_timestamp_seconds").set(now());
    }
}

/// All that is held now; a reason that nothing is held for is at zero, so that an alert ends.
pub(crate) fn holds(holds: &[Hold]) {
    for (reason, count) in by_reason(holds) {
        gauge!("windlass_holds", "reason" => reason.code()).set(f64::from(count));
    }
}

fn by_reason(holds: &[Hold]) -> impl Iterator<Item = (HoldReason, u32)> {
    HoldReason::ALL.iter().map(|reason| {
        let count = holds.iter().filter(|hold| hold.reason == *reason).count();
        (*reason, u32::try_from(count).unwrap_or(u32::MAX))
    })
}

fn now() -> f64 {
    jiff::Timestamp::now().as_duration().as_secs_f64()
}

/// One object was applied, or refused.
pub(crate) fn applied(took: Duration) {
    histogram!("windlass_apply_seconds").record(took.as_secs_f64());
}

/// A pass has ended.
pub(crate) fn passed(outcome: &Outcome) {
    counter!("windlass_sync_passes_total", "result" => outcome.result.word()).increment(1);
    histogram!("windlass_sync_pass_seconds").record(outcome.took.as_secs_f64());
    for (state, sync) in [("synced", Sync::Synced), ("pending", Sync::Pending), ("held", Sync::Held)] {
        let of = outcome.services.values().filter(|service| service.sync == sync);
        let objects = u32::try_from(of.map(|service| service.objects).sum::<u64>()).unwrap_or(u32::MAX);
        gauge!("windlass_objects", "state" => state).set(f64::from(objects));
    }
    let prunes = outcome.held.iter().filter(|held| held.reason.class() == HoldClass::Prune).count();
    gauge!("windlass_prune_held").set(f64::from(u32::try_from(prunes).unwrap_or(u32::MAX)));
    if outcome.result == Ended::Complete {
        gauge!("windlass_last_success_timestamp_seconds").set(now());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_is_counted_and_one_that_is_gone_is_at_zero() {
        let of = |reason| Hold {
            reason,
            service: None,
            object: None,
            message: String::new(),
            since: jiff::Timestamp::UNIX_EPOCH,
            digest: None,
        };
        let count = |holds: &[Hold], reason| by_reason(holds).find(|(one, _)| *one == reason).unwrap().1;
        let held = [of(HoldReason::Conflict), of(HoldReason::Stale), of(HoldReason::Conflict)];
        assert_eq!((count(&held, HoldReason::Conflict), count(&held, HoldReason::Stale)), (2, 1));
        assert_eq!(
            (count(&held[1..2], HoldReason::Conflict), by_reason(&[]).count()),
            (0, HoldReason::ALL.len())
        );
    }
}
