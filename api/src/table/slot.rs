//! One cluster in memory: numbers only.

use cdn::document::Named;
use cdn::{ClusterId, Digest};

use std::sync::Arc;

use super::intern::NONE;
use super::{Gaps, Known};
use crate::db::clusters::slots::{Restart, SlotRow};
use crate::nouns::clusters::ClusterState;
use crate::nouns::terms::Terms;

/// Which of the shared values a cluster has.
#[derive(Clone, Copy, Debug)]
pub(super) struct Refs {
    pub(super) set: u32,
    pub(super) values: u32,
    pub(super) extras: u32,
}

/// Requests of one cluster at once, polls aside: an agent has one report under way.
const BUSY: u8 = 8;
/// What a cluster may spend in a minute: an agent reports at most once a second.
const ALLOWANCE: u8 = 120;

#[derive(Debug)]
pub(super) struct Slot {
    id: [u8; 16],
    token: [u8; 32],
    /// The digest of the payload that it would be told, if it was made for `period`.
    etag: [u8; 32],
    seq: u64,
    /// Unix milliseconds of the assignment's change.
    changed: i64,
    /// Which half lifetime since the change `etag` is for; `NONE` for none.
    period: u32,
    refs: Refs,
    /// Unix seconds.
    seen: u32,
    seen_written: u32,
    reported: u64,
    /// The sequence that the agent was seen to hold and that this database never issued; 0 for none.
    ahead: u64,
    /// Up to which a person has looked at such sequences.
    ahead_accepted: u64,
    /// The nonces of the agent's last two starts, here or at another replica, and how often the earlier one came back.
    start: u32,
    start_before: u32,
    returns: u8,
    /// Requests that are being answered, polls aside.
    busy: u8,
    /// What it has spent of its allowance in this minute since 1970.
    spent: u8,
    minute: u32,
    /// The nonce that the database had when the row was read, and the one that was last given to be written.
    start_read: u32,
    start_given: u32,
    /// It is in the table's list of restarts.
    is_queued: bool,
    state: State,
    is_duplicate: bool,
    /// The database knows it too.
    duplicate_written: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Free,
    Pending,
    Active,
    Revoked,
}

impl Default for Slot {
    fn default() -> Self {
        Self {
            id: [0; 16],
            token: [0; 32],
            etag: [0; 32],
            seq: 0,
            changed: 0,
            period: NONE,
            refs: Refs { set: NONE, values: NONE, extras: NONE },
            seen: 0,
            seen_written: 0,
            reported: 0,
            ahead: 0,
            ahead_accepted: 0,
            start: 0,
            start_before: 0,
            returns: 0,
            busy: 0,
            spent: 0,
            minute: 0,
            start_read: 0,
            start_given: 0,
            is_queued: false,
            state: State::Free,
            is_duplicate: false,
            duplicate_written: false,
        }
    }
}

/// What a poll says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ask {
    pub(crate) now_ms: i64,
    /// The nonce of the agent's start; 0 if it sends none.
    pub(crate) start: u64,
    /// The sequence that the agent holds; 0 for none.
    pub(crate) held_seq: u64,
    /// The payload that the agent holds.
    pub(crate) etag: Option<Digest>,
}

/// What memory has for a poll.
#[derive(Debug)]
pub(crate) enum Polled {
    /// No such credential here.
    Unknown,
    /// The next credential, used for the first time.
    Next,
    /// A person has to approve the cluster first.
    Pending,
    /// The cluster was revoked.
    Revoked,
    /// Two agents use this identity; true while the database does not know it.
    Duplicate(ClusterId, bool),
    /// The agent holds an assignment that this database never made; true while the database does not know it.
    Ahead(ClusterId, bool),
    /// It has no assignment yet.
    Unassigned,
    /// There is news, and what every cluster is told beside it is being changed.
    Withheld,
    /// What it holds, by the digest of its payload, is what it should hold.
    NotModified(Digest),
    /// Something else.
    News(Box<View>),
}

/// All that a desired document says of one cluster.
#[derive(Clone, Debug)]
pub(crate) struct View {
    pub(super) slot: u32,
    pub(super) period: u32,
    pub(crate) id: ClusterId,
    pub(crate) seq: u64,
    pub(crate) issued_ms: i64,
    pub(crate) set: Named,
    pub(crate) values: Option<Named>,
    pub(crate) extras: String,
    pub(crate) terms: Arc<Terms>,
}

