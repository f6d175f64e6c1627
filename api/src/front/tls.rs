//! TLS, where a certificate is given.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use program::files::read_bounded;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

const MAX_BYTES: u64 = 1 << 20;

/// Reads a certificate chain and its key.
pub(crate) fn acceptor(certificate: &Path, key: &Path) -> anyhow::Result<TlsAcceptor> {
    let chain = read_bounded(certificate, MAX_BYTES).context("read --tls-cert")?;
    let chain: Vec<_> = CertificateDer::pem_slice_iter(&chain)
        .collect::<Result<_, _>>()
        .context("--tls-cert is not a certificate chain in PEM")?;
    let key = read_bounded(key, MAX_BYTES).context("read --tls-key")?;
    let key = PrivateKeyDer::from_pem_slice(&key).context("--tls-key is not a private key in PEM")?;
    let mut config = rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .context("--tls-key does not belong to --tls-cert")?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}
