//! The directory target: files instead of objects, for k3s and k0s auto-deploy folders, static pods, or just to look.
//! The digest of a file's bytes stands for its UID: an edited file is another one, which is repaired while it is
//! wanted, and never deleted. Health is unknown.
//!
//! What we keep ourselves (which folder this is, the inventory, the lock) lies in `.windlass`, where no reader of manifests
//! looks.

mod file;
mod kept;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use cdn::document::HoldReason;
use cdn::object::is_cluster_scoped;
use cdn::{Digest, ObjectId, ServiceName};
use program::files::{self, Lock, LockError};

use crate::disk::Disk;
use crate::target::{
    Address, Applied, Deleted, KindRef, Marked, NotLoaded, Prepared, Refusal, Seen, Served, Sharded,
};

/// A folder of manifests, which nobody else has while it is open.
#[derive(Debug)]
pub struct Directory {
    place: Arc<Place>,
    disk: Disk,
    pub(crate) deletes: bool,
}

/// A folder that is locked, until all work in it has ended.
#[derive(Debug)]
struct Place {
    folder: PathBuf,
    _lock: Lock,
}

/// Why a folder cannot be used at all.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another agent uses it.
    #[error(transparent)]
    Locked(#[from] LockError),
    /// It cannot be made or read.
    #[error("target folder {}: {source}; check that it is writable, or name another with --target", folder.display())]
    Unusable {
        /// The folder.
        folder: PathBuf,
        /// What went wrong.
        source: io::Error,
    },
}

/// A file of ours is never larger: an object is at most 1 MiB, and spread over lines at most a few times that.
const FILE_BYTES: u64 = 16 << 20;

impl Directory {
    /// A folder, made if it is missing. One agent at a time has it: two would share one inventory, and the removal of one
    /// would delete what the other runs (law L7). `deletes`: whether its reader takes a removed file as a removed object.
    pub fn open(folder: &Path, deletes: bool) -> Result<Self, OpenError> {
        let unusable = |source| OpenError::Unusable { folder: folder.to_owned(), source };
        files::create_directory(folder, 0o755).map_err(unusable)?;
        let kept = folder.join(kept::FOLDER);
        files::create_directory(&kept, 0o700).map_err(unusable)?;
        let lock = Lock::acquire(&kept)?;
        for place in [folder, &kept] {
            if let Err(error) = files::sweep(place) {
                tracing::warn!(folder = %place.display(), %error, "what a crash has left there stays");
            }
        }
        let place = Place { folder: folder.to_owned(), _lock: lock };
        Ok(Self { place: Arc::new(place), disk: Disk::new(), deletes })
    }

    pub(crate) async fn home(&self) -> Result<String, Refusal> {
        self.with(kept::home).await
    }

    #[expect(clippy::unused_async, reason = "one signature for both targets")]
    pub(crate) async fn served(&self, kinds: &BTreeSet<KindRef>) -> BTreeMap<KindRef, Served> {
        // A folder cannot be asked; a definition in the same bundle stands before this.
        let yes = |kind: &KindRef| Served::Yes {
            namespaced: !is_cluster_scoped(&kind.group, &kind.kind),
            version: kind.version.clone(),
        };
        // No cluster has another kind, and with a dot in it two kinds of two groups could share a file.
        let is_kind = |kind: &KindRef| kind.kind.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let served = |kind: &KindRef| if is_kind(kind) { yes(kind) } else { Served::Absent };
        kinds.iter().map(|kind| (kind.clone(), served(kind))).collect()
    }

    pub(crate) async fn wait_served(
        &self,
        kinds: &BTreeSet<KindRef>,
        _within: Duration,
    ) -> BTreeMap<KindRef, Served> {
        self.served(kinds).await
    }

    pub(crate) async fn observe(&self, addresses: &[Address]) -> BTreeMap<ObjectId, Seen> {
        let ids: Vec<ObjectId> = addresses.iter().map(|address| address.id.clone()).collect();
        self.with(|folder| ids.into_iter().map(|id| (id.clone(), file::look(folder, &id))).collect()).await
    }

    pub(crate) async fn marked(&self, fleet: Digest) -> Result<Marked, Refusal> {
        let objects = self.with(move |folder| file::marked(folder, fleet)).await?;
        Ok(Marked { objects, ..Marked::default() })
    }

    pub(crate) async fn apply(&self, prepared: &Prepared) -> Result<Applied, Refusal> {
        let prepared = prepared.clone();
        self.with(move |folder| file::apply(folder, &prepared)).await
    }

    pub(crate) async fn delete(
        &self,
        address: &Address,
        uid: &str,
        _resource_version: Option<&str>,
    ) -> Result<Deleted, Refusal> {
        let (id, uid) = (address.id.clone(), uid.to_owned());
        self.with(move |folder| file::delete(folder, &id, &uid)).await
    }

    pub(crate) async fn release(
        &self,
        address: &Address,
        uid: &str,
        _service: &ServiceName,
    ) -> Result<(), Refusal> {
        let (id, uid) = (address.id.clone(), uid.to_owned());
        self.with(move |folder| file::release(folder, &id, &uid)).await
    }

    pub(crate) async fn load_inventory(&self) -> Result<Option<Sharded>, NotLoaded> {
        self.with(kept::load).await
    }

    pub(crate) async fn save_inventory(&self, inventory: &Sharded) -> Result<(), Refusal> {
        let inventory = inventory.clone();
        self.with(move |folder| kept::save(folder, &inventory)).await
    }

    pub(crate) async fn remove_inventory(&self) -> Result<(), Refusal> {
        self.with(kept::remove).await
    }

    /// File work, away from the network's threads.
    async fn with<T: Send + 'static>(&self, work: impl FnOnce(&Path) -> T + Send + 'static) -> T {
        let place = Arc::clone(&self.place);
        let work = move || {
            let done = work(&place.folder);
            // Before the work counts as ended: the lock goes with the last of these.
            drop(place);
            done
        };
        self.disk.run(work).await
    }

    pub(crate) async fn settled(&self) {
        self.disk.settled().await;
    }
}

/// A file could not be read or written; it may be possible the next time.
fn failed(path: &Path, error: &io::Error) -> Refusal {
    let name = path.file_name().map(PathBuf::from).unwrap_or_default();
    let forbidden = [io::ErrorKind::PermissionDenied, io::ErrorKind::ReadOnlyFilesystem];
    let reason =
        if forbidden.contains(&error.kind()) { HoldReason::Forbidden } else { HoldReason::ApplyFailed };
    Refusal::passing(reason, format!("file {}: {error}", name.display()))
}
