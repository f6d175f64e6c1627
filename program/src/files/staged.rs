//! A file in the making: it lies beside its place under a name that no reader asks for, until it is complete.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use super::{create_new, flush_directory, parent_of};

const PREFIX: &str = ".staged-";
static NEXT: AtomicU64 = AtomicU64::new(0);

/// A file that is being written and has no name yet that counts. End it with [`Staged::commit`],
/// [`Staged::commit_new`] or [`Staged::discard`]; what a crash leaves behind, [`sweep`] removes.
#[derive(Debug)]
pub struct Staged {
    file: File,
    temporary: PathBuf,
    path: PathBuf,
}

impl Staged {
    /// Starts a file that shall lie at `path`, with permission bits `mode`, in the same directory.
    pub fn create(path: &Path, mode: u32) -> io::Result<Self> {
        // Other processes may write here too, and one killed earlier may have left its names.
        for _ in 0..64 {
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let temporary = parent_of(path).join(format!("{PREFIX}{}-{number}", std::process::id()));
            match create_new(&temporary, mode) {
                Ok(file) => return Ok(Self { file, temporary, path: path.to_owned() }),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::Error::new(
            io::ErrorKind::AlreadyExists,
            "no free name for a temporary file; sweep the directory",
        ))
    }

    /// Flushes the file and puts it in its place, over whatever is there.
    pub fn commit(self) -> io::Result<()> {
        let placed = self.file.sync_all().and_then(|()| fs::rename(&self.temporary, &self.path));
        self.after(placed)
    }

    /// Flushes the file and puts it in its place if nothing is there, else fails with
    /// [`io::ErrorKind::AlreadyExists`].
    pub fn commit_new(self) -> io::Result<()> {
        let placed = self.file.sync_all().and_then(|()| match fs::hard_link(&self.temporary, &self.path) {
            Err(error) if no_links_here(&error) => copy_new(&self.temporary, &self.path),
            linked => linked,
        });
        let placed = placed.and_then(|()| fs::remove_file(&self.temporary));
        self.after(placed)
    }

    /// Gives up: removes what was written.
    pub fn discard(self) {
        if let Err(error) = fs::remove_file(&self.temporary) {
            tracing::warn!(file = %self.temporary.display(), %error, "a temporary file stays until the next start");
        }
    }

    fn after(self, placed: io::Result<()>) -> io::Result<()> {
        match placed {
            Ok(()) => flush_directory(&parent_of(&self.path)),
            Err(error) => {
                self.discard();
                Err(error)
            }
        }
    }
}

impl Write for Staged {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Removes what crashed writers left in a directory, and says how many. Call it when the directory's lock is held:
/// it cannot tell a crashed writer from a busy one.
pub fn sweep(directory: &Path) -> io::Result<usize> {
    let mut removed = 0;
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_name().as_encoded_bytes().starts_with(PREFIX.as_bytes()) {
            fs::remove_file(entry.path())?;
            removed += 1;
        }
    }
    Ok(removed)
}

/// FAT on a USB stick, and some network file systems, know no hard links.
fn no_links_here(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::Unsupported)
}

/// Without links a new name and complete content cannot be one step. The name is taken first, so that two writers
/// still exclude each other; a crash in between leaves a short file, which the digest that readers check betrays.
fn copy_new(from: &Path, to: &Path) -> io::Result<()> {
    let mut file = create_new(to, fs::metadata(from)?.permissions().mode() & 0o777)?;
    let copied = File::open(from)
        .and_then(|mut source| io::copy(&mut source, &mut file))
        .and_then(|_| file.sync_all());
    if copied.is_err() {
        fs::remove_file(to)?;
    }
    copied
}

#[cfg(test)]
mod tests;
