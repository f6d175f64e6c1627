//! One writer at a time, for servers that cannot keep two apart: a lock object that says whose it is.
//!
//! The holder renews it while it writes. Who finds another's lock waits until it has stood still for [`LEASE`], by its
//! own clock: no two clocks are compared.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use cdn::{Digest, Key};
use serde::{Deserialize, Serialize};
use tokio::sync::{Mutex, MutexGuard};
use tokio::time::{Instant, sleep};

use super::room;
use super::wire::{Bucket, Condition, Sent};
use crate::Cause;

/// A lock that has stood still for so long has no holder.
const LEASE: Duration = Duration::from_mins(5);
/// The holder renews when so much has passed, well before anybody may take over.
const RENEW: Duration = Duration::from_mins(1);
/// Between writing a lock and reading it back: two who write at once both see the last one's.
const SETTLE: Duration = Duration::from_secs(2);
const MAX_BYTES: u64 = 4 * 1024;

/// The locks of one process.
#[derive(Debug)]
pub(super) struct Sole {
    bucket: Arc<Bucket>,
    /// Names this process's locks, at random.
    id: String,
    rooms: Mutex<BTreeMap<&'static str, State>>,
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
    /// Ours, renewed then.
    held: Option<(Instant, u64)>,
    /// Another's, first seen in this form then.
    seen: Option<(Lock, Instant)>,
}

impl Sole {
    pub(super) fn new(bucket: Arc<Bucket>) -> Self {
        let id = Digest::from_bytes(cdn::secret::random()).short();
        Self { bucket, id, rooms: Mutex::default() }
    }

    /// This process's turn to write in a key's room: others of this process wait, another process's lock is an error.
    pub(super) async fn turn(&self, key: &Key) -> Result<MutexGuard<'_, impl Sized + use<>>, Cause> {
        let mut rooms = self.rooms.lock().await;
        let room = room(key);
        let state = rooms.entry(room).or_default();
        if state.held.is_none_or(|(renewed, _)| renewed.elapsed() > RENEW) {
            self.hold(room, state).await?;
        }
        Ok(rooms)
    }

    /// Gives up all locks, as far as the server can be reached.
    pub(super) async fn release(&self) {
        let mut rooms = self.rooms.lock().await;
        for (room, state) in std::mem::take(&mut *rooms) {
            if state.held.is_none() {
                continue;
            }
            if let Err(cause) = self.bucket.remove(&place(room)).await {
                tracing::warn!(store = self.bucket.shown, room, %cause, "the writer's lock stays for five minutes");
            }
        }
    }

    async fn hold(&self, room: &'static str, state: &mut State) -> Result<(), Cause> {
        let there = self.read(room).await?;
        let now = Instant::now();
        let verdict = decide(&self.id, there, state, now);
        match verdict {
            Verdict::Renew => {
                let renewals = state.held.map_or(0, |(_, count)| count + 1);
                self.write(room, renewals).await?;
                state.held = Some((now, renewals));
                Ok(())
            }
            Verdict::Take => {
                self.write(room, 0).await?;
                sleep(SETTLE).await;
                match self.read(room).await? {
                    Some(lock) if lock.id == self.id => {
                        *state = State { held: Some((Instant::now(), 0)), seen: None };
                        Ok(())
                    }
                    Some(lock) => Err(refused(&self.bucket, room, &lock)),
                    None => Err(Cause::Busy("the writer's lock vanished while it was taken".to_owned())),
                }
            }
            Verdict::Wait(lock) => Err(refused(&self.bucket, room, &lock)),
        }
    }

    async fn read(&self, room: &str) -> Result<Option<Lock>, Cause> {
        let Some(found) = self.bucket.get(&place(room), MAX_BYTES).await? else { return Ok(None) };
        let unreadable = |error| {
            Cause::Locked(format!("the lock object {} cannot be read ({error}); remove it", place(room)))
        };
        serde_json::from_slice(&found.bytes).map(Some).map_err(unreadable)
    }

    async fn write(&self, room: &str, renewals: u64) -> Result<(), Cause> {
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
    Renew,
    Take,
    Wait(Lock),
}

fn decide(id: &str, there: Option<Lock>, state: &mut State, now: Instant) -> Verdict {
    match there {
        None => Verdict::Take,
        Some(lock) if lock.id == id => Verdict::Renew,
        Some(lock) => {
            // Whatever we held is lost: somebody took it after we had stood still.
            state.held = None;
            let since = match state.seen.take() {
                Some((before, since)) if before == lock => since,
                _ => now,
            };
            state.seen = Some((lock.clone(), since));
            if now.duration_since(since) >= LEASE { Verdict::Take } else { Verdict::Wait(lock) }
        }
    }
}

fn refused(bucket: &Bucket, room: &str, lock: &Lock) -> Cause {
    let (store, holder, place) = (&bucket.shown, &lock.holder, place(room));
    Cause::Locked(format!(
        "{store} has no conditional PUT and is written by {holder}; stop that writer, or, if it is gone, wait five \
         minutes or remove the object {place}"
    ))
}

fn place(room: &str) -> String {
    format!(".windlass/writer-{room}")
}

fn holder() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    format!("process {} on {}", std::process::id(), host.trim())
}

#[cfg(test)]
mod tests;
