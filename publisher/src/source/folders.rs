//! Looks at folders of this machine, bounded in time: what lies on a mount that does not answer keeps its reader waiting,
//! and nothing can call that one back. Nobody waits for it here, and it is not sent again before it has come back.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout;

/// Time for one look: the bound of files is read in it from a slow disk.
const PATIENCE: Duration = Duration::from_mins(1);
/// So many lookers that do not come back; each is a thread.
const LOST: usize = 64;

/// Who has not come back, by folder. Clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Folders(Arc<Mutex<HashMap<PathBuf, Vec<JoinHandle<()>>>>>);

impl Folders {
    /// What a look at a folder gives, which waits for the disk.
    pub(crate) async fn look<T, F>(&self, folder: &Path, look: F) -> io::Result<T>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        if self.is_silent(folder) {
            return Err(silent("has not answered an earlier look yet"));
        }
        let (told, seen) = oneshot::channel();
        // A thread of its own: the runtime's would hold up the end of the program.
        let looker = std::thread::Builder::new().name("folder".to_owned()).spawn(move || {
            // Nobody waits for it any more where this fails.
            let _unheard: Result<(), T> = told.send(look());
        })?;
        if let Ok(seen) = timeout(PATIENCE, seen).await {
            return seen
                .map_err(|_| io::Error::other("looking at it broke off; this is a fault of Windlass"));
        }
        self.lost().entry(folder.to_owned()).or_default().push(looker);
        Err(silent("does not answer"))
    }

    /// Whether somebody is still away there, or too many are anywhere.
    fn is_silent(&self, folder: &Path) -> bool {
        let mut lost = self.lost();
        lost.retain(|_, lookers| {
            lookers.retain(|looker| !looker.is_finished());
            !lookers.is_empty()
        });
        lost.contains_key(folder) || lost.values().map(Vec::len).sum::<usize>() >= LOST
    }

    fn lost(&self) -> MutexGuard<'_, HashMap<PathBuf, Vec<JoinHandle<()>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn silent(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, format!("it {why}; look at the mount that it lies on"))
}

#[cfg(test)]
mod tests;
