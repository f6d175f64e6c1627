//! Where the database is: a file that one process has, or an address.

use std::path::PathBuf;

use anyhow::bail;
use cdn::Secret;
use program::files::{Lock, LockError};

use super::Engine;

/// Locks an SQLite file for this process alone, until the lock is dropped: two apis on it would each tell what the other
/// does not know. PostgreSQL is shared, and needs none.
pub(crate) fn lock(place: &Secret) -> anyhow::Result<Option<Lock>> {
    let Some(file) = file(place.expose())? else { return Ok(None) };
    match Lock::beside(&file) {
        Ok(lock) => Ok(Some(lock)),
        Err(LockError::Held { holder, .. }) => bail!(
            "the database {} is in use by {holder}: an SQLite file serves one api alone; stop that one, or use \
             PostgreSQL for several replicas (--database postgres://USER@HOST/DATABASE)",
            file.display()
        ),
        Err(error @ LockError::Unusable { .. }) => Err(error.into()),
    }
}

/// Which database it is, for people: the whole path, or the address without user, password and parameters.
pub(crate) fn shown(place: &Secret) -> anyhow::Result<String> {
    if let Some(path) = file(place.expose())? {
        return Ok(std::path::absolute(&path).unwrap_or(path).display().to_string());
    }
    let (_, rest) = place.expose().split_once("://").unwrap_or_default();
    let address = rest.split(['?', '#']).next().unwrap_or_default();
    Ok(format!("postgres://{}", address.rsplit('@').next().unwrap_or_default()))
}

/// A path or a URL as the URL that the driver reads.
pub(super) fn address(text: &Secret) -> anyhow::Result<(Engine, Secret)> {
    Ok(match file(text.expose())? {
        None => (Engine::Postgres, text.clone()),
        Some(path) => (Engine::Sqlite, Secret::new(format!("sqlite://{}?mode=rwc", path.display()))),
    })
}

/// The file, where it is SQLite.
fn file(url: &str) -> anyhow::Result<Option<PathBuf>> {
    if url.starts_with("postgres://") || url.starts_with("postgresql://") {
        return Ok(None);
    }
    let path = url.strip_prefix("sqlite:").unwrap_or(url).trim_start_matches("//");
    let path = if url.starts_with("sqlite:///") {
        format!("/{}", path.trim_start_matches('/'))
    } else {
        path.to_owned()
    };
    if path.is_empty() || path == ":memory:" || path.contains("://") || path.contains(['?', '#', '%']) {
        bail!("`--database` is neither a path nor a postgres:// address; paths have none of ? # %");
    }
    Ok(Some(path.into()))
}
