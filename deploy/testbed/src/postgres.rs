//! A real PostgreSQL server.

use anyhow::{Result, bail};

/// A running PostgreSQL server.
#[derive(Debug)]
pub struct Postgres {}

impl Postgres {
    /// Starts one of the caller's own.
    pub async fn start() -> Result<Self> {
        bail!("not built yet")
    }
    /// The one that all tests of this process share; who stops it takes one of their own.
    pub async fn shared() -> Result<&'static Self> {
        bail!("not built yet")
    }
    /// `postgres://USER:PASSWORD@127.0.0.1:PORT/DATABASE`.
    pub fn url(&self, database: &str) -> String {
        database.to_owned()
    }
    /// A new empty database, named by the prefix and a number; returns its URL.
    pub async fn create_database(&self, prefix: &str) -> Result<String> {
        bail!("{prefix}")
    }
    /// Runs SQL in a database with `psql`; returns rows as lines, columns separated by `|`.
    pub async fn sql(&self, database: &str, sql: &str) -> Result<String> {
        bail!("{database} {sql}")
    }
    /// Ends it in order (clients are disconnected).
    pub async fn stop(&mut self) -> Result<()> {
        bail!("not built yet")
    }
    /// Ends it as a power cut would.
    pub async fn kill(&mut self) -> Result<()> {
        bail!("not built yet")
    }
    /// Starts it again, on the same port and data.
    pub async fn start_again(&mut self) -> Result<()> {
        bail!("not built yet")
    }
    /// Freezes it and all its sessions: connections stay open and nothing answers.
    pub fn pause(&self) -> Result<()> {
        bail!("not built yet")
    }
    /// Lets it go on.
    pub fn resume(&self) -> Result<()> {
        bail!("not built yet")
    }
}
