//! A store in a folder: layout as [`Key::path`] says, atomic and durable files, safe for several processes at once.

use std::fmt;
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use cdn::key::Room;
use cdn::{Digest, Key};
use program::{files, schedule};
use tokio::time::Instant;

use crate::error::check_digest;
use crate::{Cause, Found, Put, StoreError, SwapError, Version};

/// Web servers of other users read the folder too.
const FILE: u32 = 0o644;
const FOLDER: u32 = 0o755;
/// Locks lie here; no [`Key`] does.
const OWN: &str = ".windlass";
/// Made when a store is opened, and never again: where it is missing, the folder is not the one that was opened.
const WRITERS: &str = "writers";
/// A swap takes milliseconds: who waits longer waits for somebody who hangs.
const PATIENCE: Duration = Duration::from_secs(10);
const GLANCE: Duration = Duration::from_millis(20);

/// A folder of this machine.
#[derive(Clone, Debug)]
pub struct Directory {
    root: PathBuf,
    /// Locked shared by every writer while it lives: see [`clear`].
    _writing: Arc<File>,
}

impl Directory {
    pub(crate) async fn open(root: &Path) -> Result<Self, StoreError> {
        let root = std::path::absolute(root).unwrap_or_else(|_| root.to_owned());
        let fail = |cause| StoreError { store: root.display().to_string(), place: "open".to_owned(), cause };
        let at = root.clone();
        let writing = blocking(move || Ok(prepare(&at)?)).await.map_err(fail)?;
        Ok(Self { root, _writing: Arc::new(writing) })
    }

    pub(crate) async fn put(&self, key: &Key, bytes: Bytes) -> Result<Put, StoreError> {
        let (root, path, kind) = (self.root.clone(), self.path(key), key.clone());
        let put = blocking(move || {
            check_there(&root)?;
            put(&path, &kind, &bytes)
        });
        put.await.map_err(|cause| self.fail(key, cause))
    }

    pub(crate) async fn get(&self, key: &Key) -> Result<Option<Found>, StoreError> {
        let (path, limit) = (self.path(key), key.max_bytes());
        blocking(move || get(&path, limit)).await.map_err(|cause| self.fail(key, cause))
    }

    pub(crate) async fn swap(
        &self,
        key: &Key,
        bytes: Bytes,
        expected: Option<Version>,
    ) -> Result<Version, SwapError> {
        let fail = |cause| self.fail(key, cause);
        let root = self.root.clone();
        blocking(move || check_there(&root)).await.map_err(fail)?;
        let lock = self.lock().await.map_err(fail)?;
        let (path, limit) = (self.path(key), key.max_bytes());
        let swapped = blocking(move || {
            // Moved in here, so that the lock outlives a caller who stops waiting.
            let _lock = lock;
            let found = get(&path, limit)?;
            let new = version(&bytes);
            if found.as_ref().is_some_and(|found| found.version == new) {
                files::flush_directory(parent(&path))?;
                return Ok(Ok(new));
            }
            if found.as_ref().map(|found| &found.version) != expected.as_ref() {
                return Ok(Err(SwapError::Conflict(found)));
            }
            files::create_directory(parent(&path), FOLDER)?;
            files::write_atomic(&path, &bytes, FILE)?;
            Ok(Ok(new))
        });
        swapped.await.map_err(fail)?
    }

    /// The lock for compare-and-set, across processes (`flock`: the kernel frees it when its holder dies).
    async fn lock(&self) -> Result<File, Cause> {
        let path = self.root.join(OWN).join("swap");
        let until = Instant::now() + PATIENCE;
        loop {
            let at = path.clone();
            if let Some(lock) = blocking(move || Ok(taken(&at)?)).await? {
                return Ok(lock);
            }
            if Instant::now() >= until {
                let path = path.display();
                return Err(Cause::Locked(format!(
                    "another process has held {path} for 10 s; find it with `fuser {path}` and end it"
                )));
            }
            tokio::time::sleep(GLANCE / 4 + schedule::jitter(GLANCE)).await;
        }
    }

    fn path(&self, key: &Key) -> PathBuf {
        self.root.join(key.path())
    }

    fn fail(&self, key: &Key, cause: Cause) -> StoreError {
        StoreError { store: self.to_string(), place: key.to_string(), cause }
    }
}