pub(super) enum Outcome {
    Is(Polled),
    News { period: u32, issued_ms: i64 },
}

impl Slot {
    pub(super) fn poll(&mut self, ask: &Ask, half_ms: i64, gaps: &Gaps) -> Outcome {
        if self.state == State::Revoked || self.state == State::Free {
            return Outcome::Is(Polled::Revoked);
        }
        self.seen = u32::try_from(ask.now_ms / 1_000).unwrap_or(u32::MAX);
        if self.state == State::Pending {
            return Outcome::Is(Polled::Pending);
        }
        self.is_duplicate |= self.alternates(short(ask.start));
        if self.is_duplicate {
            return Outcome::Is(Polled::Duplicate(self.id(), !self.duplicate_written));
        }
        let is_ahead = self.is_behind(ask.held_seq, gaps);
        if is_ahead || self.ahead > 0 {
            return Outcome::Is(Polled::Ahead(self.id(), is_ahead && ask.held_seq > self.ahead));
        }
        if self.seq == 0 || self.refs.set == NONE {
            return Outcome::Is(Polled::Unassigned);
        }
        let period = ask.now_ms.saturating_sub(self.changed).max(0) / half_ms.max(1);
        let number = u32::try_from(period).unwrap_or(NONE - 1);
        let held = ask.etag.filter(|etag| number == self.period && *etag.as_bytes() == self.etag);
        if let Some(held) = held {
            return Outcome::Is(Polled::NotModified(held));
        }
        let issued_ms = self.changed.saturating_add(period.saturating_mul(half_ms));
        Outcome::News { period: number, issued_ms }
    }

    /// Whether this database is behind an agent that holds this: the sequence is above its own, or of a time in which it
    /// issued none, so that a database before it did. A change of the assignment leaps over what such an agent holds.
    fn is_behind(&self, held_seq: u64, gaps: &Gaps) -> bool {
        held_seq > self.seq || (held_seq > self.ahead_accepted && held_seq != self.seq && gaps.have(held_seq))
    }

    /// Whether two starts speak in turn: a start that was left comes back twice. One agent that is started anew leaves
    /// its old nonce for ever.
    fn alternates(&mut self, start: u32) -> bool {
        if start == 0 || start == self.start {
            return false;
        }
        let returns = self.returns.saturating_add(1);
        self.turn_to(start, returns);
        self.returns >= 2
    }

    /// A start that spoke to another replica. What that one has written may be late, so that a start which was left seems
    /// to come back; what comes back here counts.
    fn hears_of(&mut self, start: u32) {
        let is_our_own = start == self.start_given || start == self.start_read;
        if !is_our_own && start != self.start {
            self.turn_to(start, self.returns);
        }
    }

    fn turn_to(&mut self, start: u32, returns: u8) {
        self.returns = if start == self.start_before { returns } else { 0 };
        self.start_before = self.start;
        self.start = start;
    }

    /// Whether the agent has spoken with a nonce that the database may not know, and that is not in the list yet.
    pub(super) fn is_to_be_queued(&mut self) -> bool {
        let is_new = self.state == State::Active && self.start != self.start_read && !self.is_queued;
        self.is_queued |= is_new;
        is_new
    }

    /// What the database does not know; none takes it from the list.
    pub(super) fn restart(&mut self) -> Option<Restart> {
        self.is_queued = self.state == State::Active && self.start != self.start_read;
        if !self.is_queued {
            return None;
        }
        self.start_given = self.start;
        Some(Restart { id: self.id(), known: self.start_read, now: self.start })
    }

    pub(super) fn set_etag(&mut self, view: &View, etag: Digest) {
        // The slot may have changed, or be another cluster's, since the view was taken.
        if self.seq != view.seq || self.id() != view.id {
            return;
        }
        self.etag = *etag.as_bytes();
        self.period = view.period;
    }

