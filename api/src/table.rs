//! Every cluster in memory, so that a poll without news costs one hash, one look-up and one comparison: no database, no
//! signature, no allocation that grows. About 260 bytes a cluster (`index-memory` in the README).
//!
//! What it holds is a copy: the database counts, and [`crate::follow`] brings each change here. Only three things are
//! born here: when a cluster was seen, which start of its agent spoke last, and the `ETag` of what it would be told. The
//! first two are written back from time to time, never by a poll.

mod gaps;
mod intern;
mod slot;

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::mem::size_of;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use cdn::document::Named;
use cdn::{ClusterId, Digest};

use crate::db::clusters::slots::{Restart, SlotRow};
use crate::nouns::clusters::ClusterState;
use crate::nouns::terms::Terms;
pub(crate) use gaps::Gaps;
use intern::Interned;
pub(crate) use slot::{Ask, Polled, View};
use slot::{Outcome, Slot};

/// Restarts in one write.
const RESTARTS: usize = 10_000;

/// The clusters.
#[derive(Debug)]
pub(crate) struct Table {
    index: RwLock<Index>,
    gaps: Gaps,
    /// Slots whose agent spoke with a nonce that the database may not know.
    restarted: Mutex<Vec<u32>>,
}

#[derive(Debug)]
struct Index {
    /// What every cluster is told beside its assignment.
    terms: Arc<Terms>,
    /// The rows do not belong to the terms: nobody is told anything new.
    is_withheld: bool,
    /// By the first half of a credential's hash. Whoever could guess a key by the time that a look-up takes would
    /// learn a hash, which opens nothing (FAULTS D5).
    by_token: HashMap<[u8; 16], u32, Plain>,
    by_id: HashMap<[u8; 16], u32, Plain>,
    slots: Vec<Mutex<Slot>>,
    free: Vec<u32>,
    /// Credentials that were handed out and not used yet.
    next: HashMap<u32, Digest>,
    /// Sets and values: digest and length.
    named: Interned<(Digest, u64)>,
    extras: Interned<String>,
}

/// Whom a credential speaks for.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    pub(crate) id: ClusterId,
    pub(crate) state: ClusterState,
    pub(crate) duplicate: bool,
    pub(crate) reported: u64,
    /// It is the next credential, used for the first time.
    pub(crate) is_next: bool,
}

impl Table {
    pub(crate) fn new(terms: Terms, gaps: Gaps) -> Self {
        Self { index: RwLock::new(Index::new(terms)), gaps, restarted: Mutex::default() }
    }

    /// Answers a poll as far as memory can.
    pub(crate) fn poll(&self, credential: Digest, ask: &Ask) -> Polled {
        let index = self.read();
        let Some((at, mut slot)) = index.find(credential) else { return Polled::Unknown };
        if !slot.has_token(credential) {
            return Polled::Next;
        }
        let outcome = slot.poll(ask, index.terms.half_ms(), &self.gaps);
        if slot.is_to_be_queued() {
            lock(&self.restarted).push(at);
        }
        match outcome {
            Outcome::Is(polled) => polled,
            Outcome::News { .. } if index.is_withheld => Polled::Withheld,
            Outcome::News { period, issued_ms } => index.view(at, &slot, period, issued_ms),
        }
    }

    /// What every cluster is told beside its assignment.
    pub(crate) fn terms(&self) -> Arc<Terms> {
        Arc::clone(&self.read().terms)
    }

    /// Tells nobody anything new until [`Table::tell`], unless these are the terms.
    pub(crate) fn withhold_unless(&self, terms: &Terms) {
        let mut index = self.write();
        index.is_withheld |= *index.terms != *terms;
    }

    /// These are the terms, and all rows belong to them.
    pub(crate) fn tell(&self, terms: Terms) {
        let mut index = self.write();
        if *index.terms != terms {
            index.terms = Arc::new(terms);
        }
        index.is_withheld = false;
    }

    /// Agents that spoke with a nonce that the database does not know, as far as is known here. Each is given again until
    /// the database's row says the same.
    pub(crate) fn restarts(&self) -> Vec<Restart> {
        let index = self.read();
        let mut due = Vec::new();
        lock(&self.restarted).retain(|at| {
            if due.len() >= RESTARTS {
                return true;
            }
            let restart = index.slots.get(*at as usize).and_then(|slot| lock(slot).restart());
            let is_due = restart.is_some();
            due.extend(restart);
            is_due
        });
        due
    }

