//! Clears the cache of what nothing names any more. All of it may be lost: then it is fetched or looked at anew.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// What was written so lately stays: a list of services may be wrong for a while.
const YOUNG: Duration = Duration::from_hours(24);

/// What lies in a folder, is not to be kept, and was not written to for a day.
pub(crate) fn stale(folder: &Path, keep: impl Fn(&Path) -> bool) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    entries.filter(|path| !keep(path) && is_old(path)).collect()
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
