//! Where the programs come from: each set of tools is found, downloaded, built or installed together.

mod debian;
mod go;
mod kubebuilder;
mod wheel;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

/// A program that tests need and that this crate finds, installs or builds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Tool {
    /// `helm`, version 4.
    Helm,
    /// `kubectl`; `kubectl kustomize` is the Kustomize of the tests.
    Kubectl,
    /// `kube-apiserver`.
    KubeApiserver,
    /// `etcd`.
    Etcd,
    /// `kube-controller-manager`.
    ControllerManager,
    /// `kube-scheduler`.
    Scheduler,
    /// `kwok`, which plays nodes and their pods.
    Kwok,
    /// `weed`, SeaweedFS: the S3 server.
    Weed,
    /// `postgres`; `initdb` and `psql` lie in the same folder.
    Postgres,
    /// `nginx`.
    Nginx,
}

/// What [`prepare`] did for one set of tools.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// The programs, in words.
    pub what: &'static str,
    /// How they came: found, installed, built, or already in the cache.
    pub how: String,
    /// How long that took.
    pub took: Duration,
}

/// Tools that come from the same place, in the order in which people want them: quick ones first.
#[derive(Clone, Copy)]
enum Set {
    Clients,
    SeaweedFs,
    Nginx,
    PostgreSql,
    ControlPlane,
    Controllers,
}

/// A set that is there.
struct Found {
    folder: PathBuf,
    how: String,
}

/// The program's path, once it is there: found on this machine, else installed or built into the cache.
///
/// Blocks, the first time for minutes; tests behind `make test` find everything ready. Two processes at once wait for
/// each other. What cannot be had is an error that names the command which installs it.
pub fn tool(tool: Tool) -> Result<PathBuf> {
    let (set, program) = match tool {
        Tool::Helm => (Set::Clients, "helm"),
        Tool::Kubectl => (Set::Clients, "kubectl"),
        Tool::Weed => (Set::SeaweedFs, "weed"),
        Tool::Nginx => (Set::Nginx, "nginx"),
        Tool::Postgres => (Set::PostgreSql, "postgres"),
        Tool::KubeApiserver => (Set::ControlPlane, "kube-apiserver"),
        Tool::Etcd => (Set::ControlPlane, "etcd"),
        Tool::ControllerManager => (Set::Controllers, "kube-controller-manager"),
        Tool::Scheduler => (Set::Controllers, "kube-scheduler"),
        Tool::Kwok => (Set::Controllers, "kwok"),
    };
    set.program(program)
}

/// Makes every tool ready, one set after the other, and tells of each as it is done.
pub fn prepare(mut each: impl FnMut(&Prepared)) -> Result<()> {
    for set in Set::ALL {
        let start = Instant::now();
        let found = set.find()?;
        each(&Prepared { what: set.what(), how: found.how, took: start.elapsed() });
    }
    Ok(())
}

/// For those who start parts within an async test: the same on a thread that may block.
pub(crate) async fn ready(wanted: Tool) -> Result<PathBuf> {
    tokio::task::spawn_blocking(move || tool(wanted))
        .await
        .context("the thread that looks for the program died")?
}

/// The files that tell kwok how nodes and pods live, from the module that it was built from.
pub(crate) fn kwok_stages() -> Result<Vec<PathBuf>> {
    let folder = Set::Controllers.find()?.folder.join(go::STAGES);
    let mut files = std::fs::read_dir(&folder)
        .and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>())
        .with_context(|| format!("list kwok's stages in {}", folder.display()))?;
    files.sort();
    Ok(files)
}

impl Set {
    const ALL: [Self; 6] = [
        Self::Clients,
        Self::SeaweedFs,
        Self::Nginx,
        Self::PostgreSql,
        Self::ControlPlane,
        Self::Controllers,
    ];

    fn what(self) -> &'static str {
        match self {
            Self::Clients => "helm and kubectl",
            Self::SeaweedFs => "SeaweedFS (S3)",
            Self::Nginx => "nginx",
            Self::PostgreSql => "PostgreSQL",
            Self::ControlPlane => "kube-apiserver and etcd",
            Self::Controllers => "kube-controller-manager, kube-scheduler and kwok",
        }
    }

    fn find(self) -> Result<Found> {
        let found = match self {
            Self::Clients => wheel::clients(),
            Self::SeaweedFs => wheel::seaweedfs(),
            Self::Nginx => debian::nginx(),
            Self::PostgreSql => debian::postgresql(),
            Self::ControlPlane => match kubebuilder::control_plane()? {
                Some(found) => Ok(found),
                None => go::control_plane(),
            },
            Self::Controllers => go::controllers(),
        };
        found.with_context(|| format!("{} cannot be had", self.what()))
    }

    fn program(self, name: &str) -> Result<PathBuf> {
        let path = self.find()?.folder.join(name);
        ensure!(
            Path::is_file(&path),
            "{} is not there: remove its folder, so that it is made anew",
            path.display()
        );
        Ok(path)
    }
}
