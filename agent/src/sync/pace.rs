//! How soon the next pass follows.

use std::time::Duration;

use crate::outcome::Outcome;

/// The first wait for something that is on its way; doubled up to the interval.
const SOON: Duration = Duration::from_millis(200);

/// How often in a row another look was worth it without anything new.
#[derive(Debug, Default)]
pub(super) struct Pace {
    looks: u32,
}

impl Pace {
    /// The wait after a pass. What was only repaired may be changed again at once, by somebody who never gives up: the
    /// waits grow then, as they do for what does not get on (law L5).
    pub(super) fn after(&mut self, outcome: &Outcome, interval: Duration) -> Duration {
        if !outcome.unsettled {
            self.looks = 0;
            return interval;
        }
        self.looks = if outcome.again { 0 } else { self.looks.saturating_add(1) };
        SOON.saturating_mul(2_u32.saturating_pow(self.looks)).min(interval)
    }

    /// A newer assignment came.
    pub(super) fn news(&mut self) {
        self.looks = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_mins(2);

    fn outcome(again: bool, unsettled: bool) -> Outcome {
        Outcome { unsettled, again, ..Outcome::default() }
    }

    #[test]
    fn l5_what_is_only_repaired_again_and_again_is_looked_at_ever_more_rarely() {
        let mut pace = Pace::default();
        let waits: Vec<Duration> = (0..12).map(|_| pace.after(&outcome(false, true), INTERVAL)).collect();
        assert!(waits.is_sorted() && waits[0] < Duration::from_secs(1), "{waits:?}");
        assert_eq!(waits[11], INTERVAL);
        assert_eq!(pace.after(&outcome(false, false), INTERVAL), INTERVAL);
        assert!(pace.after(&outcome(false, true), INTERVAL) < Duration::from_secs(1), "it was quiet between");
    }

    #[test]
    fn what_gets_on_is_looked_at_at_once() {
        let mut pace = Pace::default();
        for _ in 0..12 {
            assert_eq!(pace.after(&outcome(true, true), INTERVAL), SOON);
        }
        pace.after(&outcome(false, true), INTERVAL);
        pace.news();
        assert_eq!(pace.after(&outcome(true, true), INTERVAL), SOON);
    }
}
