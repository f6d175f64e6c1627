//! One process per state directory or file: two that write the same state would undo each other's promises.

use std::ffi::OsString;
use std::fs::{self, File, Permissions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

const NAME: &str = "lock";
/// What the lock of a single file adds to its name.
const BESIDE: &str = "-lock";
/// As many links as Linux follows.
const MAX_LINKS: usize = 40;
const MAX_HOLDER_BYTES: u64 = 256;
/// The rights of all but the owner.
const OTHERS: u32 = 0o077;
const PRIVATE: u32 = 0o600;
const ANOTHER: &str = "another process";

/// Holds a directory, or one file, for this process, until dropped or until the process ends, however it ends.
#[derive(Debug)]
pub struct Lock {
    file: File,
    path: PathBuf,
    /// The directory itself, where that is locked too.
    whole: Option<File>,
}

/// Why a directory or a file could not be taken.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process has it.
    #[error(
        "{} is in use by {holder}; stop that process, or give this one a directory of its own",
        directory.display()
    )]
    Held {
        /// The directory, or the file.
        directory: PathBuf,
        /// What the other process wrote about itself.
        holder: String,
    },
    /// The lock file cannot be made or locked.
    #[error("cannot lock {}: {why}; check that the directory exists and that this user may write to it", directory.display())]
    Unusable {
        /// The directory, or the file.
        directory: PathBuf,
        /// What went wrong.
        why: io::Error,
    },
}

impl Lock {
    /// Takes the directory, or says at once who has it. The lock is the kernel's (`flock`), so it cannot stay behind
    /// after a crash; what is written in the file only names the holder. So a directory that has been used before can
    /// also be taken where nothing can be written: on a full disk, or one that is mounted read-only (FAULTS I4).
    ///
    /// Whoever may open a thing may lock it, so what others may open is not locked. The file inside is its owner's alone.
    /// Where the directory is too, it is locked itself as well: then the lock outlasts the file, whoever tidies up.
    pub fn acquire(directory: &Path) -> Result<Self, LockError> {
        let path = directory.join(NAME);
        let whole = match lock_whole(directory) {
            Ok(whole) => whole,
            Err(TryLockError::WouldBlock) => return Err(held(directory, File::open(&path).ok())),
            Err(TryLockError::Error(error)) => {
                // Over NFS a directory has no lock; the file has.
                tracing::debug!(%error, directory = %directory.display(), "only the lock's file is locked");
                None
            }
        };
        Self::of(directory, path, whole)
    }

    /// Takes one file alone, by a lock that lies beside it: `api.db` by `api.db-lock`. The file itself is not opened,
    /// and need not be there yet.
    pub fn beside(file: &Path) -> Result<Self, LockError> {
        let mut path = OsString::from(real(file));
        path.push(BESIDE);
        Self::of(file, path.into(), None)
    }

    fn of(directory: &Path, path: PathBuf, whole: Option<File>) -> Result<Self, LockError> {
        let unusable = |why| LockError::Unusable { directory: directory.to_owned(), why };
        let mut file = open(&path).map_err(unusable)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(held(directory, Some(file))),
            Err(TryLockError::Error(why)) => return Err(unusable(why)),
        }
        if let Err(error) = file.set_len(0).and_then(|()| writeln!(file, "{}", own_name())) {
            tracing::debug!(%error, "the lock does not say whose it is");
        }
        Ok(Self { file, path, whole })
    }

    /// The lock's file.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// The file itself: by whatever links it is reached, also before it is there, it is one file and has one lock.
fn real(file: &Path) -> PathBuf {
    let mut at = file.to_owned();
    for _ in 0..MAX_LINKS {
        if let Ok(real) = fs::canonicalize(&at) {
            return real;
        }
        let Ok(target) = fs::read_link(&at) else { break };
        at = at.parent().unwrap_or(Path::new("")).join(target);
    }
    at
}

/// Said, not left to the closing of the file: a process that this one is just forking holds it open for a moment more.
impl Drop for Lock {
    fn drop(&mut self) {
        // Whoever finds the directory free must find the file free.
        for file in [&self.file].into_iter().chain(&self.whole) {
            if let Err(error) = file.unlock() {
                tracing::warn!(%error, file = %self.path.display(), "a lock ends only with this process's children");
            }
        }
    }
}

/// The directory itself, locked, if nobody else may open it.
fn lock_whole(directory: &Path) -> Result<Option<File>, TryLockError> {
    let whole = File::open(directory).map_err(TryLockError::Error)?;
    if is_for_others(&whole).map_err(TryLockError::Error)? {
        return Ok(None);
    }
    whole.try_lock().map(|()| Some(whole))
}

fn open(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.read(true).write(true).create(true).truncate(false).mode(PRIVATE);
    let file = match options.open(path) {
        Err(error) if error.kind() == io::ErrorKind::ReadOnlyFilesystem => File::open(path),
        opened => opened,
    }?;
    if is_for_others(&file)?
        && let Err(error) = file.set_permissions(Permissions::from_mode(PRIVATE))
    {
        tracing::debug!(%error, file = %path.display(), "others may take this lock");
    }
    Ok(file)
}

fn is_for_others(file: &File) -> io::Result<bool> {
    file.metadata().map(|about| about.permissions().mode() & OTHERS != 0)
}

fn own_name() -> String {
    let program = std::env::current_exe().ok();
    let program =
        program.as_deref().and_then(Path::file_name).map_or("?".into(), |name| name.to_string_lossy());
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    format!("process {} ({program}) on {}", std::process::id(), host.trim())
}

fn held(directory: &Path, file: Option<File>) -> LockError {
    let holder = file.map_or_else(|| ANOTHER.to_owned(), holder);
    LockError::Held { directory: directory.to_owned(), holder }
}

fn holder(file: File) -> String {
    let mut text = String::new();
    let read = file.take(MAX_HOLDER_BYTES).read_to_string(&mut text);
    let text: String = text.trim().chars().filter(|c| !c.is_control()).collect();
    if read.is_err() || text.is_empty() { ANOTHER.to_owned() } else { text }
}
