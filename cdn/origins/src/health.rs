//! How an origin has been of late, and what follows for the order of asking.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cdn::Digest;
use program::schedule;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::{Mismatch, Origin, Why};

/// After its first failure an origin stands behind the others for so long; the time doubles with each further one.
const FIRST_REST: Duration = Duration::from_secs(10);
const LONGEST_REST: Duration = Duration::from_mins(5);
/// Objects remembered as damaged at one origin; the one that may be asked for soonest gives way.
const MOST_AVOIDED: usize = 1_024;
/// Reads of one folder at once.
const READERS: usize = 8;

/// How an origin is, for a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OriginStatus {
    /// The origin, as it may be shown.
    pub origin: String,
    /// Whether a signed document named it, not this program's settings.
    pub appended: bool,
    /// Failures in a row.
    pub failures: u32,
    /// How long it still stands behind the others.
    pub resting: Option<Duration>,
    /// Objects that are not asked for there, since other bytes came.
    pub avoided: usize,
    /// Answers that were proved.
    pub fetched: u64,
    /// Answers that were not what was wanted.
    pub mismatches: u64,
    /// All bytes that came from there.
    pub bytes: u64,
    /// Why the last answer was of no use; none since one was.
    pub last_error: Option<String>,
}

/// An origin and what is remembered of it.
#[derive(Debug)]
pub(crate) struct Tracked {
    pub(crate) origin: Origin,
    pub(crate) appended: bool,
    /// Of a folder: who may read at once. Reads of a medium that hangs never end, and must not take every thread.
    pub(crate) readers: Arc<Semaphore>,
    memory: Mutex<Memory>,
}

#[derive(Debug, Default)]
struct Memory {
    failures: u32,
    resting_until: Option<Instant>,
    avoided: BTreeMap<Digest, Avoided>,
    fetched: u64,
    mismatches: u64,
    bytes: u64,
    last_error: Option<String>,
}

/// An object that is not asked for at an origin.
#[derive(Debug)]
struct Avoided {
    until: Instant,
    before: Box<Mismatch>,
}

/// In the order of the list, but those that rest stand behind, the one that rests least first.
pub(crate) fn order(list: &[Arc<Tracked>], now: Instant) -> Vec<Arc<Tracked>> {
    let mut order: Vec<_> = list
        .iter()
        .map(|tracked| (tracked.memory().resting(now).unwrap_or_default(), Arc::clone(tracked)))
        .collect();
    order.sort_by_key(|(resting, _)| *resting);
    order.into_iter().map(|(_, tracked)| tracked).collect()
}

impl Tracked {
    pub(crate) fn new(origin: Origin, appended: bool) -> Self {
        Self { origin, appended, readers: Arc::new(Semaphore::new(READERS)), memory: Mutex::default() }
    }

    pub(crate) fn succeeded(&self) {
        let mut memory = self.memory();
        memory.recovered();
        memory.fetched += 1;
        memory.last_error = None;
    }

    pub(crate) fn failed(&self, why: &Why, now: Instant) {
        let mut memory = self.memory();
        match why {
            // Not asked, so nothing is learnt.
            Why::Avoided { .. } | Why::NoTime | Why::TooLong { .. } => return,
            // An origin that has not got an object is a healthy origin.
            Why::Absent => return memory.recovered(),
            Why::Mismatch(_)
            | Why::NotAccepted(_)
            | Why::Status { .. }
            | Why::Http(_)
            | Why::WrongRange
            | Why::Folder(_)
            | Why::Credential(_) => memory.last_error = Some(why.to_string()),
        }
        if why.is_ill() {
            let told = if let Why::Status { wait, .. } = why { *wait } else { None };
            memory.resting_until = Some(now + rest_after(memory.failures, told));
            memory.failures = memory.failures.saturating_add(1);
        } else {
            memory.recovered();
        }
    }

    /// Other bytes than were wanted came.
    pub(crate) fn mismatched(&self) {
        self.memory().mismatches += 1;
    }

    pub(crate) fn count(&self, bytes: u64) {
        self.memory().bytes += bytes;
    }

    /// Lets an object not be asked for there until then, since other bytes came.
    pub(crate) fn avoid(&self, before: Box<Mismatch>, until: Instant) {
        let mut memory = self.memory();
        memory.avoided.insert(before.expected, Avoided { until, before });
        if memory.avoided.len() > MOST_AVOIDED {
            let soonest = memory.avoided.iter().min_by_key(|(_, one)| one.until).map(|(object, _)| *object);
            soonest.map(|object| memory.avoided.remove(&object));
        }
    }

    /// Why an object is still not asked for there.
    pub(crate) fn avoided(&self, object: &Digest, now: Instant) -> Option<Why> {
        let mut memory = self.memory();
        let Avoided { until, before } = memory.avoided.get(object)?;
        if *until > now {
            return Some(Why::Avoided { left: *until - now, before: before.clone() });
        }
        memory.avoided.remove(object);
        None
    }

    pub(crate) fn status(&self, now: Instant) -> OriginStatus {
        let memory = self.memory();
        OriginStatus {
            origin: self.origin.to_string(),
            appended: self.appended,
            failures: memory.failures,
            resting: memory.resting(now),
            avoided: memory.avoided.values().filter(|one| one.until > now).count(),
            fetched: memory.fetched,
            mismatches: memory.mismatches,
            bytes: memory.bytes,
            last_error: memory.last_error.clone(),
        }
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        // Each change is complete in itself, so what a panicking thread left is whole.
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Memory {
    fn recovered(&mut self) {
        self.failures = 0;
        self.resting_until = None;
    }

    fn resting(&self, now: Instant) -> Option<Duration> {
        self.resting_until.and_then(|until| until.checked_duration_since(now)).filter(|left| !left.is_zero())
    }
}

/// What the origin asked for, within what we let a server ask for; else our own reckoning.
fn rest_after(failures: u32, told: Option<Duration>) -> Duration {
    let own = FIRST_REST.saturating_mul(2_u32.saturating_pow(failures)).min(LONGEST_REST);
    told.map_or(own, |told| schedule::server_wait(told).max(own))
}

#[cfg(test)]
mod tests;
