//! The database: SQLite in one file, or PostgreSQL; one set of queries for both, one file a noun.
//!
//! What both understand is used, and nothing else: text and bigint, numbered parameters, `on conflict`, `returning`,
//! and `values` lists for batches. A route begins one [`Write`], which is its transaction; a read takes a connection.

pub(crate) mod approvals;
pub(crate) mod audit;
pub(crate) mod clusters;
mod columns;
pub(crate) mod documents;
mod filter;
pub(crate) mod fleet;
pub(crate) mod holds;
pub(crate) mod idempotency;
pub(crate) mod join_tokens;
mod place;
pub(crate) mod publishers;
pub(crate) mod releases;
pub(crate) mod removals;
pub(crate) mod reports;
pub(crate) mod services;
pub(crate) mod sources;

use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, bail};
use cdn::Secret;
use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::pool::PoolConnection;
use sqlx::{Any, AnyConnection, AnyPool, Connection, Transaction};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::clock::Clock;
pub(crate) use columns::{int, json, maybe, nat, of_word, rows, text, to_json, word};
use place::address;
pub(crate) use place::{lock, shown};

pub(crate) type Conn = AnyConnection;
pub(crate) type Result<T> = std::result::Result<T, sqlx::Error>;

/// How long a request waits for a connection, or for its turn to write.
const WAIT: Duration = Duration::from_secs(10);
const UNOPENED: &str =
    "the database cannot be opened; check the path or address, and that this user may write there";
const DAMAGED: &str = "the database file is damaged; put the last backup in its place. Agents keep what they run, and \
                       `windlass recover` shows where it is behind";
/// Rows in one statement of a batch: 1,000 rows of ten columns stay below SQLite's 32,766 parameters.
pub(crate) const BATCH: usize = 1_000;

/// The database.
#[derive(Clone, Debug)]
pub(crate) struct Db {
    pool: AnyPool,
    engine: Engine,
    clock: Clock,
    /// One write at a time in this process: SQLite has one writer, and waiting here is fair where its own is not.
    turn: Arc<Semaphore>,
    /// The last write found no room.
    full: Arc<AtomicBool>,
}

/// Which database it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Engine {
    Sqlite,
    Postgres,
}

impl Db {
    /// Opens the database, which is made where it is a missing file, and brings its tables up to date.
    pub(crate) async fn open(url: &Secret, connections: u32, clock: Clock) -> anyhow::Result<Self> {
        sqlx::any::install_default_drivers();
        let (engine, url) = address(url)?;
        let options: AnyConnectOptions = url
            .expose()
            .parse()
            .context("the database's address cannot be read; write a path or postgres://")?;
        if engine == Engine::Sqlite {
            check(&options).await?;
        }
        let pool = AnyPoolOptions::new()
            .max_connections(connections)
            .acquire_timeout(WAIT)
            .after_connect(move |conn, _| Box::pin(prepare(conn, engine)))
            .after_release(move |conn, _| Box::pin(is_clean(conn, engine)))
            .connect_with(options)
            .await
            .context(UNOPENED)?;
        // What a newer api has added stays unused: migrations only expand, so that the api before it still runs while
        // replicas are replaced, and again where the newer one had to go (FAULTS I8).
        sqlx::migrate!("./migrations")
            .set_ignore_missing(true)
            .run(&pool)
            .await
            .context("the database's tables cannot be brought up to date")?;
        Ok(Self { pool, engine, clock, turn: Arc::new(Semaphore::new(1)), full: Arc::default() })
    }

    /// A connection to read with.
    pub(crate) async fn read(&self) -> Result<PoolConnection<Any>> {
        let since = std::time::Instant::now();
        let conn = self.pool.acquire().await;
        metrics::histogram!("windlass_db_wait_seconds").record(since.elapsed());
        conn
    }

