//! The allow list's file while the daemon runs: what a person adds counts from the next pass on, and a file that is broken
//! takes nothing away and gives nothing.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use cdn::Digest;

use super::{AllowList, BadAllowList, MAX_BYTES};

/// A list, and the file that it was read from.
#[derive(Debug)]
pub(crate) struct AllowFile {
    file: PathBuf,
    held: Mutex<Held>,
}

/// What counts, and what the file was when it was looked at last.
#[derive(Debug)]
struct Held {
    list: Arc<AllowList>,
    seen: Result<Digest, String>,
}

impl AllowFile {
    /// Reads and checks it for the first time.
    pub(crate) fn open(file: PathBuf) -> Result<Self, BadAllowList> {
        let bytes = read(&file).map_err(|why| BadAllowList { file: file.clone(), why })?;
        let seen = Ok(Digest::of(&bytes));
        let list = Arc::new(AllowList::of(&file, bytes)?);
        Ok(Self { file, held: Mutex::new(Held { list, seen }) })
    }

    /// The list that counts.
    pub(crate) fn list(&self) -> Arc<AllowList> {
        Arc::clone(&self.held.lock().unwrap_or_else(PoisonError::into_inner).list)
    }

    /// Reads it again. A file that cannot be read or is wrong is told once, and the list before goes on to count.
    pub(crate) fn look_again(&self) {
        let read = read(&self.file);
        let seen = read.as_ref().map(|bytes| Digest::of(bytes)).map_err(Clone::clone);
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if held.seen == seen {
            return;
        }
        held.seen = seen;
        let bad = |why| BadAllowList { file: self.file.clone(), why };
        match read.map_err(bad).and_then(|bytes| AllowList::of(&self.file, bytes)) {
            Ok(list) => {
                tracing::info!(file = %self.file.display(), "the allow list has changed, and counts as it is now");
                held.list = Arc::new(list);
            }
            Err(error) => {
                tracing::error!(%error, "the allow list as it was before goes on to count; mend the file");
            }
        }
    }
}

fn read(file: &std::path::Path) -> Result<Vec<u8>, String> {
    program::files::read_bounded(file, MAX_BYTES).map_err(|why| why.to_string())
}
