//! What the publisher counts and measures, pass by pass: a prefix, base units, `_total` on what only grows.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};

/// Says what each one is; to be called after the recorder is there.
pub(crate) fn describe() {
    describe_counter!("windlass_publish_total", "Services looked at, by outcome");
    describe_counter!("windlass_publish_content_bytes_total", "Content that was new to the store");
    describe_counter!("windlass_publish_renders_total", "Services that were rendered");
    describe_histogram!(
        "windlass_publish_pass_seconds",
        "Time of one pass; what takes longer goes on beside it"
    );
    describe_gauge!("windlass_publish_last_success_timestamp_seconds", "When a pass last failed at nothing");
}

/// So many services of a pass ended so.
pub(crate) fn ended(outcome: &'static str, count: u64) {
    counter!("windlass_publish_total", "outcome" => outcome).increment(count);
}

/// A pass has ended.
pub(crate) fn passed(took: Duration, put_bytes: u64, rendered: u64) {
    counter!("windlass_publish_content_bytes_total").increment(put_bytes);
    counter!("windlass_publish_renders_total").increment(rendered);
    histogram!("windlass_publish_pass_seconds").record(took.as_secs_f64());
}

/// A pass failed at nothing.
pub(crate) fn succeeded() {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    gauge!("windlass_publish_last_success_timestamp_seconds").set(now.as_secs_f64());
}
