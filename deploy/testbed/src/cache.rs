//! What is made once and kept between runs: each entry is a folder that is either whole or not there.

use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::environment;

/// The entry of this name, made now unless it is there. Whoever comes second waits for the first.
pub(crate) fn entry(name: &str, make: impl FnOnce(&Path) -> Result<()>) -> Result<PathBuf> {
    let parts = environment::parts_folder()?;
    let entry = parts.join(name);
    if entry.is_dir() {
        return Ok(entry);
    }
    fs::create_dir_all(&parts).with_context(|| format!("create the cache {}", parts.display()))?;
    let _lock = lock(&parts.join(format!("{name}.lock")), name)?;
    if entry.is_dir() {
        return Ok(entry);
    }
    let draft = parts.join(format!("{name}.draft"));
    if draft.exists() {
        fs::remove_dir_all(&draft)
            .with_context(|| format!("remove what an earlier run left, {}", draft.display()))?;
    }
    fs::create_dir(&draft).with_context(|| format!("create {}", draft.display()))?;
    make(&draft)?;
    fs::rename(&draft, &entry).with_context(|| format!("put {} in its place", entry.display()))?;
    Ok(entry)
}

/// Whether the entry is there already.
pub(crate) fn has(name: &str) -> bool {
    environment::parts_folder().is_ok_and(|parts| parts.join(name).is_dir())
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
