//! Serves a directory store over HTTP/1.1 and HTTP/2: the web server of the demo, and of a site that has a folder.
//!
//! It answers GET and HEAD for the places that [`cdn::Key`] knows and for nothing else: there is no listing, and a path
//! that is no key never reaches the file system. Types and cache policies are [`cdn::Key`]'s; every ETag is strong (an
//! object's is its digest), `If-None-Match`, `Range` and `If-Range` are honoured, and content is streamed from its file.
//! Nothing is verified here: readers verify. Read-through caching comes later.

mod answer;
mod body;
pub mod conditions;
mod connection;
mod content;
mod meters;
mod open;
mod served;
mod tls;

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{interval, sleep};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

pub use connection::Limits;
pub use served::{Figures, Served};
pub use tls::TlsFiles;

use open::Open;

/// While a connection waits for a place, the open ones are looked at this often.
const LOOK: Duration = Duration::from_millis(200);

/// What to serve, and how.
#[derive(Clone, Debug)]
pub struct MirrorSettings {
    /// The folder of a directory store.
    pub directory: PathBuf,
    /// Serve https with this certificate.
    pub tls: Option<TlsFiles>,
    /// How much to bear.
    pub limits: Limits,
}

impl MirrorSettings {
    /// Plain http with the usual limits.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self { directory: directory.into(), tls: None, limits: Limits::default() }
    }
}

/// Why there is no mirror.
#[derive(Debug, thiserror::Error)]
pub enum MirrorError {
    /// There is no such folder.
    #[error("{}: no such folder; name the folder of a directory store", .0.display())]
    NoDirectory(PathBuf),
    /// The folder cannot be read.
    #[error("{}: {why}; look at its rights and at the disk", folder.display())]
    Unreadable {
        /// The folder.
        folder: PathBuf,
        /// What went wrong.
        why: io::Error,
    },
    /// The address cannot be had.
    #[error("cannot listen on {address}: {why}; choose another address, or end what listens there")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// What went wrong.
        why: io::Error,
    },
    /// The certificate or its key is of no use.
    #[error("{}: {why}; it must hold PEM, and the key must be the certificate's", file.display())]
    Tls {
        /// The file.
        file: PathBuf,
        /// What is wrong.
        why: String,
    },
}

/// A mirror that is bound to its address; [`Mirror::serve`] lets it answer.
pub struct Mirror {
    listener: TcpListener,
    address: SocketAddr,
    tls: Option<TlsAcceptor>,
    shelf: Arc<Shelf>,
}

/// What all connections share.
#[derive(Debug)]
struct Shelf {
    directory: PathBuf,
    limits: Limits,
    served: Served,
}

/// Whether a folder is there and can be read.
pub fn folder(directory: &Path) -> Result<(), MirrorError> {
    match std::fs::read_dir(directory) {
        Ok(_) => Ok(()),
        Err(why) if [io::ErrorKind::NotFound, io::ErrorKind::NotADirectory].contains(&why.kind()) => {
            Err(MirrorError::NoDirectory(directory.to_owned()))
        }
        Err(why) => Err(MirrorError::Unreadable { folder: directory.to_owned(), why }),
    }
}

impl Mirror {
    /// Binds an address; port 0 takes a free one.
    pub async fn bind(address: SocketAddr, settings: &MirrorSettings) -> Result<Self, MirrorError> {
        let failed = |why| MirrorError::Bind { address, why };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        Self::on(listener, settings)
    }

    /// Takes a listener that is bound already.
    pub fn on(listener: TcpListener, settings: &MirrorSettings) -> Result<Self, MirrorError> {
        folder(&settings.directory)?;
        let nowhere = SocketAddr::from(([0, 0, 0, 0], 0));
        let address = listener.local_addr().map_err(|why| MirrorError::Bind { address: nowhere, why })?;
        let tls = settings.tls.as_ref().map(TlsFiles::acceptor).transpose()?;
        meters::describe();
        let (directory, limits) = (settings.directory.clone(), settings.limits);
        let shelf = Arc::new(Shelf { directory, limits, served: Served::default() });
        Ok(Self { listener, address, tls, shelf })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://ADDRESS` or `https://ADDRESS`: an origin for those who read.
    pub fn url(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    /// What it has served, now and later.
    pub fn served(&self) -> Served {
        self.shelf.served.clone()
    }

    /// Answers until `stop`; then takes no new connection, finishes what is under way within
    /// [`Limits::drain`], and returns.
    pub async fn serve(self, stop: CancellationToken) {
        let places = Arc::new(Semaphore::new(self.shelf.limits.connections));
        let (open, mut connections) = (Open::new(), JoinSet::new());
        let mut look = interval(LOOK);
        // Accepted, and without a place yet.
        let mut waiting: Option<(TcpStream, SocketAddr)> = None;
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                Some(_) = connections.join_next() => {}
                place = Arc::clone(&places).acquire_owned(), if waiting.is_some() => {
                    let (Ok(place), Some((stream, peer))) = (place, waiting.take()) else { break };
                    let held = open.hold(peer.ip(), &stop, place);
                    let (common, tls) = (Arc::clone(&self.shelf), self.tls.clone());
                    connections.spawn(connection::converse(stream, tls, common, held));
                }
                accepted = self.listener.accept(), if waiting.is_none() => match accepted {
                    Ok(accepted) => waiting = Some(accepted),
                    Err(error) => {
                        // Out of file descriptors, mostly: waiting is all that can be done.
                        tracing::warn!(%error, "cannot accept a connection");
                        sleep(Duration::from_millis(100)).await;
                    }
                },
                _ = look.tick(), if waiting.is_some() => {}
            }
            if waiting.is_some() && places.available_permits() == 0 {
                open.make_room();
            }
        }
        drop(self.listener);
        while connections.join_next().await.is_some() {}
    }
}
