//! Serves a directory store over HTTP/1.1 and HTTP/2: the web server of the demo, and of a site that has a folder.
//!
//! It answers GET and HEAD for the places that [`cdn::Key`] knows and for nothing else: there is no listing, and a path
//! that is no key never reaches the file system. Types and cache policies are [`cdn::Key`]'s; every ETag is strong (an
//! object's is its digest), `If-None-Match`, `Range` and `If-Range` are honoured, and content is streamed from its file.
//! Nothing is verified here: readers verify. Read-through caching comes later.

mod answer;
mod body;
mod conditions;
mod connection;
mod content;
mod served;
mod tls;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

pub use connection::Limits;
pub use served::{Figures, Served};
pub use tls::TlsFiles;

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
    site: Arc<Site>,
}

/// What all connections share.
#[derive(Debug)]
struct Site {
    directory: PathBuf,
    limits: Limits,
    served: Served,
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
        if !settings.directory.is_dir() {
            return Err(MirrorError::NoDirectory(settings.directory.clone()));
        }
        let nowhere = SocketAddr::from(([0, 0, 0, 0], 0));
        let address = listener.local_addr().map_err(|why| MirrorError::Bind { address: nowhere, why })?;
        let tls = settings.tls.as_ref().map(TlsFiles::acceptor).transpose()?;
        let (directory, limits) = (settings.directory.clone(), settings.limits);
        let site = Arc::new(Site { directory, limits, served: Served::default() });
        Ok(Self { listener, address, tls, site })
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
        self.site.served.clone()
    }

    /// Answers until `stop`; then takes no new connection, finishes what is under way within
    /// [`Limits::drain`], and returns.
    pub async fn serve(self, stop: CancellationToken) {
        let slots = Arc::new(Semaphore::new(self.site.limits.connections));
        let mut connections = JoinSet::new();
        loop {
            let accepted = tokio::select! {
                () = stop.cancelled() => break,
                Some(_) = connections.join_next() => continue,
                accepted = connection::accept(&self.listener, &slots) => accepted,
            };
            match accepted {
                Ok((stream, slot)) => {
                    let (site, tls, stop) = (Arc::clone(&self.site), self.tls.clone(), stop.clone());
                    connections.spawn(connection::converse(stream, tls, site, stop, slot));
                }
                Err(error) => {
                    // Out of file descriptors, mostly: waiting is all that can be done.
                    tracing::warn!(%error, "cannot accept a connection");
                    sleep(Duration::from_millis(100)).await;
                }
            }
        }
        drop(self.listener);
        while connections.join_next().await.is_some() {}
    }
}
