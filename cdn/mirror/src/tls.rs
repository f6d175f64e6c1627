//! A certificate and its key, from files.

use program::tls::TlsError;
pub use program::tls::TlsFiles;

use crate::MirrorError;

impl From<TlsError> for MirrorError {
    fn from(TlsError { file, why }: TlsError) -> Self {
        Self::Tls { file, why }
    }
}
