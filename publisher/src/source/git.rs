//! Git as a source, by the `git` program: one ref, shallow, into a bare repository in the cache. Nothing is ever checked
//! out: a commit's files are read from its tree, so that no hook, filter, attribute or link of a repository has a say.

mod command;
pub mod tree;
mod trouble;

use std::collections::{BTreeSet, HashMap};
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use cdn::Digest;
use cdn::document::Revision;
use program::progress::Progress;
use program::settings::{parse_bytes, parse_duration};

use super::SourceError;
use super::files::{BOUNDS, Files};
use super::reference::is_commit;
use super::repository::Repository;
use crate::allow::Credential;
use crate::child::{ChildError, folder_bytes};
use crate::sweep;

use tree::Tree;

/// What reading a repository may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GitBounds {
    /// Time for one fetch.
    pub fetch_time: Duration,
    /// Bytes of one repository in the cache.
    pub repository_bytes: u64,
    /// Bytes of all of them; those that are in use may be more.
    pub cache_bytes: u64,
}

impl GitBounds {
    /// Time for one fetch unless the settings say otherwise, as they write it.
    pub const FETCH_TIME: &str = "5m";
    /// Bytes of one repository unless the settings say otherwise, as they write it.
    pub const REPOSITORY_BYTES: &str = "1GiB";
    /// Bytes of all repositories unless the settings say otherwise, as they write it.
    pub const CACHE_BYTES: &str = "20GiB";
}

impl Default for GitBounds {
    fn default() -> Self {
        Self {
            fetch_time: parse_duration(Self::FETCH_TIME).expect("a duration"),
            repository_bytes: parse_bytes(Self::REPOSITORY_BYTES).expect("a size"),
            cache_bytes: parse_bytes(Self::CACHE_BYTES).expect("a size"),
        }
    }
}

/// The `git` program, and the repositories that it has fetched. Clones share them.
#[derive(Clone, Debug)]
pub(crate) struct Git(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    program: Option<PathBuf>,
    cache: PathBuf,
    environment: Vec<(OsString, OsString)>,
    bounds: GitBounds,
    busy: Mutex<HashMap<PathBuf, Arc<tokio::sync::Mutex<()>>>>,
}

/// A repository, and what opens it.
#[derive(Clone, Debug)]
pub(crate) struct Remote {
    pub(crate) repository: Repository,
    pub(crate) credential: Option<Credential>,
}

/// A ref as the repository tells it now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// What is fetched: a full ref name, or a commit id.
    wanted: String,
    /// The commit that it leads to.
    pub commit: String,
}

/// A commit whose objects are in the cache.
#[derive(Clone, Debug)]
pub(crate) struct Commit {
    folder: PathBuf,
    pub(crate) revision: Revision,
    tree: Tree,
}

impl Commit {
    /// A digest of everything below the places.
    pub(crate) fn fingerprint(&self, places: &BTreeSet<String>) -> Digest {
        self.tree.fingerprint(places)
    }
}

impl Git {
    /// Git with a cache folder. `environment` is what every `git` is given: PATH, proxies.
    pub(crate) fn new(
        program: Option<PathBuf>,
        cache: &Path,
        environment: Vec<(OsString, OsString)>,
        bounds: GitBounds,
    ) -> Self {
        let (cache, busy) = (cache.join("git"), Mutex::default());
        Self(Arc::new(Inner { program, cache, environment, bounds, busy }))
    }