    /// A transaction to read with, which sees the database as it is at its first query.
    pub(crate) async fn read_whole(&self) -> Result<Transaction<'static, Any>> {
        let mut tx = self.pool.begin().await?;
        if self.engine == Engine::Postgres {
            sqlx::query("set transaction isolation level repeatable read").execute(&mut *tx).await?;
        }
        Ok(tx)
    }

    /// A transaction to write with. It holds the fleet's row from its first statement on, so that of two transactions,
    /// also of two replicas, one sees all of the other.
    pub(crate) async fn write(&self) -> Result<Write> {
        let since = std::time::Instant::now();
        let turn = tokio::time::timeout(WAIT, Arc::clone(&self.turn).acquire_owned()).await;
        let turn = turn.map_err(|_| sqlx::Error::PoolTimedOut)?.map_err(|_| sqlx::Error::PoolClosed)?;
        let mut tx = self.pool.begin().await?;
        // Read once the turn has come: sequences are taken from it, and they grow with the change log.
        let advanced = fleet::advance(&mut tx, self.clock.now_ms()).await;
        let (change, seq) = advanced.inspect_err(|error| self.note(error))?;
        metrics::histogram!("windlass_db_wait_seconds").record(since.elapsed());
        let full = Arc::clone(&self.full);
        Ok(Write { tx, change, seq, engine: self.engine, full, _turn: turn })
    }

    /// Notes what a write failed by. Whoever ends a write that failed between its begin and its commit says so here.
    pub(crate) fn note(&self, error: &sqlx::Error) {
        if is_full(error) {
            self.note_full();
        }
    }

    /// Notes that a write found no room.
    pub(crate) fn note_full(&self) {
        self.full.store(true, Ordering::Relaxed);
    }

    /// Whether the last write found no room.
    pub(crate) fn is_full(&self) -> bool {
        self.full.load(Ordering::Relaxed)
    }

    pub(crate) fn engine(&self) -> Engine {
        self.engine
    }

    pub(crate) async fn close(&self) {
        self.pool.close().await;
    }
}

/// A transaction. Dropped without [`Write::commit`] it has not been.
#[derive(Debug)]
pub(crate) struct Write {
    tx: Transaction<'static, Any>,
    change: i64,
    seq: u64,
    engine: Engine,
    full: Arc<AtomicBool>,
    _turn: OwnedSemaphorePermit,
}

impl Write {
    /// The number of this change in the change log.
    pub(crate) fn change(&self) -> i64 {
        self.change
    }

    /// The sequence of what is assigned in it, where the cluster's own is below: its time in unix milliseconds, above
    /// that of every write before.
    pub(crate) fn seq(&self) -> u64 {
        self.seq
    }

    pub(crate) fn engine(&self) -> Engine {
        self.engine
    }

    /// Makes it durable, and tells other replicas.
    pub(crate) async fn commit(mut self) -> Result<()> {
        if self.engine == Engine::Postgres {
            sqlx::query("notify windlass_change").execute(&mut *self.tx).await?;
        }
        let committed = self.tx.commit().await;
        match &committed {
            Ok(()) => self.full.store(false, Ordering::Relaxed),
            Err(error) if is_full(error) => self.full.store(true, Ordering::Relaxed),
            Err(_) => {}
        }
        committed
    }
}

impl Deref for Write {
    type Target = Conn;

    fn deref(&self) -> &Conn {
        &self.tx
    }
}

impl DerefMut for Write {
    fn deref_mut(&mut self) -> &mut Conn {
        &mut self.tx
    }
}

/// Whether there was no room for what was to be written: `SQLITE_FULL`, or PostgreSQL's `disk_full`.
pub(crate) fn is_full(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    matches!(code.as_deref(), Some("13" | "53100"))
}

/// A damaged file is not worked with: it would only become worse. Looked at by one connection, before the pool, which
/// would try again and again.
async fn check(options: &AnyConnectOptions) -> anyhow::Result<()> {
    let mut conn = AnyConnection::connect_with(options).await.context(UNOPENED)?;
    let found: Result<(String,)> = sqlx::query_as("pragma quick_check(1)").fetch_one(&mut conn).await;
    let found = found.context(DAMAGED)?.0;
    if found != "ok" {
        bail!("{DAMAGED}: {found}");
    }
    conn.close().await.context(UNOPENED)
}

/// How each connection is to be. What is acknowledged must survive a power cut (law L11), so WAL flushes at each commit:
/// said, and not left to how SQLite was built, since acknowledged rows were lost with NORMAL when tried. Beside it bounds
/// on waiting, so that one query or one writer holds up no other for ever.
async fn prepare(conn: &mut Conn, engine: Engine) -> Result<()> {
    match engine {
        Engine::Sqlite => {
            for pragma in [
                "pragma journal_mode = wal",
                "pragma synchronous = full",
                "pragma busy_timeout = 10000",
                "pragma foreign_keys = on",
            ] {
                sqlx::query(pragma).execute(&mut *conn).await?;
            }
        }
        Engine::Postgres => {
            for setting in
                ["set statement_timeout = '30s'", "set idle_in_transaction_session_timeout = '60s'"]
            {
                sqlx::query(setting).execute(&mut *conn).await?;
            }
        }
    }
    Ok(())
}

/// Whether a connection that is given back may be used again. What fails by a full disk SQLite rolls back by itself, and
/// the driver goes on as if it were inside: its next rollback would keep the lock that all writers need, and what is
/// committed after that would be acknowledged and never written (law L11).
async fn is_clean(conn: &mut Conn, engine: Engine) -> Result<bool> {
    if engine == Engine::Postgres {
        return Ok(true);
    }
    // Behind a rollback that is still to come.
    conn.ping().await?;
    Ok(!conn.is_in_transaction())
}

#[cfg(test)]
mod tests;
