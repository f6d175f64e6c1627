//! Looks at folders of this machine, bounded in time: what lies on a mount that does not answer keeps its reader waiting,
//! and nothing can call that one back. Nobody waits for it here, and it is not sent again before it has come back.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{Instant, timeout};

/// Time for one look: the bound of files is read in it from a slow disk.
const PATIENCE: Duration = Duration::from_mins(1);
/// So many lookers that do not come back; each is a thread.
const LOST: usize = 64;

/// Who is away, by folder. Clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Folders(Arc<Mutex<HashMap<PathBuf, Vec<Away>>>>);

/// A looker, from its start on: who waits for it may give up at any time.
#[derive(Debug)]
struct Away {
    since: Instant,
    thread: JoinHandle<()>,
}

impl Away {
    fn is_lost(&self) -> bool {
        self.since.elapsed() >= PATIENCE
    }
}

impl Folders {
    /// What a look at a folder gives, which waits for the disk.
    pub(crate) async fn look<T, F>(&self, folder: &Path, look: F) -> io::Result<T>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        if let Some(why) = self.is_silent(folder) {
            return Err(silent(why));
        }
        let (told, seen) = oneshot::channel();
        // A thread of its own: the runtime's would hold up the end of the program.
        let thread = std::thread::Builder::new().name("folder".to_owned()).spawn(move || {
            // Nobody waits for it any more where this fails.
            let _unheard: Result<(), T> = told.send(look());
        })?;
        self.away().entry(folder.to_owned()).or_default().push(Away { since: Instant::now(), thread });
        match timeout(PATIENCE, seen).await {
            Ok(seen) => {
                seen.map_err(|_| io::Error::other("looking at it broke off; this is a fault of Windlass"))
            }
            Err(_) => Err(silent("does not answer")),
        }
    }

    /// Why nobody is sent there: somebody is lost there, or too many are anywhere.
    fn is_silent(&self, folder: &Path) -> Option<&'static str> {
        let mut away = self.away();
        away.retain(|_, lookers| {
            lookers.retain(|looker| !looker.thread.is_finished());
            !lookers.is_empty()
        });
        if away.get(folder).is_some_and(|lookers| lookers.iter().any(Away::is_lost)) {
            return Some("has not answered an earlier look yet");
        }
        let lost = away.values().flatten().filter(|looker| looker.is_lost()).count();
        (lost >= LOST).then_some("is not looked at, since too many other folders do not answer")
    }

    fn away(&self) -> MutexGuard<'_, HashMap<PathBuf, Vec<Away>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn silent(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, format!("it {why}; look at the mount that it lies on"))
}

#[cfg(test)]
mod tests;
