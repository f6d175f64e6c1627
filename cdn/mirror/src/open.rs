//! The connections that are open, what they do, and which one gives way when there is no room for another.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// After so many milliseconds without a request a connection counts as idle.
const SETTLED: u64 = 1_000;

/// All that are open.
#[derive(Debug)]
pub(crate) struct Open {
    began: Instant,
    next: AtomicU64,
    all: Mutex<BTreeMap<u64, Entry>>,
}

#[derive(Debug)]
struct Entry {
    host: IpAddr,
    close: CancellationToken,
    activity: Arc<Activity>,
}

/// What a connection is doing.
#[derive(Debug)]
pub(crate) struct Activity {
    began: Instant,
    pub(crate) requests: AtomicU64,
    pub(crate) bytes: AtomicU64,
    pub(crate) under_way: AtomicUsize,
    /// When something last began or ended, in milliseconds since the mirror began.
    last: AtomicU64,
}

/// One open connection; it counts until this is dropped.
#[derive(Debug)]
pub(crate) struct Held {
    open: Arc<Open>,
    number: u64,
    /// It must end: there is no room, or the mirror stops.
    pub(crate) close: CancellationToken,
    /// The mirror stops.
    pub(crate) stop: CancellationToken,
    pub(crate) activity: Arc<Activity>,
    _slot: OwnedSemaphorePermit,
}

/// One request under way, until dropped.
#[derive(Debug)]
pub(crate) struct Flight(Arc<Activity>);

impl Flight {
    pub(crate) fn begin(activity: &Arc<Activity>) -> Self {
        activity.requests.fetch_add(1, Ordering::Relaxed);
        activity.under_way.fetch_add(1, Ordering::Relaxed);
        activity.note();
        Self(Arc::clone(activity))
    }

    /// Bytes were taken by the connection.
    pub(crate) fn moved(&self, bytes: u64) {
        self.0.bytes.fetch_add(bytes, Ordering::Relaxed);
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::Relaxed);
        self.0.note();
    }
}

impl Activity {
    fn new(began: Instant) -> Arc<Self> {
        let zero = || AtomicU64::new(0);
        let activity =
            Self { began, requests: zero(), bytes: zero(), under_way: AtomicUsize::new(0), last: zero() };
        activity.note();
        Arc::new(activity)
    }

    fn note(&self) {
        self.last.store(self.now(), Ordering::Relaxed);
    }

    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Since when nothing is under way; none for who has just come or was just answered, and is about to ask.
    fn idle_since(&self) -> Option<u64> {
        let last = self.last.load(Ordering::Relaxed);
        let idle = self.under_way.load(Ordering::Relaxed) == 0 && self.now().saturating_sub(last) >= SETTLED;
        idle.then_some(last)
    }
}

impl Open {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { began: Instant::now(), next: AtomicU64::new(0), all: Mutex::default() })
    }

    /// Counts a connection that has its place; it ends with `stop`.
    pub(crate) fn hold(
        self: &Arc<Self>,
        host: IpAddr,
        stop: &CancellationToken,
        slot: OwnedSemaphorePermit,
    ) -> Held {
        let (activity, close) = (Activity::new(self.began), stop.child_token());
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let entry = Entry { host, close: close.clone(), activity: Arc::clone(&activity) };
        self.all().insert(number, entry);
        Held { open: Arc::clone(self), number, close, stop: stop.clone(), activity, _slot: slot }
    }

    /// Ends one idle connection, if there is one: somebody waits for its place.
    pub(crate) fn make_room(&self) {
        let all = self.all();
        if all.values().any(|entry| entry.close.is_cancelled()) {
            // Its place is about to be free.
            return;
        }
        let seen: Vec<Seen> = all
            .iter()
            .map(|(number, entry)| Seen {
                number: *number,
                host: entry.host,
                idle_since: entry.activity.idle_since(),
            })
            .collect();
        if let Some(entry) = gives_way(&seen).and_then(|number| all.get(&number)) {
            tracing::debug!(host = %entry.host, "a connection is closed: another one waits for its place");
            entry.close.cancel();
        }
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<u64, Entry>> {
        // Each change is complete in itself, so what a panicking thread left is whole.
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.open.all().remove(&self.number);
    }
}

/// What is seen of a connection at one moment.
#[derive(Clone, Copy, Debug)]
struct Seen {
    number: u64,
    host: IpAddr,
    idle_since: Option<u64>,
}

/// The idle connection that gives way: of the host that has most connections, the one that has been idle longest. So
/// one host cannot shut the others out, however fresh it keeps its own.
fn gives_way(seen: &[Seen]) -> Option<u64> {
    let mut of_host: HashMap<IpAddr, usize> = HashMap::new();
    for one in seen {
        *of_host.entry(one.host).or_default() += 1;
    }
    let idle = seen.iter().filter_map(|one| Some((one, one.idle_since?)));
    let first = idle.min_by_key(|(one, since)| (Reverse(of_host.get(&one.host)), *since));
    first.map(|(one, _)| one.number)
}

#[cfg(test)]
mod tests;
