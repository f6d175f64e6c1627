//! A proxy that misbehaves.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, bail};

/// What a [`FaultProxy`] does with connections from now on.
#[derive(Clone, Debug)]
pub enum Fault {
    /// Forwards everything.
    Pass,
    /// Refuses connections: nothing listens.
    Refuse,
    /// Accepts and never answers.
    BlackHole,
    /// Forwards this many bytes of each connection's answers, then resets it.
    CutAfter(u64),
    /// Forwards answers at this many bytes per second.
    Drip(u64),
    /// Waits this long before each piece of an answer.
    Delay(Duration),
    /// Answers each request itself with `200` and a body that never ends, as fast as the client reads.
    Endless,
    /// Answers each request itself with these bytes, verbatim (head and body), and closes.
    Answer(Arc<[u8]>),
}

/// What went through a [`FaultProxy`] so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Connections accepted.
    pub connections: u64,
    /// Bytes from clients.
    pub bytes_in: u64,
    /// Bytes to clients.
    pub bytes_out: u64,
}

/// A TCP proxy in front of an upstream whose [`Fault`] can be switched at any time. Lives in the runtime that started it.
#[derive(Debug)]
pub struct FaultProxy {}

impl FaultProxy {
    /// Listens on a free port in front of `host:port`, passing everything.
    pub async fn start(upstream: &str) -> Result<Self> {
        bail!("{upstream}")
    }
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], 0))
    }
    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address())
    }
    /// Switches the fault. Open connections are closed first, so that every client meets the new one; returns when that is so.
    pub async fn set(&self, fault: Fault) -> Result<()> {
        bail!("{fault:?}")
    }
    /// What went through so far.
    pub fn traffic(&self) -> Traffic {
        Traffic::default()
    }
}
