//! One writer at a time, for servers that cannot keep two apart: a lock object that says whose it is.
//!
//! The holder renews it while it writes. Who finds another's lock waits until it has stood still for [`LEASE`], by its
//! own clock: no two clocks are compared. Why two never hold it:
//!
//! - Who takes it has written it within [`SETTLE`] of having seen it free, waits for [`SETTLE`] after that, and then
//!   finds its own there. Whoever else saw it free has written by then, or was too late and gives up.
//! - Who renews it ends within [`LEASE`] of its last renewal, before which nobody takes it over.
//! - Who writes beside it ends within the same time ([`Turn::still`]).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use cdn::key::Room;
use cdn::{Digest, Key};
use serde::{Deserialize, Serialize};
use tokio::sync::{Mutex, MutexGuard};
use tokio::time::{Instant, sleep};

use super::wire::{Bucket, Condition, Sent};
use crate::Cause;

/// A lock that has stood still for so long has no holder.
const LEASE: Duration = Duration::from_mins(5);
/// The holder renews when so much has passed, well before anybody may take over.
const RENEW: Duration = Duration::from_mins(1);
/// Between writing a lock and reading it back: two who write at once both see the last one's.
const SETTLE: Duration = Duration::from_secs(2);
const MAX_BYTES: u64 = 4 * 1024;

/// The locks of one process, one for each room: the publisher moves heads, the api moves desired documents.
#[derive(Debug)]
pub(super) struct Sole {
    bucket: Arc<Bucket>,
    /// Names this process's locks, at random.
    id: String,
    rooms: Mutex<BTreeMap<Room, State>>,
}

/// What the lock object says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Lock {
    says: String,
    holder: String,
    id: String,
    renewals: u64,
}

#[derive(Debug, Default)]
struct State {
    /// Ours.
    held: Option<Held>,
    /// Another's, first seen in this form then.
    seen: Option<(Lock, Instant)>,
}

/// A lock of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Held {
    /// When it was written last, or a little before: nobody takes it over within [`LEASE`] of that.
    since: Instant,
    renewals: u64,
}

/// This process's turn to write in a room.
pub(super) struct Turn<'s> {
    _rooms: MutexGuard<'s, BTreeMap<Room, State>>,
    held: Held,
}

impl Turn<'_> {
    /// Whether a write that takes so long at most still ends while the lock is surely ours; else nothing is written.
    pub(super) fn still(&self, write: Duration) -> Result<(), Cause> {
        if self.held.since.elapsed() + write < LEASE { Ok(()) } else { Err(too_slow()) }
    }
}

impl Sole {
    pub(super) fn new(bucket: Arc<Bucket>) -> Self {
        let id = Digest::from_bytes(cdn::secret::random()).short();
        Self { bucket, id, rooms: Mutex::default() }
    }

