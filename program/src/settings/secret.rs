//! Secrets come by file, never by flag: an argument or a variable is seen by everyone who may list processes.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::files;

const MAX_BYTES: u64 = 64 * 1024;
const READABLE_BY_OTHERS: u32 = 0o004;

/// Why a secret's file is of no use.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The file cannot be read, or is larger than 64 KiB.
    #[error("secret file {}: {why}; check the path and that this user may read it", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// What went wrong.
        why: io::Error,
    },
    /// The file holds nothing.
    #[error("secret file {} is empty; write the secret into it", .0.display())]
    Empty(PathBuf),
    /// The file is not UTF-8 text.
    #[error("secret file {} is not text; it must hold the secret alone, as one line", .0.display())]
    NotText(PathBuf),
}

/// Reads a secret of at most 64 KiB and drops one newline at its end. The caller puts it at once into a type
/// without `Display`. A file that every user of the machine may read is used, with a warning.
pub fn read_secret(path: &Path) -> Result<String, SecretError> {
    let unreadable = |why| SecretError::Unreadable { file: path.to_owned(), why };
    let bytes = files::read_bounded(path, MAX_BYTES).map_err(unreadable)?;
    let mode = std::fs::metadata(path).map_err(unreadable)?.permissions().mode();
    if mode & READABLE_BY_OTHERS != 0 {
        tracing::warn!(
            file = %path.display(),
            mode = format!("{:03o}", mode & 0o777),
            "a secret is readable by every user of this machine; set its mode to 0400 or 0440"
        );
    }
    let mut text = String::from_utf8(bytes).map_err(|_| SecretError::NotText(path.to_owned()))?;
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    if text.is_empty() { Err(SecretError::Empty(path.to_owned())) } else { Ok(text) }
}