    /// Takes the row of the database, and gives back what it replaces.
    pub(super) fn take(&mut self, row: &SlotRow, refs: Refs) -> (Digest, Refs) {
        let old = (self.token(), self.refs);
        self.id = super::bytes_of(&row.id);
        self.token = *row.credential.as_bytes();
        self.seq = row.seq;
        self.changed = row.changed_at;
        self.period = NONE;
        self.refs = refs;
        self.reported = self.reported.max(row.reported_number);
        let seen = row.last_seen.and_then(|at| u32::try_from(at / 1_000).ok()).unwrap_or(0);
        self.seen = self.seen.max(seen);
        self.seen_written = self.seen_written.max(seen);
        self.ahead = row.agent_ahead.unwrap_or(0);
        self.ahead_accepted = row.ahead_accepted.unwrap_or(0);
        if self.duplicate_written && !row.duplicate {
            // A person has chosen.
            (self.start, self.start_before, self.returns) = (0, 0, 0);
            self.is_duplicate = false;
        } else {
            self.is_duplicate |= row.duplicate;
            self.hears_of(row.agent_start);
        }
        self.start_read = row.agent_start;
        self.duplicate_written = row.duplicate;
        self.state = match row.state {
            ClusterState::Pending => State::Pending,
            ClusterState::Active => State::Active,
            ClusterState::Revoked => State::Revoked,
        };
        old
    }

    pub(super) fn known(&self, is_next: bool) -> Known {
        let state = match self.state {
            State::Pending => ClusterState::Pending,
            State::Active => ClusterState::Active,
            State::Revoked | State::Free => ClusterState::Revoked,
        };
        Known { id: self.id(), state, duplicate: self.is_duplicate, reported: self.reported, is_next }
    }

    pub(super) fn counts_as(&self, state: ClusterState) -> bool {
        self.state != State::Free && self.known(false).state == state
    }

    pub(super) fn is_lost(&self, since_ms: i64) -> bool {
        self.seen > 0 && self.last_seen() < since_ms && self.counts_as(ClusterState::Active)
    }

    /// Counts a request that is being answered; `false` if there are too many.
    pub(super) fn enter(&mut self) -> bool {
        let has_room = self.busy < BUSY;
        self.busy += u8::from(has_room);
        has_room
    }

    pub(super) fn leave(&mut self) {
        // Another cluster may have taken the slot meanwhile.
        self.busy = self.busy.saturating_sub(1);
    }

    /// Spends of the allowance; `false` if nothing is left.
    pub(super) fn spend(&mut self, cost: u8, now_ms: i64) -> bool {
        let minute = u32::try_from(now_ms / 60_000).unwrap_or(u32::MAX);
        if self.minute != minute {
            (self.minute, self.spent) = (minute, 0);
        }
        let spent = self.spent.saturating_add(cost);
        let has_left = spent <= ALLOWANCE;
        self.spent = if has_left { spent } else { self.spent };
        has_left
    }

    /// Forgets the `ETag`, so that the next poll is news.
    pub(super) fn forget_etag(&mut self) {
        self.period = NONE;
    }

    pub(super) fn reported(&mut self, number: u64) {
        self.reported = self.reported.max(number);
    }

    pub(super) fn last_seen(&self) -> i64 {
        i64::from(self.seen) * 1_000
    }

    pub(super) fn take_seen(&mut self, coarse_ms: i64) -> Option<(ClusterId, i64)> {
        let news = i64::from(self.seen.saturating_sub(self.seen_written)) * 1_000;
        if self.state == State::Free || news == 0 || news < coarse_ms {
            return None;
        }
        self.seen_written = self.seen;
        Some((self.id(), self.last_seen()))
    }

    /// In constant time: the comparison looks at all bytes.
    pub(super) fn has_token(&self, credential: Digest) -> bool {
        let differing = self.token.iter().zip(credential.as_bytes()).fold(0, |sum, (a, b)| sum | (a ^ b));
        self.state != State::Free && differing == 0
    }

    pub(super) fn id(&self) -> ClusterId {
        format!("cl-{:032x}", u128::from_be_bytes(self.id)).parse().expect("16 bytes make a cluster id")
    }

    pub(super) fn seq(&self) -> u64 {
        self.seq
    }

    pub(super) fn refs(&self) -> Refs {
        self.refs
    }

    pub(super) fn token(&self) -> Digest {
        Digest::from_bytes(self.token)
    }
}

/// As much of a nonce as copies are told by; 0 for none.
fn short(start: u64) -> u32 {
    let [a, b, c, d, ..] = start.to_le_bytes();
    u32::from_le_bytes([a, b, c, d])
}
