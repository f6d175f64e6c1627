//! `State`: what the agent believes, on disk, so that a restart needs no network (law L1). Every file carries, is signed, or is
//! named by the digest of its bytes and is hashed again when it is read; every write is atomic and flushed.
//!
//! ```text
//! lock                     one agent at a time
//! identity.json            who this cluster is
//! joining.json             the key of a join that is under way
//! root/<n>.json            the chain of roots, as signed
//! trusted.json             whose it is, floor, assignment, releases
//! o/<digest>               the assignment's envelope, its set and values
//! bundle/<T>.tar           the bundles that run, and those before them
//! inventory.json           a copy of the inventory; the target holds it too
//! *.twin                   the same once more, of what nothing else could stand in for
//! ```

mod bundles;
mod roots;
mod trusted;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cdn::{Digest, json};
use program::files::{self, Lock, LockError};

use crate::checked::{self, Unusable};
use crate::disk::Disk;
use crate::identity::{Identity, Joining};
use crate::inventory::Inventory;

pub(crate) use trusted::{Kept, Trusted};

/// What the agent believes, on disk.
#[derive(Debug)]
pub(crate) struct State {
    folder: PathBuf,
    bundle_limit: u64,
    disk: Disk,
    _lock: Lock,
}

/// Why the state folder cannot be used at all.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StateError {
    /// Another agent uses it.
    #[error(transparent)]
    Locked(#[from] LockError),
    /// The folder cannot be made or read.
    #[error("state folder {}: {source}; check that it is writable, or name another with --state", folder.display())]
    Unusable {
        /// The folder.
        folder: PathBuf,
        /// What went wrong.
        source: io::Error,
    },
}

const IDENTITY: &str = "identity.json";
const JOINING: &str = "joining.json";
const TRUSTED: &str = "trusted.json";
const INVENTORY: &str = "inventory.json";
const FOLDERS: [&str; 3] = ["root", "o", "bundle"];
const DOCUMENT_BYTES: u64 = 64 << 20;

/// Whether a folder holds who a cluster is, in whatever condition.
pub(crate) fn has_identity(folder: &Path) -> bool {
    let file = folder.join(IDENTITY);
    file.exists() || checked::twin(&file).exists()
}

impl State {
    /// Takes the folder; it is made if it is missing. A second agent on the same folder is refused. A folder that is
    /// there is taken as it is: on a full disk, or a read-only one, what runs can still be repaired (laws L1, L8).
    pub(crate) fn open(folder: &Path, bundle_limit: u64) -> Result<Self, StateError> {
        let unusable = |source| StateError::Unusable { folder: folder.to_owned(), source };
        files::create_directory(folder, 0o700).map_err(unusable)?;
        let lock = Lock::acquire(folder)?;
        let inner = FOLDERS.map(|name| folder.join(name));
        for folder in inner.iter().map(PathBuf::as_path).chain([folder]) {
            if let Err(error) = files::create_directory(folder, 0o700).and_then(|()| files::sweep(folder)) {
                tracing::warn!(folder = %folder.display(), %error, "the state folder stays as it was left");
            }
        }
        Ok(Self { folder: folder.to_owned(), bundle_limit, disk: Disk::new(), _lock: lock })
    }

