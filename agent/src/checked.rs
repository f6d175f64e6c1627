//! Files that are believed only as they were written: the first line is the digest of the rest, or their readers know
//! them by a name or a signature (`*_known`). What nothing else could stand in for has a twin, so that one damaged file
//! loses nothing - and nothing older ever stands in (law L4).

use std::io;
use std::path::{Path, PathBuf};

use cdn::Digest;
use program::files;

/// A file that is there and gives nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unusable {
    /// It is not what was written, and never will be again.
    #[error("{} is damaged: {why}", file.display())]
    Damaged {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// It may be what was written; nobody can say now.
    #[error("{} cannot be read: {source}; look at its rights and at the disk", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// What went wrong.
        source: io::Error,
    },
}

impl Unusable {
    /// Whether it is lost: what cannot be read just now is not, and nothing may take its place.
    pub(crate) fn is_damaged(&self) -> bool {
        match self {
            Self::Damaged { .. } => true,
            Self::Unreadable { .. } => false,
        }
    }
}

/// What holds its name or its signatures in itself is read up to here.
const KNOWN_BYTES: u64 = 64 << 20;

/// Replaces a file and its twin, the twin first: whatever ends us in between, the twin is never the older of the two. One
/// that cannot be written goes before the file is touched.
pub(crate) fn write(file: &Path, body: &[u8]) -> io::Result<()> {
    let twin = twin(file);
    if let Err(error) = write_alone(&twin, body) {
        tracing::warn!(file = %twin.display(), %error, "a file has no twin until it is written again");
        files::remove(&twin)?;
    }
    write_alone(file, body)
}

/// Replaces a file and its twin by bytes that their readers know without a digest beside them; what holds them already
/// stays. One of the two is enough to go on.
pub(crate) fn write_known(file: &Path, bytes: &[u8]) -> io::Result<()> {
    let write = |file: &Path| {
        let is_there = read_known(file).is_some_and(|there| there == bytes);
        if is_there { Ok(()) } else { files::write_atomic(file, bytes, 0o600) }
    };
    let twin = twin(file);
    if let Err(error) = write(&twin) {
        tracing::warn!(file = %twin.display(), %error, "a file has no twin until it is written again");
    }
    write(file)
}

/// A file, and else its twin: the first of which `know` makes something.
pub(crate) fn read_known_either<T>(file: &Path, know: impl Fn(Vec<u8>) -> Option<T>) -> Option<T> {
    read_known(file).and_then(&know).or_else(|| read_known(&twin(file)).and_then(&know))
}

fn read_known(file: &Path) -> Option<Vec<u8>> {
    files::read_bounded(file, KNOWN_BYTES).ok()
}

/// Replaces a file.
pub(crate) fn write_alone(file: &Path, body: &[u8]) -> io::Result<()> {
    let mut bytes = format!("{}\n", Digest::of(body)).into_bytes();
    bytes.extend_from_slice(body);
    files::write_atomic(file, &bytes, 0o600)
}

/// Reads a file: none where it is missing, an error where it is not what was written, or nobody can say.
pub(crate) fn read(file: &Path, max: u64) -> Result<Option<Vec<u8>>, Unusable> {
    let damaged = |why: String| Unusable::Damaged { file: file.to_owned(), why };
    let error = match files::read_bounded(file, max) {
        Ok(bytes) => return Ok(Some(body(&bytes).map_err(|why| damaged(why.to_owned()))?.to_vec())),
        Err(error) => error,
    };
    // Too much, or no file at all: something else has been put there.
    let another = [io::ErrorKind::FileTooLarge, io::ErrorKind::InvalidInput];
    if error.kind() == io::ErrorKind::NotFound {
        Ok(None)
    } else if another.contains(&error.kind()) {
        Err(damaged(error.to_string()))
    } else {
        Err(Unusable::Unreadable { file: file.to_owned(), source: error })
    }
}

/// What a file's bytes hold, if they are what was written.
pub(crate) fn body(bytes: &[u8]) -> Result<&[u8], &'static str> {
    let end = bytes.iter().position(|byte| *byte == b'\n').ok_or("it has no digest")?;
    let (line, body) = (&bytes[..end], &bytes[end + 1..]);
    let named = std::str::from_utf8(line).ok().and_then(|line| line.parse::<Digest>().ok());
    if named == Some(Digest::of(body)) {
        Ok(body)
    } else {
        Err("its bytes are not those that its digest names")
    }
}

/// Reads a file, or else its twin. It is damaged only where both are.
pub(crate) fn read_either<T>(
    file: &Path,
    max: u64,
    parse: impl Fn(&[u8]) -> Result<T, Unusable>,
) -> Result<Option<T>, Unusable> {
    let one = |file: &Path| read(file, max).and_then(|body| body.as_deref().map(&parse).transpose());
    match (one(file), one(&twin(file))) {
        (Ok(Some(document)), _) => Ok(Some(document)),
        (Ok(None), twin) => twin,
        (Err(error), Ok(Some(twin))) => {
            tracing::warn!(%error, "its twin is used");
            Ok(Some(twin))
        }
        (Err(error), Err(twin)) if error.is_damaged() => Err(twin),
        (Err(error), Ok(None) | Err(_)) => Err(error),
    }
}

/// The file that holds the same once more.
pub(crate) fn twin(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".twin");
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX: u64 = 1 << 10;

    /// Nothing can be written there, nor removed, by whatever user.
    fn block(path: &Path) {
        std::fs::create_dir_all(path.join("in the way")).unwrap();
    }

    fn unblock(path: &Path) {
        std::fs::remove_dir_all(path).unwrap();
    }

    fn either(file: &Path) -> Option<Vec<u8>> {
        read_either(file, MAX, |body| Ok(body.to_vec())).unwrap_or_default()
    }

    #[test]
    fn l4_a_write_that_ends_between_the_two_leaves_no_older_twin() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.json");
        block(&file);
        write(&file, b"1").unwrap_err();
        assert_eq!(read(&twin(&file), MAX).unwrap().as_deref(), Some(&b"1"[..]), "the twin comes first");
        unblock(&file);
        write(&file, b"2").unwrap();
        for file in [file.clone(), twin(&file)] {
            assert_eq!(read(&file, MAX).unwrap().as_deref(), Some(&b"2"[..]));
        }
    }

    #[test]
    fn l4_a_twin_that_can_be_neither_written_nor_removed_keeps_its_file_from_becoming_newer() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.json");
        write(&file, b"1").unwrap();
        std::fs::remove_file(twin(&file)).unwrap();
        block(&twin(&file));
        write(&file, b"2").unwrap_err();
        assert_eq!(either(&file).as_deref(), Some(&b"1"[..]));
        unblock(&twin(&file));
        write(&file, b"2").unwrap();
        assert_eq!(either(&file).as_deref(), Some(&b"2"[..]));
    }
}
