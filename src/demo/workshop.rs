//! The demo's folder: keys, root, and one folder for each program. It goes when the demo goes.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use cdn::document::{Floors, Roles, Root};
use cdn::envelope::{Envelope, Role};
use cdn::{Digest, SigningKey};
use jiff::Timestamp;
use program::files::{create_directory, write_atomic};
use tempfile::TempDir;

const PRIVATE: u32 = 0o600;
const PUBLIC: u32 = 0o644;

/// A folder that is gone at the end, and the fleet's keys in it.
pub(super) struct Workshop {
    folder: TempDir,
    /// The fleet's id: the digest of root 1.
    pub(super) fleet: Digest,
}

impl Workshop {
    /// Makes the folder and the keys.
    pub(super) fn new() -> Result<Self> {
        let folder =
            tempfile::Builder::new().prefix("windlass-demo-").tempdir().context("make the demo's folder")?;
        let [root, desired, routes, release] = std::array::from_fn(|_| SigningKey::random());
        let document = Root {
            version: 1,
            fleet: None,
            issued: Timestamp::now(),
            roles: Roles {
                root: Role::of(root.public()),
                desired: Role::of(desired.public()),
                routes: Role::of(routes.public()),
                release: [(cdn::ProjectName::default(), Role::of(release.public()))].into(),
                approver: None,
            },
            origin_hosts: Vec::new(),
            floors: Floors::default(),
        };
        let root_1 = Envelope::sign(&document, &[&root]).to_bytes();
        let workshop = Self { folder, fleet: Digest::of(&root_1) };
        for room in ["root", "store", "publisher"] {
            create_directory(&workshop.path(room), 0o700)
                .with_context(|| format!("make the folder {room}"))?;
        }
        workshop.write("root/1.json", &root_1, PUBLIC)?;
        workshop.keep("desired.key", desired.to_text().expose())?;
        workshop.keep("release.key", release.to_text().expose())?;
        Ok(workshop)
    }

    /// A path in it.
    pub(super) fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The same as text, for settings.
    pub(super) fn text(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    /// Keeps a secret in a file that only this user reads.
    pub(super) fn keep(&self, name: &str, secret: &str) -> Result<PathBuf> {
        self.write(name, secret.as_bytes(), PRIVATE)
    }

    fn write(&self, name: &str, bytes: &[u8], mode: u32) -> Result<PathBuf> {
        let path = self.path(name);
        write_atomic(&path, bytes, mode).with_context(|| format!("write {name}"))?;
        Ok(path)
    }
}
