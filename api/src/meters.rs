//! What is counted: a prefix, base units, `_total` on what only grows. No label has as many values as there are clusters.

use std::time::{SystemTime, UNIX_EPOCH};

use metrics::{
    Counter, Gauge, Histogram, counter, describe_counter, describe_gauge, describe_histogram, gauge,
    histogram,
};

/// The counters of the poll path, looked up once: a look-up by name costs as much as a third of a poll.
#[derive(Debug)]
pub(crate) struct Meters {
    pub(crate) not_modified: Counter,
    pub(crate) news: Counter,
    pub(crate) refused: Counter,
    pub(crate) held_back: Counter,
    pub(crate) failed: Counter,
    pub(crate) seconds: Histogram,
    pub(crate) table_bytes: Gauge,
    pub(crate) report_queue: Gauge,
}

impl Meters {
    /// To be made after the recorder.
    pub(crate) fn new() -> Self {
        describe_counter!("windlass_polls_total", "Polls, by result");
        describe_histogram!(
            "windlass_poll_seconds",
            "Time to answer a poll that memory alone did not answer"
        );
        describe_gauge!(
            "windlass_clusters",
            "Clusters, by state; lost are those of the active ones that have not been seen for five intervals"
        );
        describe_gauge!(
            "windlass_holds",
            "What clusters refuse or wait for, by reason; of the whole fleet, at every replica"
        );
        describe_gauge!("windlass_table_bytes", "Bytes of the table of clusters in memory");
        describe_gauge!("windlass_report_queue", "Reports that wait to be written");
        describe_histogram!("windlass_db_wait_seconds", "Time that a request waited for the database");
        describe_counter!("windlass_assign_passes_total", "Passes of assignment, by result");
        describe_gauge!(
            "windlass_assign_last_success_timestamp_seconds",
            "When a pass of assignment last assigned all that is wanted"
        );
        let polls = |result: &'static str| counter!("windlass_polls_total", "result" => result);
        Self {
            not_modified: polls("not_modified"),
            news: polls("news"),
            refused: polls("refused"),
            held_back: polls("held_back"),
            failed: polls("failed"),
            seconds: histogram!("windlass_poll_seconds"),
            table_bytes: gauge!("windlass_table_bytes"),
            report_queue: gauge!("windlass_report_queue"),
        }
    }
}

/// A pass of assignment has ended.
pub(crate) fn assigned(is_whole: bool) {
    let result = if is_whole { "ok" } else { "failed" };
    counter!("windlass_assign_passes_total", "result" => result).increment(1);
    if is_whole {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        gauge!("windlass_assign_last_success_timestamp_seconds").set(now.as_secs_f64());
    }
}
