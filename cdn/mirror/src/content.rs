//! What lies at a key: an object's open file, or a document's bytes.

use std::fs::{self, File};
use std::io::{self, Seek, SeekFrom};
use std::path::Path;

use bytes::Bytes;
use cdn::{Digest, Key};
use program::files;

/// Content, not yet read where it may be large.
#[derive(Debug)]
pub(crate) struct Content {
    source: Source,
    pub(crate) length: u64,
    /// Strong, with its quotes.
    pub(crate) etag: String,
}

#[derive(Debug)]
enum Source {
    File(File),
    Bytes(Bytes),
}

/// The bytes to send.
#[derive(Debug)]
pub(crate) enum Piece {
    /// The next so many bytes of a file.
    File(File, u64),
    /// These.
    Bytes(Bytes),
}

impl Content {
    /// Blocking. None where nothing lies.
    pub(crate) fn open(directory: &Path, key: &Key) -> io::Result<Option<Self>> {
        let path = directory.join(key.path());
        let opened = match key {
            Key::Object(digest) => file(&path, digest),
            Key::Root(_) | Key::Head(_) | Key::Routes(_) | Key::Desired(_) => document(&path, key),
        };
        match opened {
            Ok(content) => Ok(Some(content)),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Blocking. The bytes from `first` on, `count` of them.
    pub(crate) fn piece(self, first: u64, count: u64) -> io::Result<Piece> {
        match self.source {
            Source::File(mut file) => {
                if first > 0 {
                    file.seek(SeekFrom::Start(first))?;
                }
                Ok(Piece::File(file, count))
            }
            Source::Bytes(bytes) => {
                let place = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(bytes.len());
                Ok(Piece::Bytes(bytes.slice(place(first)..place(first.saturating_add(count)))))
            }
        }
    }
}

fn file(path: &Path, digest: &Digest) -> io::Result<Content> {
    // Asked before opening: opening a pipe would wait for its other end.
    if !fs::metadata(path)?.is_file() {
        return Err(io::ErrorKind::NotFound.into());
    }
    let file = File::open(path)?;
    let length = file.metadata()?.len();
    Ok(Content { source: Source::File(file), length, etag: format!("\"{}\"", digest.hex()) })
}

/// Small, and replaced under our feet: read whole, so that the ETag is that of the very bytes that are sent.
fn document(path: &Path, key: &Key) -> io::Result<Content> {
    let bytes = Bytes::from(files::read_bounded(path, key.max_bytes())?);
    let etag = format!("\"{}\"", Digest::of(&bytes).hex());
    Ok(Content { length: bytes.len() as u64, source: Source::Bytes(bytes), etag })
}
