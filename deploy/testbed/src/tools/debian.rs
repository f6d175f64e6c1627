//! Servers that every distribution packages well: taken where they are, installed by apt when this is root on Debian.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::Found;
use crate::{cache, environment, run};

/// The oldest that the tests have run on.
const OLDEST_POSTGRESQL: u32 = 15;

pub(super) fn nginx() -> Result<Found> {
    found_or_installed("nginx-light", || {
        environment::in_path("nginx").and_then(|program| Some(program.parent()?.to_owned()))
    })
}

pub(super) fn postgresql() -> Result<Found> {
    found_or_installed("postgresql-15", newest_postgresql)
}

/// Debian keeps each version's programs in a folder of its own; elsewhere they lie in PATH.
fn newest_postgresql() -> Option<PathBuf> {
    let debian = fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let versions = debian.filter_map(|entry| {
        let path = entry.ok()?.path();
        let version: u32 = path.file_name()?.to_str()?.parse().ok()?;
        Some((version, path.join("bin")))
    });
    let usable =
        |folder: &PathBuf| ["postgres", "initdb", "psql"].iter().all(|name| folder.join(name).is_file());
    let newest = versions
        .filter(|(version, folder)| *version >= OLDEST_POSTGRESQL && usable(folder))
        .max_by_key(|(version, _)| *version)
        .map(|(_, folder)| folder);
    newest.or_else(|| environment::in_path("postgres")?.parent().map(ToOwned::to_owned).filter(usable))
}

fn found_or_installed(package: &str, find: impl Fn() -> Option<PathBuf>) -> Result<Found> {
    let found = |folder: PathBuf| Found { how: format!("found in {}", folder.display()), folder };
    if let Some(folder) = find() {
        return Ok(found(folder));
    }
    let apt = environment::in_path("apt-get");
    let Some(apt) = apt.filter(|_| environment::is_root()) else {
        bail!("{package} is not installed: sudo apt-get install -y --no-install-recommends {package}");
    };
    let _one_at_a_time = cache::lock(&crate::workplace::of_this_user()?.join("apt.lock"), package)?;
    if let Some(folder) = find() {
        return Ok(found(folder));
    }
    cache::tell(&format!("installing {package} by apt-get"));
    let mut install = Command::new(&apt);
    install
        .args(["install", "-y", "--no-install-recommends", package])
        .env("DEBIAN_FRONTEND", "noninteractive");
    if run::output(&mut install).is_err() {
        // A fresh container has no package lists.
        run::output(Command::new(&apt).arg("update"))?;
        run::output(&mut install)?;
    }
    let folder = find()
        .with_context(|| format!("{package} is installed, and its programs are not where it puts them"))?;
    Ok(Found { folder, how: format!("installed {package}") })
}