impl fmt::Display for Directory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.root.display().fmt(f)
    }
}

/// Refuses to write where the folder that was opened is no more. A volume that is not mounted leaves an empty folder in
/// its place, and what is put there is on another disk, beside the store.
fn check_there(root: &Path) -> Result<(), Cause> {
    match root.join(OWN).join(WRITERS).try_exists() {
        Ok(true) => Ok(()),
        Ok(false) => Err(Cause::Gone),
        Err(error) => Err(error.into()),
    }
}

fn put(path: &Path, key: &Key, bytes: &[u8]) -> Result<Put, Cause> {
    files::create_directory(parent(path), FOLDER)?;
    match files::create_exclusive(path, bytes, FILE) {
        Ok(()) => return Ok(Put::New),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error.into()),
    }
    match files::read_bounded(path, key.max_bytes()) {
        Ok(there) if there == bytes => {
            // Its writer may have been killed before its name was durable: what points to it must not be so first.
            files::flush_directory(parent(path))?;
            return Ok(Put::AlreadyThere);
        }
        Ok(there) if check_digest(key, &there).is_ok() => return Err(Cause::Different),
        // A disk that rots, a copy that was cut: the key says what is right, and these bytes are.
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::FileTooLarge => {}
        Err(error) => return Err(error.into()),
    }
    tracing::warn!(file = %path.display(), "a stored object was damaged; it is replaced by the right bytes");
    files::write_atomic(path, bytes, FILE)?;
    Ok(Put::New)
}

fn get(path: &Path, limit: u64) -> Result<Option<Found>, Cause> {
    match files::read_bounded(path, limit) {
        Ok(bytes) => Ok(Some(Found { version: version(&bytes), bytes: bytes.into() })),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) if error.kind() == io::ErrorKind::FileTooLarge => Err(Cause::TooLarge { limit }),
        Err(error) => Err(error.into()),
    }
}

fn version(bytes: &[u8]) -> Version {
    Version(Digest::of(bytes).hex())
}

/// Makes the folder, clears it, and joins its writers.
fn prepare(root: &Path) -> io::Result<File> {
    let own = root.join(OWN);
    files::create_directory(&own, FOLDER)?;
    let rooms = rooms(root);
    let path = own.join(WRITERS);
    if let Some(alone) = taken(&path)? {
        clear(&rooms)?;
        drop(alone);
    }
    // A folder that a killed writer has made may not be durable yet, and the next writer finds it there.
    [root.to_owned(), root.join("v1"), root.join("v1").join(Room::Heads.name())]
        .iter()
        .chain(&rooms)
        .filter(|folder| folder.is_dir())
        .try_for_each(|folder| files::flush_directory(folder))?;
    let writing = lock_file(&path)?;
    writing.lock_shared()?;
    Ok(writing)
}

/// Removes what crashed writers left. Only when this process is the folder's one writer: an unfinished file looks
/// the same whether its writer is dead or busy.
fn clear(rooms: &[PathBuf]) -> io::Result<()> {
    for folder in rooms {
        let removed = files::sweep(folder)?;
        if removed > 0 {
            tracing::info!(folder = %folder.display(), removed, "removed files that a crashed writer left");
        }
    }
    Ok(())
}

/// The folders that files of keys lie in, as far as they are there.
fn rooms(root: &Path) -> Vec<PathBuf> {
    let mut folders = Vec::new();
    for room in Room::ALL {
        let folder = root.join("v1").join(room.name());
        match room {
            Room::Heads => {
                let projects = fs::read_dir(folder).into_iter().flatten();
                folders.extend(projects.filter_map(|project| Some(project.ok()?.path())));
            }
            Room::Objects | Room::Roots | Room::Routes | Room::Desired => folders.push(folder),
        }
    }
    folders.retain(|folder| folder.is_dir());
    folders
}

fn lock_file(path: &Path) -> io::Result<File> {
    File::options().read(true).write(true).create(true).truncate(false).open(path)
}

fn taken(path: &Path) -> io::Result<Option<File>> {
    let file = lock_file(path)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

fn parent(path: &Path) -> &Path {
    path.parent().unwrap_or(path)
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Cause> + Send + 'static,
) -> Result<T, Cause> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(ended) => Err(Cause::File(io::Error::other(ended))),
    }
}
