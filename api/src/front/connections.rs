//! The connections that are open: a bounded number, each counted until it is closed in fact. At the bound, the one that
//! has been idle longest gives way; one that is held for nothing has to go before that.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::DRAIN_TIME;

/// From a connection to the end of its first request's head, TLS included.
const HEAD_TIME: Duration = Duration::from_secs(20);
/// How long an answer may stand still because its client does not read. Longer than an answer may take to be made.
const STALL_TIME: Duration = Duration::from_mins(1);
/// How long a connection that was told to end may take for what it has under way.
const CLOSE_TIME: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(super) struct Connections {
    limit: usize,
    /// How long a connection may be without a request.
    idle: Duration,
    began: Instant,
    next: AtomicU64,
    open: Mutex<HashMap<u64, Entry>>,
    /// One for each connection, and some more for those that are about to end.
    places: Arc<Semaphore>,
}

/// Room for one connection.
#[derive(Debug)]
pub(super) struct Place(#[expect(dead_code, reason = "it is given back when dropped")] OwnedSemaphorePermit);

#[derive(Clone, Debug)]
struct Entry {
    close: CancellationToken,
    is_closing: bool,
    activity: Arc<Activity>,
}

/// What a connection does. Times are milliseconds since the listener began.
#[derive(Debug)]
struct Activity {
    opened: u64,
    /// The last request; 0 before the first.
    used: AtomicU64,
    /// The last piece of an answer that was taken.
    moved: AtomicU64,
    /// Answers that are being made or sent, those from memory aside.
    under_way: AtomicU32,
}

/// One connection's place; given back when dropped.
#[derive(Debug)]
pub(super) struct Held {
    all: Arc<Connections>,
    number: u64,
    drain: CancellationToken,
    close: CancellationToken,
    activity: Arc<Activity>,
    _place: Place,
}

/// Notes what a connection does.
#[derive(Clone, Debug)]
pub(super) struct Used {
    began: Instant,
    activity: Arc<Activity>,
}

/// An answer that is being made or sent, until dropped.
#[derive(Debug)]
pub(super) struct Flight(Used);

impl Used {
    pub(super) fn now(&self) {
        self.activity.used.store(milliseconds(self.began), Ordering::Relaxed);
    }

    pub(super) fn flight(&self) -> Flight {
        self.activity.under_way.fetch_add(1, Ordering::Relaxed);
        let flight = Flight(self.clone());
        flight.moved();
        flight
    }
}

impl Flight {
    /// A piece of the answer was taken.
    pub(super) fn moved(&self) {
        self.0.activity.moved.store(milliseconds(self.0.began), Ordering::Relaxed);
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.0.activity.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}

/// From 1, since 0 is never.
fn milliseconds(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX).saturating_add(1)
}

impl Activity {
    fn last_used(&self) -> u64 {
        self.used.load(Ordering::Relaxed).max(self.opened)
    }

    /// Why a connection is held for nothing, if it is.
    fn ended(&self, now: u64, idle: Duration) -> Option<&'static str> {
        let (since, limit, why) = if self.used.load(Ordering::Relaxed) == 0 {
            (self.opened, HEAD_TIME, "no request came")
        } else if self.under_way.load(Ordering::Relaxed) > 0 {
            (self.moved.load(Ordering::Relaxed), STALL_TIME, "its client does not read")
        } else {
            (self.last_used(), idle, "it was idle")
        };
        (Duration::from_millis(now.saturating_sub(since)) > limit).then_some(why)
    }
}

impl Connections {
    pub(super) fn new(limit: usize, idle: Duration) -> Self {
        Self {
            limit,
            idle,
            began: Instant::now(),
            next: AtomicU64::new(0),
            open: Mutex::default(),
            places: Arc::new(Semaphore::new(limit + limit / 8)),
        }
    }

    /// Waits for room: there is some, unless many are about to end at once.
    pub(super) async fn place(&self) -> Option<Place> {
        Arc::clone(&self.places).acquire_owned().await.ok().map(Place)
    }

    /// Takes a place for a connection, which ends with `drain`. At the bound another one is ended for it.
    pub(super) fn hold(self: &Arc<Self>, place: Place, drain: &CancellationToken) -> Held {
        if self.open().len() >= self.limit {
            self.close_idle();
        }
        let activity = Arc::new(Activity {
            opened: milliseconds(self.began),
            used: AtomicU64::new(0),
            moved: AtomicU64::new(0),
            under_way: AtomicU32::new(0),
        });
        let (drain, close) = (drain.clone(), drain.child_token());
        let entry = Entry { close: close.clone(), is_closing: false, activity: Arc::clone(&activity) };
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        self.open().insert(number, entry);
        Held { all: Arc::clone(self), number, drain, close, activity, _place: place }
    }

    /// Ends the connection that has been idle longest; of those of one millisecond the oldest.
    pub(super) fn close_idle(&self) {
        let mut open = self.open();
        let candidates = open.iter_mut().filter(|(_, entry)| !entry.is_closing);
        let longest = candidates.min_by_key(|(number, entry)| (entry.activity.last_used(), **number));
        if let Some((_, entry)) = longest {
            entry.end();
        }
    }

    /// Ends those that are held for nothing.
    pub(super) fn sweep(&self) {
        let now = milliseconds(self.began);
        for entry in self.open().values_mut().filter(|entry| !entry.is_closing) {
            if let Some(why) = entry.activity.ended(now, self.idle) {
                tracing::debug!(why, "a connection is closed");
                entry.end();
            }
        }
    }

    fn open(&self) -> MutexGuard<'_, HashMap<u64, Entry>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    fn end(&mut self) {
        self.is_closing = true;
        self.close.cancel();
    }
}

impl Held {
    /// Comes when the connection should end, and says how long that may take.
    pub(super) async fn closed(&self) -> Duration {
        self.close.cancelled().await;
        if self.drain.is_cancelled() { DRAIN_TIME } else { CLOSE_TIME }
    }

    pub(super) fn used(&self) -> Used {
        Used { began: self.all.began, activity: Arc::clone(&self.activity) }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.all.open().remove(&self.number);
    }
}

#[cfg(test)]
mod tests;
