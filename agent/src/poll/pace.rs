//! When the loop wakes up by itself: to ask the api, to look again for what is missing, to hand over what has come.

use std::time::{Duration, SystemTime};

use cdn::wire::POLL_AFTER_BOUNDS;
use program::schedule::{self, Backoff};
use tokio::time::Instant;

/// The loop's own clock.
#[derive(Debug)]
pub(super) struct Pace {
    interval: Duration,
    phase: Duration,
    backoff: Backoff,
    /// The api does not want to be asked before (FAULTS H3).
    not_before: Instant,
    looks: Backoff,
    /// When the api is asked next.
    pub(super) poll: Instant,
    /// When the origins are asked again for what is missing. No poll: it costs the api nothing.
    pub(super) look: Option<Instant>,
    /// When what has come so far is handed over.
    pub(super) tell: Option<Instant>,
}

const FIRST_RETRY: Duration = Duration::from_secs(1);
/// So many times content that is missing is looked for sooner than at the next poll: it may be there soon (FAULTS C9);
/// what stays missing is asked for at the usual pace.
const SOON_ENOUGH: u32 = 6;
/// While some services are still on their way, the others are handed over this often. What comes at once is told at
/// once, together: half a snapshot looks like objects that clash.
const MEANWHILE: Duration = Duration::from_secs(1);

impl Pace {
    /// The pace of whoever `key` names.
    pub(super) fn new(key: &[u8], interval: Duration) -> Self {
        Self {
            interval,
            phase: schedule::phase(key, interval),
            backoff: Backoff::new(FIRST_RETRY, interval),
            not_before: Instant::now(),
            looks: Backoff::new(FIRST_RETRY, interval),
            poll: Instant::now(),
            look: None,
            tell: None,
        }
    }

    pub(super) fn begin(&mut self, at_once: bool) {
        self.poll = Instant::now() + if at_once { Duration::ZERO } else { self.until_phase() };
    }

    /// The api has answered, and may ask to wait. An answer that is of no use is asked for again sooner.
    pub(super) fn answered(&mut self, told: Option<Duration>, usable: bool) {
        let now = Instant::now();
        let (least, most) = POLL_AFTER_BOUNDS;
        self.not_before = now + told.map_or(Duration::ZERO, |told| told.clamp(least, most));
        if !usable {
            return self.failed(None);
        }
        self.backoff.reset();
        let own = self.until_phase() + schedule::jitter(self.interval / 10);
        self.poll = (now + own).max(self.not_before);
    }

    /// No answer, or none of use.
    pub(super) fn failed(&mut self, told: Option<Duration>) {
        self.poll = (Instant::now() + self.backoff.next(told)).max(self.not_before);
    }

    /// Another assignment: what it names is worth looking for soon.
    pub(super) fn assigned(&mut self) {
        self.looks.reset();
        self.look = None;
    }

    /// Downloads have begun.
    pub(super) fn fetching(&mut self) {
        self.look = None;
        self.tell.get_or_insert_with(|| Instant::now() + MEANWHILE);
    }

    /// What has come was handed over.
    pub(super) fn told(&mut self, more_to_come: bool) {
        self.tell = more_to_come.then(|| Instant::now() + MEANWHILE);
    }

    /// No download is under way any more.
    pub(super) fn fetched(&mut self, all: bool) {
        self.tell = None;
        let soon = !all && self.looks.failures() < SOON_ENOUGH;
        self.look = soon.then(|| Instant::now() + self.looks.next(None));
        if all {
            self.looks.reset();
        }
    }

    /// How long until something that could not be had is asked for again, where it is worth little.
    pub(super) fn seldom(&self) -> Duration {
        2 * self.interval
    }

    fn until_phase(&self) -> Duration {
        schedule::until_phase(self.phase, self.interval, SystemTime::now())
    }
}
