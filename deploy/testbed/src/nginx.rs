//! A real nginx, as a caching CDN edge or as a plain file server.

use std::path::Path;

use anyhow::{Result, bail};

/// A running nginx.
#[derive(Debug)]
pub struct Nginx {
    /// `http://127.0.0.1:PORT`, without a slash at the end.
    pub url: String,
}

/// One request that nginx has answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Served {
    /// `GET` and the like.
    pub method: String,
    /// Path and query, as asked for.
    pub path: String,
    /// The status that the client got.
    pub status: u16,
    /// Bytes sent to the client, head and body.
    pub bytes_sent: u64,
    /// Bytes of the body alone.
    pub body_bytes: u64,
    /// What the cache said: `HIT`, `MISS`, `EXPIRED`, `STALE`, `REVALIDATED`, `UPDATING`; empty for plain files.
    pub cache: String,
    /// Bytes read from the origin for this request; 0 when it was not asked.
    pub origin_bytes: u64,
}

impl Nginx {
    /// A caching reverse proxy in front of an `http://host:port/prefix`, as a CDN's edge is: it honours `Cache-Control`
    /// (with `stale-while-revalidate` and `stale-if-error`), asks the origin once for many who wait, serves stale when the
    /// origin is down, keeps a 404 for 1 s, and answers `Range` from whole cached objects.
    pub async fn cdn(origin: &str) -> Result<Self> {
        bail!("{origin}")
    }
    /// A plain file server of a folder.
    pub async fn files(folder: &Path) -> Result<Self> {
        bail!("{}", folder.display())
    }
    /// All requests answered so far, oldest first.
    pub async fn served(&self) -> Result<Vec<Served>> {
        bail!("not built yet")
    }
    /// Forgets the requests answered so far.
    pub async fn forget_served(&self) -> Result<()> {
        bail!("not built yet")
    }
    /// Empties the cache.
    pub fn purge(&self) -> Result<()> {
        bail!("not built yet")
    }
    /// Ends it: connections are closed, new ones refused.
    pub async fn stop(&mut self) -> Result<()> {
        bail!("not built yet")
    }
    /// Starts it again on the same port; the cache is as it was.
    pub async fn start_again(&mut self) -> Result<()> {
        bail!("not built yet")
    }
    /// Freezes it: connections stay open and nothing answers.
    pub fn pause(&self) -> Result<()> {
        bail!("not built yet")
    }
    /// Lets it go on.
    pub fn resume(&self) -> Result<()> {
        bail!("not built yet")
    }
}
