//! Sources: where manifests come from, and a checkout of one - a revision, and the files below a folder of it.
//!
//! A checkout has no folder on disk. What a renderer needs is read into memory, bounded and without links, so that the
//! same files make the same bundle whether they come from git or from a directory, and a link cannot lead anywhere.

mod directory;
mod error;
mod files;
mod folders;
pub mod git;
mod path;
mod reference;
mod repository;

use std::collections::BTreeSet;
use std::sync::Arc;

use cdn::Digest;
use cdn::document::Revision;
use cdn::wire::Source;
use program::progress::Progress;

use crate::allow::Permission;

pub(crate) use directory::Directory;
pub use error::SourceError;
pub use files::{Files, FilesRefused, Odd};
pub(crate) use folders::Folders;
pub use git::GitBounds;
pub(crate) use git::{Commit, Git, Remote};
pub(crate) use path::{PathRefused, absolute, join, make_full, normal};
pub(crate) use reference::RefKind;
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
    /// Looks at a source: where its ref stands, fetched if that is new.
    pub(crate) async fn of(
        source: &Source,
        permission: &Permission,
        git: &Git,
        folders: &Folders,
        progress: &dyn Progress,
    ) -> Result<Self, SourceError> {
        let named = permission.named.as_deref();
        let source = match source {
            Source::Directory(directory) => {
                let directory = Directory::new(&directory.path, named, folders)?;
                directory.check_way().await?;
                return Ok(Self::Folder(directory));
            }
            Source::Git(source) => source,
        };
        let bad = |why| SourceError::Repository { repository: crate::words::safe(&source.url, 200), why };
        let repository: Repository = source.url.parse().map_err(bad)?;
        if let Some(path) = repository.local_path() {
            Directory::new(path, named, folders)?.check_way().await?;
        }
        let remote = Remote { repository, credential: permission.credential.clone() };
        let resolved = git.resolve(&remote, &source.reference).await?;
        let commit = git.commit(&remote, &resolved, progress).await?;
        Ok(Self::Commit(git.clone(), Arc::new(commit)))
    }

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
