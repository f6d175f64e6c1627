//! One origin: a web address, or a folder of this machine.

use std::fmt;
use std::net::Ipv6Addr;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use cdn::Key;
use http::Uri;

/// A place to read from. Compared by where it is, not by how it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin(Place);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// What stands before a key's path, without a slash at the end.
    Web {
        base: String,
        authority: Authority,
    },
    Folder(PathBuf),
}

/// Scheme, host and port: what a credential is bound to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Authority {
    pub(crate) secure: bool,
    pub(crate) host: String,
    pub(crate) port: u16,
}

/// The text is no origin.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("origin `{shown}`: {why}; write https://HOST/PATH, http://HOST/PATH, file:///FOLDER or /FOLDER")]
pub struct BadOrigin {
    shown: String,
    why: &'static str,
}

impl Origin {
    /// Reads `https://...`, `http://...`, `file:///folder` or `/folder`.
    pub fn parse(text: &str) -> Result<Self, BadOrigin> {
        text.parse()
    }

    /// Reads `https://...` or `http://...`: what a document may name. No document makes this machine read its files.
    pub(crate) fn parse_remote(text: &str) -> Result<Self, BadOrigin> {
        web(text).map(Self)
    }

    /// Whether it is read over the network.
    pub fn is_remote(&self) -> bool {
        matches!(self.0, Place::Web { .. })
    }

    /// The host, or the folder: what a person looks at when something is wrong there.
    pub(crate) fn host(&self) -> String {
        match &self.0 {
            Place::Web { authority, .. } => authority.host.clone(),
            Place::Folder(folder) => folder.display().to_string(),
        }
    }

    pub(crate) fn place(&self) -> &Place {
        &self.0
    }
}

impl FromStr for Origin {
    type Err = BadOrigin;

    fn from_str(text: &str) -> Result<Self, BadOrigin> {
        let folder = text.strip_prefix("file://").unwrap_or(text);
        if Path::new(folder).is_absolute() {
            return Ok(Self(Place::Folder(folder.into())));
        }
        web(text).map(Self)
    }
}

/// As it may be shown: it never holds a credential, since one with a credential is refused.
impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Place::Web { base, .. } => f.write_str(base),
            Place::Folder(folder) => folder.display().fmt(f),
        }
    }
}

pub(crate) fn url(base: &str, key: &Key) -> String {
    format!("{base}{key}")
}

fn web(text: &str) -> Result<Place, BadOrigin> {
    // What stands before an `@` or behind a `?` may be a credential, and is not repeated.
    let shown = text.rsplit('@').next().unwrap_or_default();
    let shown: String = shown.split(['?', '#']).next().unwrap_or_default().chars().take(200).collect();
    let bad = |why| BadOrigin { shown: shown.clone(), why };
    if text.contains(['?', '#']) {
        return Err(bad("an origin has no query or fragment"));
    }
    let uri: Uri = text.parse().map_err(|_| bad("this is no URL"))?;
    let secure = match uri.scheme_str() {
        Some("https") => true,
        Some("http") => false,
        _ => return Err(bad("it is neither http, https nor a folder")),
    };
    let Some(authority) = uri.authority() else { return Err(bad("it has no host")) };
    if authority.as_str().contains('@') {
        return Err(bad(
            "it carries a user name or password; bind a token to the host with --origin-token-file",
        ));
    }
    let host = authority.host().to_ascii_lowercase();
    if host.is_empty() {
        return Err(bad("it has no host"));
    }
    if !is_host(&host) {
        return Err(bad("this is no host's name or address"));
    }
    // What is no port must not become the usual one.
    let behind = &authority.as_str()[host.len()..];
    let port = match behind.strip_prefix(':').map(|digits| (digits.parse(), digits)) {
        None if behind.is_empty() => {
            if secure {
                443
            } else {
                80
            }
        }
        Some((Ok(port), digits)) if !digits.starts_with('+') => port,
        None | Some(_) => return Err(bad("its port is no number up to 65535")),
    };
    let path = uri.path().trim_end_matches('/');
    let scheme = if secure { "https" } else { "http" };
    let shown_port = if port == if secure { 443 } else { 80 } { String::new() } else { format!(":{port}") };
    let base = format!("{scheme}://{host}{shown_port}{path}");
    Ok(Place::Web { base, authority: Authority { secure, host, port } })
}

/// A name, or an address. The URL's own parser takes more, of which two readers could see two hosts.
fn is_host(host: &str) -> bool {
    match host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(address) => address.parse::<Ipv6Addr>().is_ok(),
        None => host.chars().all(|c| c.is_ascii_alphanumeric() || "-._".contains(c)),
    }
}

#[cfg(test)]
mod tests;