    /// Asks the repository where a ref stands: one small exchange. A commit id stands where it is.
    pub(crate) async fn resolve(&self, remote: &Remote, reference: &str) -> Result<Resolved, SourceError> {
        if is_commit(reference) {
            return Ok(Resolved { wanted: reference.to_owned(), commit: reference.to_owned() });
        }
        let names = tree::candidates(reference).ok_or_else(|| SourceError::Reference {
            repository: remote.repository.clone(),
            reference: crate::words::safe(reference, 100),
            why: "cannot have a ref",
            next: "write a branch, a tag, a full ref or a full commit id",
        })?;
        self.prepare().await?;
        let child = self.remote_command(remote, &self.0.cache, self.0.bounds.fetch_time.min(ASK_TIME))?;
        let child = child.args(["ls-remote", "--quiet", "--", remote.repository.as_str()]).args(&names);
        let said = child.run().await.map_err(|why| trouble::explain("ask", &remote.repository, why))?;
        tree::resolve(&String::from_utf8_lossy(&said.stdout), reference, &remote.repository)
    }

    /// The commit that a ref stands at: fetched unless it is in the cache.
    pub(crate) async fn commit(
        &self,
        remote: &Remote,
        resolved: &Resolved,
        progress: &dyn Progress,
    ) -> Result<Commit, SourceError> {
        self.prepare().await?;
        let folder = self.folder_of(&remote.repository);
        let busy = self.turn(&folder);
        let _turn = busy.lock().await;
        let opened = async |id: &str| self.open(remote, &folder, id).await;
        if folder.join("HEAD").is_file()
            && let Ok(commit) = opened(&resolved.commit).await
        {
            return Ok(commit);
        }
        progress.step(&format!("fetch {}", remote.repository));
        let name = self.fetch(remote, &folder, &resolved.wanted).await?;
        opened(&name).await
    }

    /// Removes the repositories that are none of these, unless they are young or in use; the young ones too where all of
    /// them are more than may be.
    pub(crate) async fn sweep(&self, named: &[Repository]) {
        let (git, named) =
            (self.clone(), named.iter().map(|named| self.folder_of(named)).collect::<Vec<_>>());
        let swept = tokio::task::spawn_blocking(move || {
            let kept = |path: &Path| {
                path.extension().is_none_or(|end| end != "git") || named.iter().any(|named| named == path)
            };
            let remove = |folder: &PathBuf| {
                if let Ok(_turn) = git.turn(folder).try_lock() {
                    sweep::remove(folder);
                }
            };
            sweep::stale(&git.0.cache, kept).iter().for_each(remove);
            sweep::excess(&git.0.cache, git.0.bounds.cache_bytes, kept).iter().for_each(remove);
        });
        if let Err(panic) = swept.await {
            tracing::error!(%panic, "sweeping the cache broke off; this is a fault of Windlass");
        }
    }

    /// The files of a commit below some places.
    pub(crate) async fn read(
        &self,
        commit: &Commit,
        places: &BTreeSet<String>,
    ) -> Result<Files, SourceError> {
        let wanted = commit.tree.wanted(places)?;
        let folder = &commit.folder;
        let ids = wanted.ids().flat_map(|id| format!("{id}\n").into_bytes()).collect();
        let child = self.command(folder, self.0.bounds.fetch_time)?;
        let child = child.args(["cat-file", "--batch"]).stdin(ids);
        let said = child.run().await.map_err(|why| broken(folder, why))?;
        Ok(wanted.files(&said.stdout).ok_or_else(|| broken(folder, "an object is missing"))??)
    }