    /// Runs file work away from the network's threads.
    pub(crate) async fn with<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Self) -> T + Send + 'static,
    ) -> T {
        let state = Arc::clone(self);
        let work = move || {
            let done = work(&state);
            // Before the work counts as ended: the lock goes with the last of these.
            drop(state);
            done
        };
        self.disk.run(work).await
    }

    /// Waits until no file work is under way, also none that nobody waits for any more.
    pub(crate) async fn settled(&self) {
        self.disk.settled().await;
    }

    /// Who this cluster is; none before it has joined.
    pub(crate) fn identity(&self) -> Result<Option<Identity>, Unusable> {
        self.document(IDENTITY)
    }

    /// Keeps who this cluster is; the join is over.
    pub(crate) fn keep_identity(&self, identity: &Identity) -> io::Result<()> {
        checked::write(&self.folder.join(IDENTITY), &json::canonical_of(identity))?;
        if let Err(error) = files::remove(&self.folder.join(JOINING)) {
            tracing::warn!(%error, "what is left of the join cannot be removed");
        }
        Ok(())
    }

    /// The join that is under way, if one is.
    pub(crate) fn joining(&self) -> Result<Option<Joining>, Unusable> {
        self.document(JOINING)
    }

    /// Keeps what a join that is under way must not lose.
    pub(crate) fn keep_joining(&self, joining: &Joining) -> io::Result<()> {
        checked::write_alone(&self.folder.join(JOINING), &json::canonical_of(joining))
    }

    /// What is trusted; none before the first assignment.
    pub(crate) fn trusted(&self) -> Result<Option<Trusted>, Unusable> {
        self.document(TRUSTED)
    }

    /// Keeps what is trusted.
    pub(crate) fn keep_trusted(&self, trusted: &Trusted) -> io::Result<()> {
        checked::write(&self.folder.join(TRUSTED), &json::canonical_of(trusted))
    }

    /// The copy of the inventory.
    pub(crate) fn inventory(&self) -> Result<Option<Inventory>, Unusable> {
        let file = self.folder.join(INVENTORY);
        let Some(bytes) = checked::read(&file, DOCUMENT_BYTES)? else { return Ok(None) };
        let why = |error: crate::inventory::BadInventory| Unusable::Damaged { file, why: error.to_string() };
        Inventory::from_bytes(&bytes).map(Some).map_err(why)
    }

    /// Notes that what was trusted is not here, before anything is trusted anew: whatever the inventory holds may be more
    /// than what is assigned by then.
    pub(crate) fn note_lost(&self) -> io::Result<()> {
        let here = match self.inventory() {
            Ok(here) => here.unwrap_or_default(),
            Err(error) if error.is_damaged() => Inventory::default(),
            Err(error) => return Err(io::Error::other(error)),
        };
        if here.lost { Ok(()) } else { self.keep_inventory(&Inventory { lost: true, ..here }) }
    }

    /// Keeps a copy of the inventory; the other one is in the target.
    pub(crate) fn keep_inventory(&self, inventory: &Inventory) -> io::Result<()> {
        checked::write_alone(&self.folder.join(INVENTORY), &inventory.to_bytes())
    }

    /// A small object that is named by its digest: an assignment's envelope, a set, values.
    pub(crate) fn object(&self, digest: Digest) -> Option<Vec<u8>> {
        let know = |bytes: Vec<u8>| (Digest::of(&bytes) == digest).then_some(bytes);
        checked::read_known_either(&self.object_file(digest), know)
    }

    /// Keeps a small object.
    pub(crate) fn keep_object(&self, bytes: &[u8]) -> io::Result<()> {
        checked::write_known(&self.object_file(Digest::of(bytes)), bytes)
    }

    /// Removes small objects that nothing names any more.
    pub(crate) fn drop_objects_but(&self, keep: &[Digest]) -> io::Result<()> {
        for entry in std::fs::read_dir(self.folder.join("o"))? {
            let entry = entry?;
            let name = entry.file_name();
            let name = name.to_str().map(|name| name.split('.').next().unwrap_or_default());
            let named = name.and_then(|name| Digest::from_hex(name).ok());
            if named.is_some_and(|digest| !keep.contains(&digest)) {
                files::remove(&entry.path())?;
            }
        }
        Ok(())
    }

    fn object_file(&self, digest: Digest) -> PathBuf {
        self.folder.join("o").join(digest.hex())
    }

    fn document<T: serde::de::DeserializeOwned>(&self, name: &str) -> Result<Option<T>, Unusable> {
        let file = self.folder.join(name);
        checked::read_either(&file, DOCUMENT_BYTES, |bytes| {
            json::document(bytes)
                .map_err(|error| Unusable::Damaged { file: file.clone(), why: error.to_string() })
        })
    }
}
