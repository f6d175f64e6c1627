//! Tokens for origins. Each is bound to one place - scheme, host and port - by this machine's settings alone: no
//! document can make a token go elsewhere, nor go out in the clear.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use cdn::Secret;
use program::settings;

use crate::origin::Authority;

/// Which token goes to which host.
#[derive(Debug, Default)]
pub struct Credentials {
    by_place: BTreeMap<Authority, Token>,
}

#[derive(Debug)]
struct Token {
    file: PathBuf,
    /// As it was read last.
    held: Mutex<Option<Secret>>,
}

/// A token cannot be bound or read.
#[derive(Debug, thiserror::Error)]
pub enum BadCredential {
    /// The text is not `HOST=FILE`.
    #[error("`{0}` is not HOST=FILE or HOST:PORT=FILE, such as cdn.example.com=/etc/windlass/cdn-token")]
    Form(String),
    /// The file is of no use.
    #[error(transparent)]
    File(#[from] settings::SecretError),
}

impl Credentials {
    /// Binds a token by `HOST=FILE`. It goes to that host over https only; over plain http, where everybody on the way
    /// reads it, only within this machine. The file is read now, and anew after the host refused the token, or where it
    /// could not be read: the host is bound to it all the same.
    pub fn bind(&mut self, text: &str) -> Result<(), BadCredential> {
        let form = || BadCredential::Form(text.to_owned());
        let (host, file) = text.split_once('=').ok_or_else(form)?;
        let authority: http::uri::Authority = host.parse().map_err(|_| form())?;
        if file.is_empty() || authority.host().is_empty() || host.contains('@') {
            return Err(form());
        }
        let token = settings::read_secret(Path::new(file)).map(Secret::new);
        let name = authority.host().to_ascii_lowercase();
        let secure = !within_this_machine(&name);
        let mut bind = |secure, default| {
            let port = authority.port_u16().unwrap_or(default);
            let held = Mutex::new(token.as_ref().ok().cloned());
            self.by_place
                .insert(Authority { secure, host: name.clone(), port }, Token { file: file.into(), held });
        };
        bind(true, 443);
        if !secure {
            bind(false, 80);
        }
        token?;
        Ok(())
    }

    /// The token for a place, if there is one. Reads its file when there was none, or it was refused: blocking, and small.
    pub(crate) fn token(&self, place: &Authority) -> Result<Option<Secret>, settings::SecretError> {
        let Some(token) = self.by_place.get(place) else { return Ok(None) };
        let mut held = token.held.lock().unwrap_or_else(PoisonError::into_inner);
        if held.is_none() {
            *held = Some(Secret::new(settings::read_secret(&token.file)?));
        }
        Ok(held.clone())
    }

    /// The place refused its token: perhaps it was renewed on disk.
    pub(crate) fn refused(&self, place: &Authority) {
        if let Some(token) = self.by_place.get(place) {
            *token.held.lock().unwrap_or_else(PoisonError::into_inner) = None;
        }
    }
}

fn within_this_machine(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || address.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests;
