//! Clears the cache of what nothing names any more. All of it may be lost: then it is fetched or looked at anew.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::child::folder_bytes;

/// What was written so lately stays: a list of services may be wrong for a while.
const YOUNG: Duration = Duration::from_hours(24);

/// What lies in a folder, is not to be kept, and was not written to for a day.
pub(crate) fn stale(folder: &Path, keep: impl Fn(&Path) -> bool) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    entries.filter(|path| !keep(path) && is_old(path)).collect()
}

/// What has to go so that all that lies in a folder has at most so many bytes: of what is not to be kept, that which was
/// written to the longest ago. What is kept may be more alone.
pub(crate) fn excess(folder: &Path, most: u64, keep: impl Fn(&Path) -> bool) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let sized = |path: PathBuf| {
        let bytes = folder_bytes(&path);
        (path, bytes)
    };
    let sized: Vec<(PathBuf, u64)> = entries.map(sized).collect();
    let mut total: u64 = sized.iter().map(|(_, bytes)| bytes).sum();
    let mut unused: Vec<(PathBuf, u64)> = sized.into_iter().filter(|(path, _)| !keep(path)).collect();
    unused.sort_by_key(|(path, _)| newest(path));
    let mut gone = Vec::new();
    for (path, bytes) in unused {
        if total <= most {
            break;
        }
        total -= bytes;
        gone.push(path);
    }
    gone
}

/// Removes a file, or a folder with all that is in it.
pub(crate) fn remove(path: &Path) {
    let is_folder = std::fs::symlink_metadata(path).is_ok_and(|about| about.is_dir());
    let removed = if is_folder { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) };
    match removed {
        Ok(()) => tracing::info!(path = %path.display(), "removed from the cache: nothing names it any more"),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => tracing::warn!(path = %path.display(), %error, "cannot be removed from the cache"),
    }
}

fn is_old(path: &Path) -> bool {
    let age = newest(path).and_then(|time| SystemTime::now().duration_since(time).ok());
    age.is_some_and(|age| age > YOUNG)
}

/// When the youngest of all that is in it was written.
fn newest(path: &Path) -> Option<SystemTime> {
    let (mut newest, mut left) = (None, vec![path.to_owned()]);
    while let Some(path) = left.pop() {
        let about = std::fs::symlink_metadata(&path).ok()?;
        newest = newest.max(about.modified().ok());
        if about.is_dir() {
            left.extend(std::fs::read_dir(path).ok()?.flatten().map(|entry| entry.path()));
        }
    }
    newest
}

#[cfg(test)]
mod tests;
