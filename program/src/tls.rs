//! The server's side of TLS: a certificate and its key from files, read again when they change. Certificates live for
//! weeks, and a program for longer.

use std::fmt::Display;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::ensure;
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio_rustls::TlsAcceptor;

use crate::files::read_bounded;

const MOST_BYTES: u64 = 1 << 20;
/// How often, at most, it is looked whether the files are others.
const LOOK: Duration = Duration::from_secs(1);

/// The settings of a server's TLS, for `#[command(flatten)]`.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct TlsArgs {
    /// Certificate to serve https with, and those between it and its authority (PEM); read again when it changes.
    /// Without it and a key the server speaks plain http
    #[arg(long, env = "WINDLASS_TLS_CERTIFICATE_FILE", value_name = "FILE")]
    pub tls_certificate_file: Option<PathBuf>,
    /// The certificate's private key (PEM)
    #[arg(long, env = "WINDLASS_TLS_KEY_FILE", value_name = "FILE")]
    pub tls_key_file: Option<PathBuf>,
}

impl TlsArgs {
    /// Rules between the two.
    pub fn check(&self) -> anyhow::Result<()> {
        let both = self.tls_certificate_file.is_some() == self.tls_key_file.is_some();
        ensure!(
            both,
            "--tls-certificate-file and --tls-key-file are given together, or neither for plain http"
        );
        Ok(())
    }

    /// The files, where both are given.
    pub fn files(&self) -> Option<TlsFiles> {
        let both = self.tls_certificate_file.clone().zip(self.tls_key_file.clone());
        both.map(|(certificate, key)| TlsFiles { certificate, key })
    }
}

/// A certificate's files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate, and those between it and its authority (PEM).
    pub certificate: PathBuf,
    /// Its private key (PEM).
    pub key: PathBuf,
}

/// The certificate or its key is of no use.
#[derive(Debug, thiserror::Error)]
#[error("{}: {why}; it must hold PEM, and the key must be the certificate's", file.display())]
pub struct TlsError {
    /// The file.
    pub file: PathBuf,
    /// What is wrong.
    pub why: String,
}

impl TlsFiles {
    /// Offers HTTP/2 and HTTP/1.1 with this certificate, and with each that replaces it. One that is of no use replaces
    /// none, such as half of a new pair.
    pub fn acceptor(&self) -> Result<TlsAcceptor, TlsError> {
        let seen = self.stamp();
        let kept = Kept { certified: Arc::new(self.read()?), seen, looked: Instant::now() };
        let resolver = Arc::new(Reread { files: self.clone(), kept: Mutex::new(kept) });
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| fail(&self.certificate, error))?
            .with_no_client_auth()
            .with_cert_resolver(resolver);
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(TlsAcceptor::from(Arc::new(config)))
    }

    fn read(&self) -> Result<CertifiedKey, TlsError> {
        let pem = read(&self.certificate)?;
        let chain = CertificateDer::pem_slice_iter(&pem)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| fail(&self.certificate, error))?;
        if chain.is_empty() {
            return Err(fail(&self.certificate, "no certificate in it"));
        }
        let key = PrivateKeyDer::from_pem_slice(&read(&self.key)?).map_err(|error| fail(&self.key, error))?;
        CertifiedKey::from_der(chain, key, &ring::default_provider()).map_err(|error| fail(&self.key, error))
    }

    /// What differs when a file is written or replaced; a link is followed to what it points at.
    fn stamp(&self) -> Stamp {
        [&self.certificate, &self.key].map(|file| {
            let held = fs::metadata(file).ok()?;
            Some((held.ino(), held.size(), held.mtime(), held.mtime_nsec()))
        })
    }
}

type Stamp = [Option<(u64, u64, i64, i64)>; 2];

/// Gives each handshake the certificate that lies there now.
#[derive(Debug)]
struct Reread {
    files: TlsFiles,
    kept: Mutex<Kept>,
}

#[derive(Debug)]
struct Kept {
    certified: Arc<CertifiedKey>,
    seen: Stamp,
    looked: Instant,
}

impl ResolvesServerCert for Reread {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        // Each change is whole, so what a panicking thread left is usable.
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.looked.elapsed() >= LOOK {
            kept.looked = Instant::now();
            kept.look(&self.files);
        }
        Some(Arc::clone(&kept.certified))
    }
}

impl Kept {
    fn look(&mut self, files: &TlsFiles) {
        // Looked at before they are read: what is written in between is read the next time.
        let seen = files.stamp();
        if seen == self.seen {
            return;
        }
        match files.read() {
            Ok(certified) => {
                tracing::info!(file = %files.certificate.display(), "a new certificate is served");
                self.certified = Arc::new(certified);
                self.seen = seen;
            }
            Err(error) => tracing::warn!(%error, "the certificate before is served still"),
        }
    }
}

fn read(file: &Path) -> Result<Vec<u8>, TlsError> {
    read_bounded(file, MOST_BYTES).map_err(|error| fail(file, error))
}

fn fail(file: &Path, why: impl Display) -> TlsError {
    TlsError { file: file.to_owned(), why: why.to_string() }
}
