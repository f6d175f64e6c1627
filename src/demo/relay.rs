//! `Relay`: a wire in front of the api that keeps what crosses it, so that "no manifest byte passes" is a measurement.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result, bail};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD_NO_PAD;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// The most bytes that are kept: far more than a demo's api ever says.
const KEPT: usize = 64 << 20;

/// What has crossed the wire, both ways: what agents and publisher say to the api and hear. The demo's own client goes
/// past it, straight to the api.
#[derive(Clone, Debug, Default)]
pub(super) struct Crossed(Arc<Mutex<Kept>>);

#[derive(Debug, Default)]
struct Kept {
    bytes: Vec<u8>,
    /// All that crossed, kept or not.
    count: usize,
}

impl Crossed {
    fn keep(&self, bytes: &[u8]) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.count += bytes.len();
        let fits = bytes.len().min(KEPT.saturating_sub(kept.bytes.len()));
        kept.bytes.extend_from_slice(&bytes[..fits]);
    }

    /// How many bytes have crossed, both ways.
    pub(super) fn bytes(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).count
    }

    /// Those of the texts that are in it, as they are or as base64. Where not all was kept nobody can say that none is.
    pub(super) fn texts_of<'t>(&self, texts: impl IntoIterator<Item = &'t str>) -> Result<Vec<&'t str>> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.count > kept.bytes.len() {
            bail!("{} bytes crossed the api's wire, and only the first {KEPT} were looked at", kept.count);
        }
        let is_in = |text: &&str| forms(text).iter().any(|form| contains(&kept.bytes, form));
        Ok(texts.into_iter().filter(is_in).collect())
    }
}

/// A text as it is, and the middle of its three base64 forms, which depend on where in a triple it begins.
fn forms(text: &str) -> Vec<Vec<u8>> {
    let shifted = (0..3).map(|shift| {
        let encoded = BASE64_STANDARD_NO_PAD.encode([vec![0; shift], text.as_bytes().to_vec()].concat());
        encoded.as_bytes()[4..encoded.len() - 4].to_vec()
    });
    std::iter::once(text.as_bytes().to_vec()).chain(shifted).collect()
}

fn contains(hay: &[u8], needle: &[u8]) -> bool {
    let Some((first, rest)) = needle.split_first() else { return false };
    let starts = hay.iter().enumerate().filter(|(_, byte)| *byte == first);
    starts.into_iter().any(|(at, _)| hay[at + 1..].starts_with(rest))
}

/// The wire: a listener, and what lies behind it.
#[derive(Debug)]
pub(super) struct Relay {
    listener: TcpListener,
    target: SocketAddr,
    crossed: Crossed,
}

impl Relay {
    /// Binds a free port in front of `target`.
    pub(super) async fn bind(target: SocketAddr, crossed: Crossed) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.context("bind the wire in front of the api")?;
        Ok(Self { listener, target, crossed })
    }

    /// Where it listens.
    pub(super) fn address(&self) -> Result<SocketAddr> {
        self.listener.local_addr().context("the wire's address")
    }

    /// Passes everything on until stopped.
    pub(super) async fn serve(self, stop: CancellationToken) -> Result<()> {
        let mut wires = JoinSet::new();
        loop {
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                Some(_) = wires.join_next() => {}
                accepted = self.listener.accept() => {
                    let (near, _) = accepted.context("accept on the wire")?;
                    wires.spawn(wire(near, self.target, self.crossed.clone()));
                }
            }
        }
    }
}

/// One connection. While nothing listens behind it, it is cut, as the connection to a dead api is.
async fn wire(mut near: TcpStream, target: SocketAddr, crossed: Crossed) {
    let Ok(mut far) = TcpStream::connect(target).await else { return };
    let (mut near_in, mut near_out) = near.split();
    let (mut far_in, mut far_out) = far.split();
    let mut there = [0; 16 << 10];
    let mut back = [0; 16 << 10];
    loop {
        let passed = tokio::select! {
            read = near_in.read(&mut there) => pass(read, &there, &mut far_out, &crossed).await,
            read = far_in.read(&mut back) => pass(read, &back, &mut near_out, &crossed).await,
        };
        if !passed {
            return;
        }
    }
}

async fn pass(
    read: std::io::Result<usize>,
    bytes: &[u8],
    out: &mut (impl tokio::io::AsyncWrite + Unpin),
    crossed: &Crossed,
) -> bool {
    match read {
        Ok(0) | Err(_) => false,
        Ok(count) => {
            crossed.keep(&bytes[..count]);
            out.write_all(&bytes[..count]).await.is_ok()
        }
    }
}

#[cfg(test)]
mod tests;
