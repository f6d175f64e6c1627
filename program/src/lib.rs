//! What every program needs at its edge, and nothing that knows of Windlass: settings, logs, shutdown, health and
//! metrics, one bounded HTTP client, the server's TLS, files that survive a power cut, and the arithmetic of waiting.
//!
//! A program reads in this order: [`settings::parse`], [`logs::start`], [`settings::tell_strays`],
//! [`install_crypto`], [`shutdown::Shutdown::listen`], [`observe::Observe::bind`], then its tasks in [`shutdown::Tasks`].

pub mod files;
pub mod http;
pub mod logs;
pub mod observe;
pub mod progress;
pub mod schedule;
pub mod settings;
pub mod shutdown;
pub mod tls;
pub mod usage;

/// Makes ring the crypto provider of this process. Any number of calls is fine; the first one counts.
pub fn install_crypto() {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // A loss here means that another thread installed one between the two lines.
        drop(rustls::crypto::ring::default_provider().install_default());
    }
}
