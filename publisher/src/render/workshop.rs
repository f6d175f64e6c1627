//! `Workshop`: the programs, the cache and the sandbox that rendering needs, probed once.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use program::files::{Lock, LockError};
use program::progress::Progress;
use program::settings::{parse_bytes, parse_duration};

use super::{RenderError, RenderRequest, Tools};
use crate::child::find;
use crate::child::sandbox::{Confinement, Sandbox};
use crate::source::{Checkout, Folders, Git, GitBounds, Repository};

/// What a workshop is made of.
#[derive(Clone, Debug)]
pub struct WorkshopSettings {
    /// A folder of this process alone: fetched repositories, tools, renderings.
    pub cache: PathBuf,
    /// `PATH`: where programs are looked for.
    pub search_path: OsString,
    /// `git`, by path or by name.
    pub git: PathBuf,
    /// `helm`, by path or by name.
    pub helm: PathBuf,
    /// `kustomize`, by path or by name; without it, `kubectl kustomize`.
    pub kustomize: PathBuf,
    /// `kubectl`, by path or by name.
    pub kubectl: PathBuf,
    /// What to do where the system cannot close renderers off.
    pub confinement: Confinement,
    /// What a repository may cost.
    pub git_bounds: GitBounds,
    /// Time for one run of a renderer.
    pub render_time: Duration,
    /// Memory of a renderer.
    pub render_memory_bytes: u64,
    /// Variables for git: proxies and certificate authorities.
    pub git_environment: Vec<(OsString, OsString)>,
}

impl WorkshopSettings {
    /// Time for one run of a renderer unless the settings say otherwise, as they write it.
    pub const RENDER_TIME: &str = "1m";
    /// Memory of a renderer unless the settings say otherwise, as they write it.
    pub const RENDER_MEMORY: &str = "4GiB";

    /// The usual programs from a search path, with a cache folder.
    pub fn new(cache: PathBuf, search_path: OsString) -> Self {
        Self {
            cache,
            search_path,
            git: "git".into(),
            helm: "helm".into(),
            kustomize: "kustomize".into(),
            kubectl: "kubectl".into(),
            confinement: Confinement::BestEffort,
            git_bounds: GitBounds::default(),
            render_time: parse_duration(Self::RENDER_TIME).expect("a duration"),
            render_memory_bytes: parse_bytes(Self::RENDER_MEMORY).expect("a size"),
            git_environment: Vec::new(),
        }
    }
}

/// The workshop cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum WorkshopError {
    /// The system cannot close renderers off, and that was required.
    #[error(
        "renderers cannot be closed off here: `unshare` with user namespaces does not work; allow them (sysctl \
         kernel.unprivileged_userns_clone, user.max_user_namespaces), or say --sandbox best-effort"
    )]
    NoSandbox,
    /// The system cannot bound what renderers use, and that was required.
    #[error(
        "the memory of renderers cannot be bounded here: `prlimit` does not work; install util-linux, or say --sandbox \
         best-effort"
    )]
    NoBound,
    /// Another process has the cache.
    #[error("cache: {0}")]
    Taken(LockError),
    /// The cache cannot be made.
    #[error("cache {}: {why}; check the folder, its owner and its disk", path.display())]
    Cache {
        /// Which folder.
        path: PathBuf,
        /// What went wrong.
        why: std::io::Error,
    },
}

impl From<LockError> for WorkshopError {
    fn from(why: LockError) -> Self {
        Self::Taken(why)
    }
}

/// What renders. Clones share it.
#[derive(Clone, Debug)]
pub struct Workshop(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    git: Git,
    folders: Folders,
    tools: Tools,
    /// Two processes in one cache would clear away each other's work.
    _lock: Lock,
}

impl Workshop {
    /// Makes the cache, looks for the programs and probes the sandbox.
    pub async fn open(settings: WorkshopSettings) -> Result<Self, WorkshopError> {
        let cache = settings.cache.clone();
        let fail = |why| WorkshopError::Cache { path: settings.cache.clone(), why };
        let taken = tokio::task::spawn_blocking(move || take(&cache)).await;
        let lock = taken.map_err(|panic| fail(std::io::Error::other(panic)))?.map_err(fail)??;
        let sandbox = Sandbox::probe(&settings.search_path).await;
        if !sandbox.closes_network() {
            if settings.confinement == Confinement::Require {
                return Err(WorkshopError::NoSandbox);
            }
            tracing::warn!("renderers run without a sandbox: they could reach the network and other files");
        }
        if !sandbox.bounds_memory() {
            if settings.confinement == Confinement::Require {
                return Err(WorkshopError::NoBound);
            }
            tracing::warn!(
                "renderers run without a bound on their memory: `prlimit` is not there or does not work"
            );
        }
        let mut environment = vec![("PATH".into(), settings.search_path.clone())];
        environment.extend(settings.git_environment.iter().cloned());
        let program = find(&settings.git, &settings.search_path);
        let git = Git::new(program, &settings.cache, environment, settings.git_bounds);
        let tools = Tools::new(&settings, sandbox);
        Ok(Self(Arc::new(Inner { git, folders: Folders::default(), tools, _lock: lock })))
    }

    /// The renderers.
    pub(crate) fn tools(&self) -> &Tools {
        &self.0.tools
    }

    /// Clears the cache of repositories that none of these names, and of programs that have been replaced.
    pub(crate) async fn sweep(&self, named: &[Repository]) {
        self.0.git.sweep(named).await;
        self.0.tools.sweep();
    }

    /// Looks at a service's source: where its ref stands, fetched if that is new.
    pub(crate) async fn check_out(
        &self,
        request: &RenderRequest,
        progress: &dyn Progress,
    ) -> Result<Checkout, RenderError> {
        let (source, permission) = (&request.wanted.source, &request.permission);
        Ok(Checkout::of(source, permission, &self.0.git, &self.0.folders, progress).await?)
    }
}

/// Makes the cache this process's own, and clears what a killed one has left.
fn take(cache: &Path) -> std::io::Result<Result<Lock, LockError>> {
    program::files::create_directory(cache, 0o700)?;
    let lock = match Lock::acquire(cache) {
        Ok(lock) => lock,
        Err(held) => return Ok(Err(held)),
    };
    match std::fs::remove_dir_all(cache.join("render")) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(Ok(lock)),
    }
}
