//! A folder in the layout of a store, and ways to read it.

use std::fs;
use std::path::Path;
use std::time::Duration;

use cdn::{Digest, Key};
use origins::{Credentials, Mismatch, NotFetched, Origin, Origins, Patience, Why};
use program::http::{Client, MinRate, Settings};
use tempfile::TempDir;

pub(crate) struct Site(TempDir);

impl Site {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("v1")).unwrap();
        // nginx's workers may run as somebody else.
        fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        Self(folder)
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn url(&self) -> String {
        format!("file://{}", self.path().display())
    }

    /// Puts bytes under their own digest.
    pub(crate) fn object(&self, bytes: &[u8]) -> Digest {
        let digest = Digest::of(bytes);
        self.lay(&Key::Object(digest), bytes);
        digest
    }

    /// Puts any bytes at any key.
    pub(crate) fn lay(&self, key: &Key, bytes: &[u8]) {
        let path = self.path().join(key.path());
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
}

/// Bytes that differ everywhere.
pub(crate) fn bytes(length: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    };
    (0..length).map(|_| next()).collect()
}

/// Origins with a patience for tests: everything as usual, only sooner.
pub(crate) fn origins<S: AsRef<str>>(urls: &[S]) -> Origins {
    with(urls, Credentials::default())
}

pub(crate) fn with<S: AsRef<str>>(urls: &[S], credentials: Credentials) -> Origins {
    let list = urls.iter().map(|url| Origin::parse(url.as_ref()).unwrap()).collect();
    let min_rate = MinRate { bytes_per_second: 10_000, window: Duration::from_secs(1) };
    let patience = Patience { grace: Duration::from_secs(20), min_rate, ..Patience::default() };
    Origins::new(list, client()).with(credentials, patience)
}

pub(crate) fn client() -> Client {
    let settings = Settings {
        connect_timeout: Duration::from_secs(2),
        answer_timeout: Duration::from_secs(2),
        ..Settings::new("windlass-test/1")
    };
    Client::new(&settings).unwrap()
}

/// The first of the origins that gave other bytes.
pub(crate) fn mismatch(refused: &NotFetched) -> Option<&Mismatch> {
    refused
        .tried
        .iter()
        .find_map(|attempt| if let Why::Mismatch(found) = &attempt.why { Some(&**found) } else { None })
}
