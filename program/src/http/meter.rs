//! The bounds of an answer, and the pure reckoning that keeps them.

use std::time::Duration;

use super::error::Cause;

/// What an exchange may cost at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// The most bytes that the body may have.
    pub max_bytes: u64,
    /// The most time that the whole exchange may take.
    pub deadline: Duration,
    /// The least rate at which the body must come.
    pub min_rate: MinRate,
}

impl Bounds {
    /// Bytes and time, with the usual [`MinRate`].
    pub fn new(max_bytes: u64, deadline: Duration) -> Self {
        Self { max_bytes, deadline, min_rate: MinRate::default() }
    }

    /// The same with another least rate.
    #[must_use]
    pub fn with_min_rate(self, min_rate: MinRate) -> Self {
        Self { min_rate, ..self }
    }
}

/// The least rate of a body, looked at in windows one after the other, so that an honest slow line may pause.
/// Only time spent waiting for the network counts, not what the caller does with the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MinRate {
    /// Bytes a second over a window; 0 allows any pace.
    pub bytes_per_second: u64,
    /// The length of a window.
    pub window: Duration,
}

impl Default for MinRate {
    /// 1 kB/s over 30 s: a modem passes, an attacker who drips does not hold a worker for hours (FAULTS A7).
    fn default() -> Self {
        Self { bytes_per_second: 1_000, window: Duration::from_secs(30) }
    }
}

impl MinRate {
    fn least(self) -> u64 {
        let total = u128::from(self.bytes_per_second) * self.window.as_millis() / 1_000;
        u64::try_from(total).unwrap_or(u64::MAX)
    }

    /// How long a body of this size may take to go up.
    pub(super) fn time_for(self, bytes: u64) -> Duration {
        Duration::from_secs(bytes.checked_div(self.bytes_per_second).unwrap_or_default())
    }
}

/// Counts one body.
#[derive(Debug)]
pub(super) struct Meter {
    limit: u64,
    read: u64,
    rate: MinRate,
    window_left: Duration,
    window_read: u64,
}

impl Meter {
    pub(super) fn new(limit: u64, rate: MinRate) -> Self {
        Self { limit, read: 0, rate, window_left: rate.window, window_read: 0 }
    }

    /// Bytes so far.
    pub(super) fn read(&self) -> u64 {
        self.read
    }

    /// How long to wait before the rate must be looked at again.
    pub(super) fn patience(&self) -> Duration {
        self.window_left
    }

    /// Time passed while waiting, and `bytes` came (0: none yet).
    pub(super) fn waited(&mut self, time: Duration, bytes: usize) -> Result<(), Cause> {
        let bytes = bytes as u64;
        self.read = self.read.saturating_add(bytes);
        self.window_read = self.window_read.saturating_add(bytes);
        if self.read > self.limit {
            return Err(Cause::TooLarge { limit: self.limit });
        }
        self.window_left = self.window_left.saturating_sub(time);
        if !self.window_left.is_zero() {
            return Ok(());
        }
        let least = self.rate.least();
        if self.window_read < least {
            return Err(Cause::TooSlow { got: self.window_read, least, window: self.rate.window });
        }
        self.window_left = self.rate.window;
        self.window_read = 0;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
