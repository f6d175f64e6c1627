//! What every request and every loop of this process shares.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use cdn::Digest;
use program::observe::Part;
use serde_json::Value;
use store::Store;
use tokio::sync::{Mutex, Notify, Semaphore, watch};

use crate::clock::Clock;
use crate::db::audit::{Act, add};
use crate::db::{Db, Engine, Write};
use crate::desired::Signer;
use crate::error::Result;
use crate::limiter::Limiter;
use crate::meters::{self, Meters};
use crate::recent::Recent;
use crate::reports::Reports;
use crate::table::Table;

/// Shared state.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) db: Db,
    pub(crate) table: Table,
    pub(crate) store: Store,
    pub(crate) signer: Signer,
    pub(crate) clock: Clock,
    /// The hash of the bootstrap admin token.
    pub(crate) admin: Digest,
    /// Bounds wrong credentials.
    pub(crate) limiter: Limiter,
    /// Publishers' credentials that were good lately: strangers beside them cannot lock them out.
    pub(crate) publishers: Recent<Digest, ()>,
    pub(crate) meters: Meters,
    pub(crate) reports: Reports,
    pub(crate) passes: Passes,
    pub(crate) change_log: ChangeLog,
    /// Requests that are being answered, polls without news aside.
    pub(crate) requests: Arc<Semaphore>,
    pub(crate) max_requests: u32,
    /// Bytes of bodies that are still being sent.
    pub(crate) bodies: Semaphore,
    /// The roots, and that our own key is in them.
    pub(crate) root: Part,
    /// Seconds that agents are told to wait, if it is not what they do by themselves.
    pub(crate) poll_seconds: u64,
}

/// How much newer it must be when a cluster was seen than what was written of it, to be written down.
pub(crate) const SEEN_COARSE_MS: i64 = 600_000;
/// How far what was written can be behind a cluster that polls.
const SEEN_LAG_MS: i64 = SEEN_COARSE_MS + 60_000;
/// Polls that a cluster may miss before nothing is said of how it is now.
const MISSED_POLLS: i64 = 5;

impl App {
    /// A cluster that was last seen before this is lost: nobody knows how it is now. Polls that went to another replica
    /// are known here only as far as that one has written them down.
    pub(crate) fn lost_before_ms(&self) -> i64 {
        let elsewhere = match self.db.engine() {
            Engine::Sqlite => 0,
            Engine::Postgres => SEEN_LAG_MS,
        };
        let interval = i64::try_from(self.poll_seconds).unwrap_or(i64::MAX).saturating_mul(1_000);
        self.clock.now_ms() - interval.saturating_mul(MISSED_POLLS) - elsewhere
    }
}

/// Who waits for the next pass of assignment, see [`crate::pass`].
#[derive(Debug)]
pub(crate) struct Passes {
    pub(crate) asked: AtomicU64,
    /// Up to which asker a pass has been tried.
    pub(crate) tried: watch::Sender<u64>,
    pub(crate) wake: Notify,
    pub(crate) part: Part,
    /// Why the last one failed, if it did.
    failing: RwLock<Option<String>>,
}

/// How far memory has followed the change log, see [`crate::follow`].
#[derive(Debug)]
pub(crate) struct ChangeLog {
    pub(crate) change: AtomicI64,
    pub(crate) turn: Mutex<()>,
    /// The database could be read when that was last tried.
    readable: AtomicBool,
    part: Part,
}

impl Passes {
    pub(crate) fn new(part: Part) -> Self {
        let (asked, tried) = (AtomicU64::new(0), watch::Sender::new(0));
        Self { asked, tried, wake: Notify::new(), part, failing: RwLock::default() }
    }

    /// Shows what came of one; until one succeeds again, nobody can say that clusters run what is wanted (law L13).
    pub(crate) fn show(&self, ended: std::result::Result<(), String>) {
        match &ended {
            Ok(()) => self.part.ready(),
            Err(why) => self.part.degraded(why.clone()),
        }
        meters::assigned(ended.is_ok());
        *self.failing.write().unwrap_or_else(PoisonError::into_inner) = ended.err();
    }

    /// Why clusters keep assignments that are older than what is wanted, if they do.
    pub(crate) fn failing(&self) -> Option<String> {
        self.failing.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl ChangeLog {
    pub(crate) fn new(part: Part) -> Self {
        Self { change: AtomicI64::new(-1), turn: Mutex::new(()), readable: AtomicBool::new(false), part }
    }

    /// Whether it is worth asking the database.
    pub(crate) fn is_readable(&self) -> bool {
        self.readable.load(Ordering::Relaxed)
    }

    /// Shows how the database is. Without it the api stays ready: polls are answered from what was loaded at the start.
    pub(crate) fn show(&self, is_readable: bool, is_full: bool) {
        self.readable.store(is_readable, Ordering::Relaxed);
        match missing(is_readable, is_full) {
            Some(why) => self.part.degraded(why),
            None => self.part.ready(),
        }
    }
}

/// Writes an audit row.
pub(crate) async fn audited(
    tx: &mut Write,
    app: &App,
    who: &str,
    did: (&str, &str),
    detail: Value,
) -> Result<()> {
    let act = Act { who, verb: did.0, object: did.1, at: app.clock.now_ms() };
    Ok(add(tx, act, &detail).await?)
}

/// What of the database does not work.
fn missing(is_readable: bool, is_full: bool) -> Option<&'static str> {
    match (is_readable, is_full) {
        (false, _) => Some("the database cannot be read; polls are answered from memory"),
        (true, true) => {
            Some("the database's disk is full: reads and polls go on, writes are refused; free space there")
        }
        (true, false) => None,
    }
}
