//! What is counted in this process. Names: `windlass_` first, base units, `_total`, `_seconds`, `_bytes`, and never a
//! label with as many values as there are clusters.

use std::sync::OnceLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use metrics::{Unit, describe_counter, describe_gauge};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};

use crate::usage;

/// From a 304 out of memory to a long download.
const SECONDS: [f64; 13] =
    [0.000_1, 0.000_5, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0];
/// From a poll without news to the largest bundle.
const BYTES: [f64; 8] = [256.0, 1e3, 4e3, 16e3, 128e3, 1e6, 8e6, 64e6];

const RESIDENT: &str = "windlass_process_resident_memory_bytes";
const CPU: &str = "windlass_process_cpu_seconds_total";
const START: &str = "windlass_process_start_time_seconds";

/// The one record of this process: the `metrics` macros know no other.
static RECORD: OnceLock<Record> = OnceLock::new();

/// The record, or a note that another recorder was there first.
#[derive(Debug, Clone)]
pub(super) struct Record {
    handle: Option<PrometheusHandle>,
}

/// Starts recording, once in a process.
pub(super) fn start() -> Record {
    RECORD.get_or_init(install).clone()
}

impl Record {
    /// Moves what was measured into its buckets; without it memory grows.
    pub(super) fn upkeep(&self) {
        if let Some(handle) = &self.handle {
            handle.run_upkeep();
        }
    }

    /// Everything, in Prometheus' text format.
    pub(super) fn text(&self) -> Option<String> {
        let handle = self.handle.as_ref()?;
        measure_process();
        Some(handle.render())
    }
}

fn install() -> Record {
    match builder().and_then(PrometheusBuilder::install_recorder) {
        Ok(handle) => {
            describe();
            Record { handle: Some(handle) }
        }
        Err(error) => {
            tracing::warn!(%error, "metrics are recorded elsewhere; /metrics has nothing to show");
            Record { handle: None }
        }
    }
}

fn builder() -> Result<PrometheusBuilder, BuildError> {
    PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)?
        .set_buckets_for_metric(Matcher::Suffix("_bytes".to_owned()), &BYTES)
}

fn describe() {
    describe_gauge!(RESIDENT, Unit::Bytes, "Resident memory of this process");
    describe_counter!(CPU, Unit::Seconds, "CPU time of this process, user and system");
    describe_gauge!(START, Unit::Seconds, "When this process began, as Unix time");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    metrics::gauge!(START).set(now.as_secs_f64());
}

#[expect(clippy::cast_precision_loss, reason = "a gauge is a float; below 2^53 bytes nothing is lost")]
fn measure_process() {
    if let Some(bytes) = usage::resident_bytes() {
        metrics::gauge!(RESIDENT).set(bytes as f64);
    }
    if let Some(seconds) = usage::cpu_seconds() {
        metrics::gauge!(CPU).set(seconds);
    }
}