    /// Fetches one ref, alone and shallow, under a name of ours; returns that name.
    async fn fetch(&self, remote: &Remote, folder: &Path, wanted: &str) -> Result<String, SourceError> {
        let most = self.0.bounds.repository_bytes;
        let cache = |why| SourceError::Cache { path: folder.to_owned(), why };
        if folder.exists() && folder_bytes(folder) > most / 2 {
            // Shallow fetches leave what is no longer reachable; starting anew is what clears it.
            std::fs::remove_dir_all(folder).map_err(cache)?;
        }
        if !folder.join("HEAD").is_file() {
            let init = self.command(&self.0.cache, self.0.bounds.fetch_time)?;
            let init = init.args(["init", "--quiet", "--bare", "--template=", "--"]).args([folder]);
            init.run().await.map_err(|why| broken(folder, why))?;
        }
        forget_locks(folder).map_err(cache)?;
        let name = format!("refs/windlass/{}", Digest::of(wanted.as_bytes()).hex());
        let child = self.remote_command(remote, folder, self.0.bounds.fetch_time)?.filling(folder, most);
        let child = child
            .args([
                "fetch",
                "--quiet",
                "--depth=1",
                "--no-tags",
                "--no-recurse-submodules",
                "--no-write-fetch-head",
            ])
            .args(["--no-auto-gc", "--force", "--", remote.repository.as_str()])
            .args([format!("+{wanted}:{name}")]);
        match child.run().await {
            Ok(_) => Ok(name),
            Err(why) => {
                if matches!(why, ChildError::Filled(_)) {
                    std::fs::remove_dir_all(folder).map_err(cache)?;
                }
                Err(trouble::explain("fetch", &remote.repository, why))
            }
        }
    }

    /// Reads a commit that is in the cache: what it says about itself, and the list of its files.
    async fn open(&self, remote: &Remote, folder: &Path, id: &str) -> Result<Commit, SourceError> {
        let time = self.0.bounds.fetch_time;
        // Not `show`, which compares whole trees even where it is told to show none.
        let about = self.command(folder, time)?.args(["rev-list", "--no-walk", "--format=%H%n%ct%n%s"]);
        let about = about.args([format!("{id}^{{commit}}")]);
        let about = about.run().await.map_err(|why| trouble::explain("read", &remote.repository, why))?;
        let revision = tree::revision(&String::from_utf8_lossy(&about.stdout))
            .ok_or_else(|| broken(folder, "git says nothing about the commit"))?;
        let list = self.command(folder, time)?.args(["ls-tree", "-r", "-z", "-l", "--full-tree"]);
        let list = list.args([&revision.id]).saying(LIST_BYTES).run().await;
        let list = list.map_err(|why| trouble::explain("read", &remote.repository, why))?;
        let tree = Tree::read(&list.stdout)?;
        Ok(Commit { folder: folder.to_owned(), revision, tree })
    }

    fn folder_of(&self, repository: &Repository) -> PathBuf {
        self.0.cache.join(format!("{}.git", &Digest::of(repository.as_str().as_bytes()).hex()[..32]))
    }

    /// One fetch at a time for each repository.
    fn turn(&self, folder: &Path) -> Arc<tokio::sync::Mutex<()>> {
        let mut busy = self.0.busy.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(busy.entry(folder.to_owned()).or_default())
    }
}

fn broken(folder: &Path, why: impl std::fmt::Display) -> SourceError {
    let why = io::Error::other(format!("{why}; if it stays so, remove this folder"));
    SourceError::Cache { path: folder.to_owned(), why }
}

/// Removes the locks that a killed fetch has left: this process alone has the cache, and this task has its turn.
fn forget_locks(folder: &Path) -> io::Result<()> {
    for place in [folder.to_owned(), folder.join("refs/windlass")] {
        for entry in std::fs::read_dir(place).into_iter().flatten().flatten() {
            if entry.file_name().as_encoded_bytes().ends_with(b".lock") {
                std::fs::remove_file(entry.path())?;
            }
        }
    }
    Ok(())
}

/// Time to ask where a ref stands: one small exchange.
const ASK_TIME: Duration = Duration::from_mins(1);

/// Memory of one git. What a repository holds decides what git needs, and a few bytes of it can be made to unpack to any
/// number (FAULTS B4).
const MEMORY_BYTES: u64 = 2 << 30;

/// The most that `ls-tree` may say: a tree of trees can name more files than there are bytes in the world.
const LIST_BYTES: u64 = 64 << 20;

/// The most that `cat-file` may say: the files and a line for each.
const CAT_FILE_BYTES: u64 = BOUNDS.bytes + 256 * BOUNDS.count as u64;
