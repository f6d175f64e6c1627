//! The connections that are open: a bounded number. At the bound, the one that has been idle longest gives way.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use tokio_util::sync::CancellationToken;

#[derive(Debug)]
pub(super) struct Connections {
    limit: usize,
    began: Instant,
    next: AtomicU64,
    open: Mutex<HashMap<u64, Entry>>,
}

#[derive(Clone, Debug)]
struct Entry {
    close: CancellationToken,
    used: Arc<AtomicU64>,
}

/// One connection's place; given back when dropped.
#[derive(Debug)]
pub(super) struct Held {
    all: Arc<Connections>,
    number: u64,
    entry: Entry,
}

/// Notes that a connection is used.
#[derive(Clone, Debug)]
pub(super) struct Used {
    began: Instant,
    used: Arc<AtomicU64>,
}

impl Used {
    pub(super) fn now(&self) {
        self.used.store(milliseconds(self.began), Ordering::Relaxed);
    }
}

fn milliseconds(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}

impl Connections {
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, began: Instant::now(), next: AtomicU64::new(0), open: Mutex::default() }
    }

    /// A place for a connection, which `close` ends. At the bound another one is ended for it.
    pub(super) fn hold(self: &Arc<Self>, close: CancellationToken) -> Held {
        if self.open.lock().unwrap_or_else(PoisonError::into_inner).len() >= self.limit {
            self.close_idle();
        }
        let entry = Entry { close, used: Arc::new(AtomicU64::new(milliseconds(self.began))) };
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        self.open.lock().unwrap_or_else(PoisonError::into_inner).insert(number, entry.clone());
        Held { all: Arc::clone(self), number, entry }
    }

    /// Ends the connection that has been idle longest, once its open request is answered.
    pub(super) fn close_idle(&self) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let oldest = open.iter().min_by_key(|(_, entry)| entry.used.load(Ordering::Relaxed));
        let Some(number) = oldest.map(|(number, _)| *number) else { return };
        if let Some(entry) = open.remove(&number) {
            entry.close.cancel();
        }
    }
}

impl Held {
    /// Cancelled when the connection should end.
    pub(super) fn closed(&self) -> CancellationToken {
        self.entry.close.clone()
    }

    pub(super) fn used(&self) -> Used {
        Used { began: self.all.began, used: Arc::clone(&self.entry.used) }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.all.open.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::Ordering;

    use tokio_util::sync::CancellationToken;

    use super::Connections;

    #[test]
    fn at_the_bound_the_longest_idle_gives_way() {
        let all = Arc::new(Connections::new(2));
        let tokens: Vec<_> = (0..3).map(|_| CancellationToken::new()).collect();
        let [first, second] = [0, 1].map(|n: usize| all.hold(tokens[n].clone()));
        first.entry.used.store(20, Ordering::Relaxed);
        second.entry.used.store(10, Ordering::Relaxed);
        let _third = all.hold(tokens[2].clone());
        let closed: Vec<bool> = tokens.iter().map(CancellationToken::is_cancelled).collect();
        assert_eq!(closed, [false, true, false]);
    }
}
