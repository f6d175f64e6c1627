//! The programs under test, built once by the cargo that runs the tests, into the folder that it uses.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::process::Command;
use tokio::sync::OnceCell;

use crate::command;

/// A cold build on a small machine.
const PATIENCE: Duration = Duration::from_mins(30);

/// A program of Windlass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bin {
    /// The operator's command line.
    Windlass,
    /// The control plane.
    Api,
    /// From a source to a bundle.
    Publisher,
    /// From desired to running.
    Agent,
    /// Serves a directory store.
    Mirror,
}

impl Bin {
    const ALL: [Self; 5] = [Self::Windlass, Self::Api, Self::Publisher, Self::Agent, Self::Mirror];

    /// The file's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Windlass => "windlass",
            Self::Api => "windlass-api",
            Self::Publisher => "windlass-publisher",
            Self::Agent => "windlass-agent",
            Self::Mirror => "windlass-mirror",
        }
    }
}

/// The built programs.
#[derive(Debug)]
pub struct Programs {
    folder: PathBuf,
}

impl Programs {
    /// Builds what is not up to date; once for all tests of this process.
    pub async fn built() -> Result<&'static Self> {
        static BUILT: OnceCell<Programs> = OnceCell::const_new();
        BUILT.get_or_try_init(|| async { build().await }).await
    }

    /// Where a program lies.
    pub fn path(&self, bin: Bin) -> PathBuf {
        self.folder.join(bin.name())
    }

    /// The folder of all of them, for a `PATH`.
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

/// The top of the checkout.
pub(crate) fn top() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here)
}

async fn build() -> Result<Programs> {
    let test = std::env::current_exe().context("where does this test lie")?;
    // target/<profile>/deps/it-<hash>
    let folder = test.ancestors().nth(2).context("a test lies in target/<profile>/deps")?.to_owned();
    let target = folder.parent().context("a profile's folder lies in the target folder")?;
    let profile = folder.file_name().and_then(|name| name.to_str()).context("a profile's name is text")?;
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--locked", "--quiet", "--workspace"]).arg("--target-dir").arg(target);
    cargo.args(["--profile", if profile == "debug" { "dev" } else { profile }]);
    cargo.args(Bin::ALL.iter().flat_map(|bin| ["--bin", bin.name()])).current_dir(top());
    for name in of_the_running_cargo() {
        cargo.env_remove(name);
    }
    command::run(cargo, "", PATIENCE).await?.ok("build the programs under test")?;
    Ok(Programs { folder })
}

/// What cargo tells a test about the test's own package: seen by build scripts, it would build much anew, and the next
/// ordinary build anew again.
fn of_the_running_cargo() -> Vec<OsString> {
    let own =
        ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_", "CARGO_PRIMARY_", "LD_LIBRARY_PATH"];
    let is_own = |name: &str| own.iter().any(|start| name.starts_with(start)) || name == "CARGO";
    std::env::vars_os().map(|(name, _)| name).filter(|name| name.to_str().is_some_and(is_own)).collect()
}
