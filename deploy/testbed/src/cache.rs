//! What is made once and kept between runs: each entry is a folder that is either whole or not there.

use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::environment;

/// A folder of the cache.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) folder: PathBuf,
    /// By this call; else it was there.
    pub(crate) made: bool,
}

/// The entry of this name, made now unless it is there. Whoever comes second waits for the first.
pub(crate) fn entry(name: &str, make: impl FnOnce(&Path) -> Result<()>) -> Result<Entry> {
    entry_in(&environment::parts_folder()?, name, make)
}

fn entry_in(parts: &Path, name: &str, make: impl FnOnce(&Path) -> Result<()>) -> Result<Entry> {
    let folder = parts.join(name);
    if folder.is_dir() {
        return Ok(Entry { folder, made: false });
    }
    fs::create_dir_all(parts).with_context(|| format!("create the cache {}", parts.display()))?;
    let _lock = lock(&parts.join(format!("{name}.lock")), name)?;
    if folder.is_dir() {
        return Ok(Entry { folder, made: false });
    }
    let draft = parts.join(format!("{name}.draft"));
    if draft.exists() {
        fs::remove_dir_all(&draft)
            .with_context(|| format!("remove what an earlier run left, {}", draft.display()))?;
    }
    fs::create_dir(&draft).with_context(|| format!("create {}", draft.display()))?;
    make(&draft)?;
    fs::rename(&draft, &folder).with_context(|| format!("put {} in its place", folder.display()))?;
    Ok(Entry { folder, made: true })
}

/// One line for the person who waits. A test's own output is captured, this is not: a build takes minutes.
pub(crate) fn tell(line: &str) {
    writeln!(io::stderr(), "testbed: {line}").ok();
}

/// A name that changes when any of the texts does (FNV-1a, 64 bits: it tells versions apart, it proves nothing).
pub(crate) fn fingerprint(texts: &[&str]) -> String {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in texts.iter().flat_map(|text| text.bytes().chain([0])) {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    format!("{hash:016x}")
}

/// Held until the file is dropped, or its process dies.
pub(crate) fn lock(path: &Path, what: &str) -> Result<File> {
    let file = File::create(path).with_context(|| format!("open the lock {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => return Ok(file),
        Err(TryLockError::WouldBlock) => tell(&format!("waiting for another run that makes {what}")),
        Err(TryLockError::Error(error)) => return Err(error).context(format!("lock {}", path.display())),
    }
    file.lock().with_context(|| format!("lock {}", path.display()))?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[test]
    fn two_who_want_an_entry_at_once_make_it_once() {
        let parts = tempfile::tempdir().expect("a folder is made");
        let makers = AtomicU32::new(0);
        let make = |draft: &Path| {
            makers.fetch_add(1, Ordering::SeqCst);
            Ok(fs::write(draft.join("program"), "whole")?)
        };
        let want = || entry_in(parts.path(), "entry", make).expect("it is made");
        let (one, other) = std::thread::scope(|scope| {
            let one = scope.spawn(want);
            (want(), one.join().expect("it is made"))
        });
        assert_eq!((makers.into_inner(), one.made ^ other.made), (1, true));
        assert_eq!(fs::read_to_string(one.folder.join("program")).expect("it is there"), "whole");
    }

    #[test]
    fn what_failed_halfway_is_not_there_and_is_made_anew() {
        let parts = tempfile::tempdir().expect("a folder is made");
        let fail = |draft: &Path| {
            fs::write(draft.join("half"), "")?;
            anyhow::bail!("the disk is full")
        };
        entry_in(parts.path(), "entry", fail).expect_err("it fails");
        assert!(!parts.path().join("entry").exists());
        let entry = entry_in(parts.path(), "entry", |draft| Ok(fs::write(draft.join("whole"), "")?))
            .expect("it is made");
        assert!(entry.made && entry.folder.join("whole").exists() && !entry.folder.join("half").exists());
    }
}
