//! Files that a power cut cannot tear (law L11): written beside, flushed, renamed, and the directory flushed too.
//!
//! Everything here blocks; from async code call it inside `tokio::task::spawn_blocking`.

mod lock;
mod staged;

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

pub use lock::{Lock, LockError};
pub use staged::{Staged, sweep};

/// Replaces `path` by `bytes` as one step: a reader, or the machine after a power cut, sees the old content or the
/// new one. `mode` is the new file's permission bits, such as `0o600`.
pub fn write_atomic(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    staged(path, bytes, mode, Staged::commit)
}

/// Creates `path` with `bytes`, complete and durable, or fails with [`io::ErrorKind::AlreadyExists`] and leaves the
/// file that is there alone. For immutable objects.
pub fn create_exclusive(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    if fs::exists(path)? {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    staged(path, bytes, mode, Staged::commit_new)
}

/// Reads a regular file of at most `max` bytes; a larger one, a device or a pipe is an error before it costs memory.
pub fn read_bounded(path: &Path, max: u64) -> io::Result<Vec<u8>> {
    let too_large =
        || io::Error::new(io::ErrorKind::FileTooLarge, format!("larger than the limit of {max} bytes"));
    // Asked before opening: opening a pipe would wait for its other end.
    let about = fs::metadata(path)?;
    if !about.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    if about.len() > max {
        return Err(too_large());
    }
    let mut bytes = Vec::with_capacity(usize::try_from(about.len()).map_err(|_| too_large())?);
    // The size above may be a lie (a growing file, /proc), so the reading is bounded too.
    File::open(path)?.take(max.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > max { Err(too_large()) } else { Ok(bytes) }
}

/// Creates a directory and its missing parents, durably, with permission bits `mode`. One that is there stays as it is.
pub fn create_directory(path: &Path, mode: u32) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    let parent = parent_of(path);
    if !parent.is_dir() {
        create_directory(&parent, mode)?;
    }
    match fs::DirBuilder::new().mode(mode).create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        Err(error) => Err(error),
        Ok(()) => flush_directory(&parent),
    }
}

/// Removes a file and makes that durable. A file that is not there is fine: `false`.
pub fn remove(path: &Path) -> io::Result<bool> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
        Ok(()) => flush_directory(&parent_of(path)).map(|()| true),
    }
}

/// Makes renames, links and removals inside a directory durable.
pub fn flush_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

fn staged(path: &Path, bytes: &[u8], mode: u32, commit: fn(Staged) -> io::Result<()>) -> io::Result<()> {
    let mut staged = Staged::create(path, mode)?;
    match staged.write_all(bytes) {
        Ok(()) => commit(staged),
        Err(error) => {
            staged.discard();
            Err(error)
        }
    }
}

fn parent_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

fn create_new(path: &Path, mode: u32) -> io::Result<File> {
    File::options().write(true).create_new(true).mode(mode).open(path)
}
