//! Files that carry the digest of what they hold: the first line is the digest of the rest. What nothing else could
//! stand in for has a twin, so that one damaged file loses nothing - and nothing older ever stands in (law L4).

use std::io;
use std::path::{Path, PathBuf};

use cdn::Digest;
use program::files;

use super::Damaged;

/// Replaces a file and its twin. Once the file is there it counts; a twin that cannot be written goes, since what it says
/// is older now.
pub(super) fn write(file: &Path, body: &[u8]) -> io::Result<()> {
    write_alone(file, body)?;
    let twin = twin(file);
    if let Err(error) = write_alone(&twin, body) {
        tracing::warn!(file = %twin.display(), %error, "a file has no twin until it is written again");
        if let Err(error) = files::remove(&twin) {
            tracing::error!(file = %twin.display(), %error, "an older twin cannot be removed");
        }
    }
    Ok(())
}

/// Replaces a file.
pub(super) fn write_alone(file: &Path, body: &[u8]) -> io::Result<()> {
    let mut bytes = format!("{}\n", Digest::of(body)).into_bytes();
    bytes.extend_from_slice(body);
    files::write_atomic(file, &bytes, 0o600)
}

/// Reads a file: none where it is missing, an error where it is not what was written.
pub(super) fn read(file: &Path, max: u64) -> Result<Option<Vec<u8>>, Damaged> {
    let damaged = |why: String| Damaged { file: file.to_owned(), why };
    let bytes = match files::read_bounded(file, max) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(damaged(error.to_string())),
        Ok(bytes) => bytes,
    };
    let end = bytes.iter().position(|byte| *byte == b'\n');
    let (line, body) = bytes.split_at(end.ok_or_else(|| damaged("it has no digest".to_owned()))?);
    let body = &body[1..];
    let named = std::str::from_utf8(line).ok().and_then(|line| line.parse::<Digest>().ok());
    if named == Some(Digest::of(body)) {
        Ok(Some(body.to_vec()))
    } else {
        Err(damaged("its bytes are not those that its digest names".to_owned()))
    }
}

/// Reads a file, or else its twin.
pub(super) fn read_either<T>(
    file: &Path,
    max: u64,
    parse: impl Fn(&[u8]) -> Result<T, Damaged>,
) -> Result<Option<T>, Damaged> {
    let one = |file: &Path| read(file, max).and_then(|body| body.as_deref().map(&parse).transpose());
    match (one(file), one(&twin(file))) {
        (Ok(Some(document)), _) => Ok(Some(document)),
        (Ok(None), twin) => twin,
        (Err(error), Ok(Some(twin))) => {
            tracing::warn!(%error, "its twin is used");
            Ok(Some(twin))
        }
        (Err(error), Ok(None) | Err(_)) => Err(error),
    }
}

/// The file that holds the same once more.
pub(super) fn twin(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".twin");
    PathBuf::from(name)
}
