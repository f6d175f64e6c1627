//! What the agent counts and measures: a prefix, base units, `_total` on what only grows. No label names a cluster, a
//! service or an object.

use std::time::Duration;

use cdn::document::{HoldClass, Sync};
use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};

use crate::outcome::{Ended, Outcome};

/// Says what each one is; to be called after the recorder is there.
pub(crate) fn describe() {
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
        let now = jiff::Timestamp::now().as_duration().as_secs_f64();
        gauge!("windlass_last_success_timestamp_seconds").set(now);
    }
}
