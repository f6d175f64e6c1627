//! `Files`: what has been read of a checkout, in memory: regular files by path, and what could not be taken.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use cdn::Digest;

/// Bounds of what is read of one checkout at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FilesBounds {
    /// Bytes of all files.
    pub(crate) bytes: u64,
    /// How many files.
    pub(crate) count: usize,
    /// Folders within folders.
    pub(crate) depth: usize,
}

pub(crate) const BOUNDS: FilesBounds = FilesBounds { bytes: 128 << 20, count: 50_000, depth: 32 };

/// Something in a source that is no file to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
pub enum Odd {
    /// A link that is not followed.
    #[error("is a link that leads out of the folder, or to nothing: put the file itself there")]
    Leaves,
    /// A link that is not followed either: what lies behind it would be there twice.
    #[error("is a link to a folder: put the folder itself there")]
    LinkedFolder,
    /// Another repository.
    #[error("is a submodule, and submodules are off: put its files there")]
    Submodule,
    /// Nothing that can be read to an end.
    #[error("is a device, a pipe or a socket: remove it")]
    Device,
    /// A name that no manifest can say.
    #[error("has a name that is not UTF-8: rename it")]
    Name,
    /// A name that would be another place.
    #[error("has a name that leads elsewhere: rename it")]
    Climbs,
    /// An entry of a tree that git does not have.
    #[error("is of a kind that git does not have: look at the repository")]
    Kind,
}

/// Files of a checkout by their path from its top, sorted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Files {
    regular: BTreeMap<String, Vec<u8>>,
    odd: BTreeMap<String, Odd>,
    bytes: u64,
}

/// A checkout's files cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FilesRefused {
    /// More than the bounds allow.
    #[error("{0}; give the service a smaller folder")]
    TooMuch(String),
    /// There is nothing at the path.
    #[error("there is no `{0}` in the source; check the service's path")]
    Missing(String),
    /// Something that is not a regular file, and not a link to one beside it.
    #[error("`{path}` {why}")]
    Odd {
        /// Its path.
        path: String,
        /// What it is.
        why: Odd,
    },
}

impl Files {
    /// Adds a file, within the bounds.
    pub(crate) fn add(&mut self, path: String, bytes: Vec<u8>) -> Result<(), FilesRefused> {
        self.bytes += bytes.len() as u64;
        self.regular.insert(path, bytes);
        if self.bytes > BOUNDS.bytes {
            return Err(FilesRefused::TooMuch(format!("more than {} bytes of files", BOUNDS.bytes)));
        }
        if self.regular.len() + self.odd.len() > BOUNDS.count {
            return Err(FilesRefused::TooMuch(format!("more than {} files", BOUNDS.count)));
        }
        Ok(())
    }

    /// Takes what another reading has found.
    pub(crate) fn merge(&mut self, other: Self) -> Result<(), FilesRefused> {
        self.odd.extend(other.odd);
        other.regular.into_iter().try_for_each(|(path, bytes)| self.add(path, bytes))
    }

    /// Notes something that is no file to be read.
    pub(crate) fn add_odd(&mut self, path: String, why: Odd) {
        self.odd.insert(path, why);
    }

    /// The files, sorted by path.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.regular.iter().map(|(path, bytes)| (path.as_str(), bytes.as_slice()))
    }

    /// What could not be taken, and why.
    pub(crate) fn odd(&self) -> impl Iterator<Item = (&str, Odd)> {
        self.odd.iter().map(|(path, why)| (path.as_str(), *why))
    }

    /// One file.
    pub(crate) fn get(&self, path: &str) -> Option<&[u8]> {
        self.regular.get(path).map(Vec::as_slice)
    }

    /// Whether a folder of this path holds a file.
    pub(crate) fn has_folder(&self, path: &str) -> bool {
        path.is_empty() || {
            let below = format!("{path}/");
            let from = (std::ops::Bound::Included(below.clone()), std::ops::Bound::Unbounded);
            self.regular.range::<String, _>(from).next().is_some_and(|(path, _)| path.starts_with(&below))
        }
    }

    /// Everything that was read: paths and contents, not modes or times.
    pub(crate) fn digest(&self) -> Digest {
        let mut hasher = cdn::digest::Hasher::default();
        for (path, bytes) in &self.regular {
            hasher.update(format!("{} {path}\n", Digest::of(bytes)).as_bytes());
        }
        hasher.finish()
    }

    /// Refuses whatever could not be taken: for renderers that may read any of it.
    pub(crate) fn without_odd(&self) -> Result<(), FilesRefused> {
        match self.odd().next() {
            Some((path, why)) => Err(FilesRefused::Odd { path: path.to_owned(), why }),
            None => Ok(()),
        }
    }

    /// Writes all of it below a folder, for a renderer to read.
    pub(crate) fn write_below(&self, folder: &Path) -> io::Result<()> {
        for (path, bytes) in &self.regular {
            let file = folder.join(path);
            if let Some(parent) = file.parent() {
                std::fs::create_dir_all(parent)?;
            }
            std::fs::write(file, bytes)?;
        }
        Ok(())
    }
}