    /// This process's turn to write in a key's room: others of this process wait, another process's lock is an error.
    pub(super) async fn turn(&self, key: &Key) -> Result<Turn<'_>, Cause> {
        let mut rooms = self.rooms.lock().await;
        let room = Room::of(key);
        let state = rooms.entry(room).or_default();
        let held = match state.held {
            Some(held) if held.since.elapsed() <= RENEW => held,
            Some(_) | None => self.hold(room, state).await?,
        };
        Ok(Turn { _rooms: rooms, held })
    }

    /// Gives up all locks, as far as the server can be reached.
    pub(super) async fn release(&self) {
        let mut rooms = self.rooms.lock().await;
        for (room, state) in std::mem::take(&mut *rooms) {
            if state.held.is_none() {
                continue;
            }
            if let Err(cause) = self.give_up(room).await {
                let (store, room) = (&self.bucket.shown, room.name());
                tracing::warn!(store, room, %cause, "the writer's lock stays for five minutes");
            }
        }
    }

    /// Removes a lock that is still ours.
    async fn give_up(&self, room: Room) -> Result<(), Cause> {
        match self.read(room).await? {
            Some(lock) if lock.id == self.id => self.bucket.remove(&place(room)).await,
            Some(_) | None => Ok(()),
        }
    }

    async fn hold(&self, room: Room, state: &mut State) -> Result<Held, Cause> {
        let begun = Instant::now();
        let there = self.read(room).await?;
        let held = match decide(&self.id, there, state, begun) {
            Verdict::Renew(last) => self.renew(room, last, begun).await,
            Verdict::Take => self.take(room, begun).await,
            Verdict::Wait(lock) if lock.id == self.id => Err(Cause::Busy(format!(
                "this process's own lock object {} was written too late to count",
                place(room)
            ))),
            Verdict::Wait(lock) => Err(refused(&self.bucket, room, &lock)),
        }?;
        *state = State { held: Some(held), seen: None };
        Ok(held)
    }

    async fn renew(&self, room: Room, last: Held, begun: Instant) -> Result<Held, Cause> {
        let renewals = last.renewals + 1;
        self.write(room, renewals).await?;
        if last.since.elapsed() < LEASE { Ok(Held { since: begun, renewals }) } else { Err(too_slow()) }
    }

    async fn take(&self, room: Room, begun: Instant) -> Result<Held, Cause> {
        self.write(room, 0).await?;
        if begun.elapsed() > SETTLE {
            return Err(too_slow());
        }
        sleep(SETTLE).await;
        match self.read(room).await? {
            Some(lock) if lock.id == self.id => Ok(Held { since: begun, renewals: 0 }),
            Some(lock) => Err(refused(&self.bucket, room, &lock)),
            None => Err(Cause::Busy("the writer's lock vanished while it was taken".to_owned())),
        }
    }

    async fn read(&self, room: Room) -> Result<Option<Lock>, Cause> {
        let Some(found) = self.bucket.get(&place(room), MAX_BYTES).await? else { return Ok(None) };
        let unreadable = |error| {
            Cause::Locked(format!("the lock object {} cannot be read ({error}); remove it", place(room)))
        };
        serde_json::from_slice(&found.bytes).map(Some).map_err(unreadable)
    }

    async fn write(&self, room: Room, renewals: u64) -> Result<(), Cause> {
        let lock = Lock {
            says: "This server ignores conditional PUT, so one process at a time may write here.".to_owned(),
            holder: holder(),
            id: self.id.clone(),
            renewals,
        };
        let bytes = serde_json::to_vec_pretty(&lock).map_err(|error| Cause::Refused(error.to_string()))?;
        match self.bucket.put(&place(room), None, Bytes::from(bytes), &Condition::None).await? {
            Sent::Stored(_) => Ok(()),
            Sent::NotMet | Sent::Collided => Err(Cause::Refused("a plain PUT was refused".to_owned())),
        }
    }
}

enum Verdict {
    Renew(Held),
    Take,
    Wait(Lock),
}

/// What to do about the lock that is there. A lock of ours that is not held is one whose writing came too late: another
/// may hold it, so it is waited for like another's.
fn decide(id: &str, there: Option<Lock>, state: &mut State, now: Instant) -> Verdict {
    match (there, state.held.take()) {
        (None, _) => Verdict::Take,
        (Some(lock), Some(held)) if lock.id == id => {
            if now.duration_since(held.since) >= LEASE {
                return Verdict::Take;
            }
            state.held = Some(held);
            Verdict::Renew(held)
        }
        // Whatever we held is lost: somebody took it after we had stood still.
        (Some(lock), _) => {
            let since = match state.seen.take() {
                Some((before, since)) if before == lock => since,
                _ => now,
            };
            state.seen = Some((lock.clone(), since));
            if now.duration_since(since) >= LEASE { Verdict::Take } else { Verdict::Wait(lock) }
        }
    }
}

fn refused(bucket: &Bucket, room: Room, lock: &Lock) -> Cause {
    let (store, holder, place) = (&bucket.shown, &lock.holder, place(room));
    Cause::Locked(format!(
        "{store} has no conditional PUT and is written by {holder}; stop that writer, or, if it is gone, wait five \
         minutes or remove the object {place}"
    ))
}

fn too_slow() -> Cause {
    Cause::Busy("it answers too slowly to hold the writer's lock, so nothing was written".to_owned())
}

fn place(room: Room) -> String {
    format!(".windlass/writer-{}", room.name())
}

fn holder() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    format!("process {} on {}", std::process::id(), host.trim())
}

#[cfg(test)]
mod tests;
