//! The wall clock, passed in: a test moves it by hand, and nothing sleeps.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::Timestamp;

/// Unix milliseconds, from the machine or from a hand.
#[derive(Clone, Debug, Default)]
pub struct Clock(Option<Arc<AtomicI64>>);

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        Self(None)
    }

    /// A clock that stands at this time until [`Clock::advance`] moves it.
    pub fn stopped_at(now: Timestamp) -> Self {
        Self(Some(Arc::new(AtomicI64::new(now.as_millisecond()))))
    }

    /// Moves a stopped clock; the machine's goes by itself.
    pub fn advance(&self, by: std::time::Duration) {
        if let Some(at) = &self.0 {
            at.fetch_add(i64::try_from(by.as_millis()).unwrap_or(i64::MAX), Ordering::SeqCst);
        }
    }

    /// Unix milliseconds.
    pub fn now_ms(&self) -> i64 {
        self.0.as_ref().map_or_else(|| Timestamp::now().as_millisecond(), |at| at.load(Ordering::SeqCst))
    }

    /// The same as a timestamp.
    pub fn now(&self) -> Timestamp {
        timestamp(self.now_ms())
    }
}

/// Unix milliseconds as a timestamp; what lies outside its years becomes 1970.
pub(crate) fn timestamp(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH)
}
