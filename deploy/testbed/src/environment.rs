//! The one place where this crate looks at its environment: where the cache is, what people have set, what lies in `PATH`.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// What started programs see of the test process' environment.
const INHERITED: [&str; 3] = ["PATH", "HOME", "TMPDIR"];

/// Where built and downloaded parts are kept between runs.
pub(crate) fn parts_folder() -> Result<PathBuf> {
    Ok(base("XDG_CACHE_HOME", ".cache")?.join("windlass").join("parts"))
}

/// Where `setup-envtest` puts its assets.
pub(crate) fn setup_envtest_folder() -> Result<PathBuf> {
    Ok(base("XDG_DATA_HOME", ".local/share")?.join("kubebuilder-envtest").join("k8s"))
}

/// The folder that somebody has named with `KUBEBUILDER_ASSETS`, as is usual for tests that need an API server.
pub(crate) fn kubebuilder_assets() -> Option<PathBuf> {
    value("KUBEBUILDER_ASSETS").map(PathBuf::from)
}

/// The variables that every started program gets.
pub(crate) fn inherited() -> impl Iterator<Item = (&'static str, OsString)> {
    INHERITED.into_iter().filter_map(|name| Some((name, value(name)?)))
}

/// The first program of this name in `PATH` or where Debian puts servers.
pub(crate) fn in_path(program: &str) -> Option<PathBuf> {
    let path = value("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain([PathBuf::from("/usr/sbin"), PathBuf::from("/usr/local/sbin")])
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
}

pub(crate) fn is_root() -> bool {
    rustix::process::getuid().is_root()
}

fn base(variable: &str, under_home: &str) -> Result<PathBuf> {
    if let Some(folder) = value(variable).map(PathBuf::from).filter(|folder| folder.is_absolute()) {
        return Ok(folder);
    }
    let home = env::home_dir().with_context(|| format!("HOME is not set: set it, or {variable}"))?;
    Ok(home.join(Path::new(under_home)))
}

#[expect(clippy::disallowed_methods, reason = "a library of tests has no main that could read it for them")]
fn value(name: &str) -> Option<OsString> {
    env::var_os(name).filter(|value| !value.is_empty())
}
