//! A proxy that misbehaves: it cuts, stalls, refuses and lies, as networks and origins do.

mod connection;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::ports;

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
pub struct FaultProxy {
    address: SocketAddr,
    /// Counted, so that it can be said which one is in force.
    wanted: watch::Sender<(u64, Fault)>,
    in_force: watch::Receiver<u64>,
    counters: Arc<Counters>,
    /// Ended with this value.
    _tasks: JoinSet<Result<()>>,
}

#[derive(Debug, Default)]
struct Counters {
    connections: AtomicU64,
    bytes_in: AtomicU64,
    bytes_out: AtomicU64,
}

impl FaultProxy {
    /// Listens on a free port in front of `host:port`, passing everything.
    pub async fn start(upstream: &str) -> Result<Self> {
        let address = SocketAddr::from(([127, 0, 0, 1], ports::free_port()?));
        let (wanted, faults) = watch::channel((0, Fault::Pass));
        let (say, in_force) = watch::channel(u64::MAX);
        let counters = Arc::new(Counters::default());
        let door =
            Door { address, upstream: upstream.to_owned(), faults, say, counters: Arc::clone(&counters) };
        let mut tasks = JoinSet::new();
        tasks.spawn(door.keep());
        let proxy = Self { address, wanted, in_force, counters, _tasks: tasks };
        proxy.set(Fault::Pass).await?;
        Ok(proxy)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address())
    }

    /// Switches the fault. Open connections are closed first, so that every client meets the new one; returns when that is so.
    pub async fn set(&self, fault: Fault) -> Result<()> {
        let mut turn = 0;
        self.wanted.send_modify(|(count, old)| {
            *count += 1;
            turn = *count;
            *old = fault;
        });
        let mut in_force = self.in_force.clone();
        let reached = in_force.wait_for(|&now| now != u64::MAX && now >= turn).await;
        reached.with_context(|| format!("the proxy could not listen on {} again", self.address))?;
        Ok(())
    }

    /// What went through so far.
    pub fn traffic(&self) -> Traffic {
        Traffic {
            connections: self.counters.connections.load(Ordering::Relaxed),
            bytes_in: self.counters.bytes_in.load(Ordering::Relaxed),
            bytes_out: self.counters.bytes_out.load(Ordering::Relaxed),
        }
    }
}

/// The listening side.
struct Door {
    address: SocketAddr,
    upstream: String,
    faults: watch::Receiver<(u64, Fault)>,
    say: watch::Sender<u64>,
    counters: Arc<Counters>,
}

impl Door {
    async fn keep(mut self) -> Result<()> {
        let mut listener = None;
        loop {
            let (turn, fault) = self.faults.borrow_and_update().clone();
            if matches!(fault, Fault::Refuse) {
                listener = None;
            } else if listener.is_none() {
                let bound = TcpListener::bind(self.address).await;
                listener = Some(bound.with_context(|| format!("listen on {}", self.address))?);
            }
            self.say.send_replace(turn);
            let mut connections = JoinSet::new();
            self.serve(listener.as_ref(), &fault, &mut connections).await?;
            connections.shutdown().await;
        }
    }

    /// Until another fault is wanted.
    async fn serve(
        &mut self,
        listener: Option<&TcpListener>,
        fault: &Fault,
        connections: &mut JoinSet<std::io::Result<()>>,
    ) -> Result<()> {
        loop {
            tokio::select! {
                changed = self.faults.changed() => return changed.context("the proxy's owner is gone"),
                client = accept(listener) => {
                    // A client that is gone before it is accepted is the client's affair.
                    let Ok(client) = client else { continue };
                    self.counters.connections.fetch_add(1, Ordering::Relaxed);
                    let counters = Arc::clone(&self.counters);
                    connections.spawn(connection::serve(client, self.upstream.clone(), fault.clone(), counters));
                }
                Some(_) = connections.join_next() => {}
            }
        }
    }
}

async fn accept(listener: Option<&TcpListener>) -> std::io::Result<TcpStream> {
    match listener {
        Some(listener) => Ok(listener.accept().await?.0),
        None => std::future::pending().await,
    }
}
