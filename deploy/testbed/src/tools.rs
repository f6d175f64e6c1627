//! Where the programs come from.

use std::path::PathBuf;
use std::time::Duration;

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

/// The program's path, once it is there: found on this machine, else installed or built into the cache.
///
/// Blocks, the first time for minutes; tests behind `make test` find everything ready. Two processes at once wait for
/// each other. What cannot be had is an error that names the command which installs it.
pub fn tool(tool: Tool) -> anyhow::Result<PathBuf> {
    anyhow::bail!("{tool:?} is not there yet")
}

/// Makes every tool ready, one set after the other, and tells of each as it is done.
pub fn prepare(mut each: impl FnMut(&Prepared)) -> anyhow::Result<()> {
    each(&Prepared { what: "", how: String::new(), took: Duration::ZERO });
    Ok(())
}
