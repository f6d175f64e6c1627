//! Sources: where manifests come from, and a checkout of one - a revision, and the files below a folder of it.
//!
//! A checkout has no folder on disk. What a renderer needs is read into memory, bounded and without links, so that the
//! same files make the same bundle whether they come from git or from a directory, and a link cannot lead anywhere.

mod directory;
mod files;
mod git;
mod path;
mod repository;

use std::collections::BTreeSet;
use std::sync::Arc;

use cdn::Digest;
use cdn::document::Revision;

pub(crate) use directory::Directory;
pub use files::{Files, FilesRefused, Odd};
pub(crate) use git::{Commit, Git, Remote};
pub use git::{GitBounds, SourceError};
pub(crate) use path::{PathRefused, join, normal};
pub use repository::{BadRepository, Repository};

/// A source at one revision.
#[derive(Clone, Debug)]
pub(crate) enum Checkout {
    /// A commit of a git repository.
    Commit(Git, Arc<Commit>),
    /// A folder of this machine, whose revision is only known when its files have been read.
    Folder(Directory),
}

impl Checkout {
    /// The files below some folders; of a file, the file.
    pub(crate) async fn read(&self, places: &BTreeSet<String>) -> Result<Files, SourceError> {
        match self {
            Self::Commit(git, commit) => git.read(commit, places).await,
            Self::Folder(directory) => directory.read(places).await,
        }
    }

    /// A digest that changes with any file below the places; none where telling costs as much as reading.
    pub(crate) fn fingerprint(&self, places: &BTreeSet<String>) -> Option<Digest> {
        match self {
            Self::Commit(_, commit) => Some(commit.fingerprint(places)),
            Self::Folder(_) => None,
        }
    }

    /// What a release says about where it comes from.
    pub(crate) fn revision(&self, files: &Files) -> Revision {
        match self {
            Self::Commit(_, commit) => commit.revision.clone(),
            Self::Folder(_) => {
                Revision { id: files.digest().to_string(), subject: String::new(), time: None }
            }
        }
    }

    /// The commit, where it is known without reading.
    pub(crate) fn commit(&self) -> Option<&str> {
        match self {
            Self::Commit(_, commit) => Some(&commit.revision.id),
            Self::Folder(_) => None,
        }
    }
}