    /// Remembers the `ETag` of what was made from this view.
    pub(crate) fn set_etag(&self, view: &View, etag: Digest) {
        if let Some(slot) = self.read().slots.get(view.slot as usize) {
            lock(slot).set_etag(view, etag);
        }
    }

    /// Whom a credential speaks for.
    pub(crate) fn known(&self, credential: Digest) -> Option<Known> {
        let index = self.read();
        let (at, slot) = index.find(credential)?;
        let is_next = !slot.has_token(credential);
        if is_next && index.next.get(&at) != Some(&credential) {
            return None;
        }
        Some(slot.known(is_next))
    }

    /// Notes the number of a cluster's last report.
    pub(crate) fn reported(&self, id: &ClusterId, number: u64) {
        let index = self.read();
        if let Some(slot) = index.slot(id) {
            lock(slot).reported(number);
        }
    }

    /// Counts a request of a cluster that is being answered; `false` if it has too many (FAULTS H7).
    pub(crate) fn enter(&self, id: &ClusterId) -> bool {
        let index = self.read();
        index.slot(id).is_some_and(|slot| lock(slot).enter())
    }

    /// One less.
    pub(crate) fn leave(&self, id: &ClusterId) {
        let index = self.read();
        if let Some(slot) = index.slot(id) {
            lock(slot).leave();
        }
    }

    /// Spends of what a cluster may cost in a minute; `false` if nothing is left.
    pub(crate) fn spend(&self, id: &ClusterId, cost: u8, now_ms: i64) -> bool {
        let index = self.read();
        index.slot(id).is_some_and(|slot| lock(slot).spend(cost, now_ms))
    }

    /// Makes every cluster's next poll news: what all are told has changed.
    pub(crate) fn forget_etags(&self) {
        self.read().slots.iter().for_each(|slot| lock(slot).forget_etag());
    }

    /// When a cluster was last seen here.
    pub(crate) fn last_seen(&self, id: &ClusterId) -> Option<i64> {
        let index = self.read();
        let seen = lock(index.slot(id)?).last_seen();
        (seen > 0).then_some(seen)
    }

    /// Those whose last poll should be written down: it is `coarse` milliseconds newer than what was written.
    pub(crate) fn seen(&self, coarse: i64) -> Vec<(ClusterId, i64)> {
        self.read().slots.iter().filter_map(|slot| lock(slot).take_seen(coarse)).collect()
    }

    /// How many clusters are in each state.
    pub(crate) fn count(&self, state: ClusterState) -> usize {
        self.read().slots.iter().filter(|slot| lock(slot).counts_as(state)).count()
    }

    /// How many active clusters were seen once, and not since.
    pub(crate) fn lost(&self, since_ms: i64) -> usize {
        self.read().slots.iter().filter(|slot| lock(slot).is_lost(since_ms)).count()
    }

    /// Bytes that this holds on the heap, counted from what its parts have reserved.
    pub(crate) fn heap_bytes(&self) -> usize {
        let index = self.read();
        // A hash map of this kind has one byte of its own beside each entry, and is at most 7/8 full.
        let map = |capacity: usize, entry: usize| capacity * 8 / 7 * (entry + 1);
        map(index.by_token.capacity(), 20)
            + map(index.by_id.capacity(), 20)
            + map(index.next.capacity(), size_of::<(u32, Digest)>())
            + index.slots.capacity() * size_of::<Mutex<Slot>>()
            + index.free.capacity() * size_of::<u32>()
            + index.named.heap_bytes()
            + index.extras.heap_bytes()
    }

    /// Brings a row of the database here.
    pub(crate) fn put(&self, row: &SlotRow) {
        let mut index = self.write();
        let at = index.place_of(&row.id);
        let set = row.set.map_or(intern::NONE, |set| index.named.add((set.digest, set.length)));
        let values =
            row.values.map_or(intern::NONE, |values| index.named.add((values.digest, values.length)));
        let extras = if row.extras.is_empty() { intern::NONE } else { index.extras.add(row.extras.clone()) };
        let refs = slot::Refs { set, values, extras };
        let (old_token, old_refs) = lock(&index.slots[at as usize]).take(row, refs);
        index.forget(at, old_token, old_refs);
        index.by_token.insert(half(row.credential), at);
        if let Some(next) = row.next_credential {
            index.by_token.insert(half(next), at);
            index.next.insert(at, next);
        }
    }

