//! `SourceError`: why a source of any kind cannot be read.

use std::io;
use std::path::PathBuf;

use super::files::FilesRefused;
use super::path::PathRefused;
use super::repository::{BadRepository, Repository};

/// Why a source cannot be read: what, why, and the next step. Never a credential.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The URL.
    #[error("repository `{repository}`: {why}")]
    Repository {
        /// As it was given.
        repository: String,
        /// What is wrong with it.
        why: BadRepository,
    },
    /// A path.
    #[error(transparent)]
    Path(#[from] PathRefused),
    /// The files.
    #[error(transparent)]
    Files(#[from] FilesRefused),
    /// The folder.
    #[error("folder {}: {why}; check the path and that this user may read it", path.display())]
    Directory {
        /// Which folder.
        path: PathBuf,
        /// What went wrong.
        why: io::Error,
    },
    /// There is no such ref, or two.
    #[error("{repository} {why} `{reference}`; {next}")]
    Reference {
        /// Which repository.
        repository: Repository,
        /// Which ref.
        reference: String,
        /// What is wrong.
        why: &'static str,
        /// What to write instead.
        next: &'static str,
    },
    /// A credential cannot be used.
    #[error("credential `{name}`: {why}")]
    Credential {
        /// Its name in the allow list.
        name: String,
        /// What is wrong, and the next step.
        why: String,
    },
    /// Git could not.
    #[error("cannot {what} {repository}: {why}; {next}")]
    Git {
        /// What was tried.
        what: &'static str,
        /// Which repository, by host and path.
        repository: Repository,
        /// Why not.
        why: String,
        /// The next step.
        next: &'static str,
    },
    /// There is no `git`.
    #[error("the program `git` is not found; install git, or name it with --git")]
    NoGit,
    /// The cache cannot be written.
    #[error("cache {}: {why}; check the folder, its owner and its disk", path.display())]
    Cache {
        /// Which folder.
        path: PathBuf,
        /// What went wrong.
        why: io::Error,
    },
}
