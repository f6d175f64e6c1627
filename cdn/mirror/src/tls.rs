//! A certificate and its key, from files.

use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use program::files;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use crate::MirrorError;

const MOST_BYTES: u64 = 1024 * 1024;

/// A certificate's files. They are read once, at the start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate, and those between it and its authority (PEM).
    pub certificate: PathBuf,
    /// Its private key (PEM).
    pub key: PathBuf,
}

impl TlsFiles {
    pub(crate) fn acceptor(&self) -> Result<TlsAcceptor, MirrorError> {
        let pem = read(&self.certificate)?;
        let chain = CertificateDer::pem_slice_iter(&pem)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| fail(&self.certificate, error))?;
        if chain.is_empty() {
            return Err(fail(&self.certificate, "no certificate in it"));
        }
        let key = PrivateKeyDer::from_pem_slice(&read(&self.key)?).map_err(|error| fail(&self.key, error))?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
            .map_err(|error| fail(&self.key, error))?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(TlsAcceptor::from(Arc::new(config)))
    }
}

fn read(file: &Path) -> Result<Vec<u8>, MirrorError> {
    files::read_bounded(file, MOST_BYTES).map_err(|error| fail(file, error))
}

fn fail(file: &Path, why: impl Display) -> MirrorError {
    MirrorError::Tls { file: file.to_owned(), why: why.to_string() }
}