    /// Forgets a cluster.
    pub(crate) fn remove(&self, id: &ClusterId) {
        let mut index = self.write();
        let Some(at) = index.by_id.remove(&bytes_of(id)) else { return };
        let old = std::mem::take(&mut *lock(&index.slots[at as usize]));
        index.forget(at, old.token(), old.refs());
        index.free.push(at);
    }

    fn read(&self) -> RwLockReadGuard<'_, Index> {
        self.index.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Index> {
        self.index.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Index {
    fn new(terms: Terms) -> Self {
        Self {
            terms: Arc::new(terms),
            is_withheld: false,
            by_token: HashMap::default(),
            by_id: HashMap::default(),
            slots: Vec::new(),
            free: Vec::new(),
            next: HashMap::new(),
            named: Interned::default(),
            extras: Interned::default(),
        }
    }

    fn find(&self, credential: Digest) -> Option<(u32, MutexGuard<'_, Slot>)> {
        let at = *self.by_token.get(&half(credential))?;
        Some((at, lock(self.slots.get(at as usize)?)))
    }

    fn slot(&self, id: &ClusterId) -> Option<&Mutex<Slot>> {
        self.slots.get(*self.by_id.get(&bytes_of(id))? as usize)
    }

    fn view(&self, at: u32, slot: &Slot, period: u32, issued_ms: i64) -> Polled {
        let refs = slot.refs();
        let named = |number| self.named.get(number).map(|&(digest, length)| Named { digest, length });
        let Some(set) = named(refs.set) else { return Polled::Unassigned };
        Polled::News(Box::new(View {
            slot: at,
            period,
            id: slot.id(),
            seq: slot.seq(),
            issued_ms,
            set,
            values: named(refs.values),
            extras: self.extras.get(refs.extras).cloned().unwrap_or_default(),
            terms: Arc::clone(&self.terms),
        }))
    }

    /// A cluster's place, made where there is none.
    fn place_of(&mut self, id: &ClusterId) -> u32 {
        let key = bytes_of(id);
        if let Some(at) = self.by_id.get(&key) {
            return *at;
        }
        let at = self.free.pop().unwrap_or_else(|| {
            if self.slots.len() == self.slots.capacity() {
                // Not doubled: at 100,000 clusters that would be a third of all that they cost.
                self.slots.reserve_exact(self.slots.len() / 8 + 64);
            }
            self.slots.push(Mutex::default());
            u32::try_from(self.slots.len() - 1).unwrap_or(u32::MAX)
        });
        self.by_id.insert(key, at);
        at
    }

    fn forget(&mut self, at: u32, token: Digest, refs: slot::Refs) {
        let old_next = self.next.remove(&at);
        for token in [Some(token), old_next].into_iter().flatten() {
            if self.by_token.get(&half(token)) == Some(&at) {
                self.by_token.remove(&half(token));
            }
        }
        self.named.drop_one(refs.set);
        self.named.drop_one(refs.values);
        self.extras.drop_one(refs.extras);
    }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    // Each change under one is a few stores of plain numbers: what a panicking thread left is whole.
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

fn half(digest: Digest) -> [u8; 16] {
    let mut half = [0; 16];
    half.copy_from_slice(&digest.as_bytes()[..16]);
    half
}

/// A cluster id's 128 bits.
fn bytes_of(id: &ClusterId) -> [u8; 16] {
    let hex = id.as_str().strip_prefix("cl-").unwrap_or_default();
    u128::from_str_radix(hex, 16).unwrap_or_default().to_be_bytes()
}

/// Keys are random or hashes already: eight of their bytes are as good a hash as any.
type Plain = BuildHasherDefault<FirstBytes>;

#[derive(Debug, Default)]
struct FirstBytes(u64);

impl Hasher for FirstBytes {
    fn write(&mut self, bytes: &[u8]) {
        let mut first = [0; 8];
        for (to, from) in first.iter_mut().zip(bytes) {
            *to = *from;
        }
        self.0 ^= u64::from_le_bytes(first);
    }

    // The length of an array comes before its bytes and says nothing.
    fn write_usize(&mut self, _length: usize) {}

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests;
