//! `--root`: what a person trusts to begin with. A root 1, a folder with the chain of roots, or the fleet's id.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use cdn::trust::Trust;
use cdn::{Digest, Key};
use clap::Args;
use program::files;

use crate::exit::{Exit, Failure};
use crate::keys::trust_of;

/// `--root`.
#[derive(Args, Clone, Debug)]
pub(crate) struct RootArg {
    /// What to trust: root 1, a folder with the roots, or the fleet's id
    #[arg(long, env = "WINDLASS_ROOT", value_name = "FILE|DIR|DIGEST")]
    pub(crate) root: Option<String>,
}

/// What `--root` gives.
#[derive(Debug)]
pub(crate) enum Anchor {
    /// Only the fleet's id: the roots come with what is verified, or from an origin.
    Fleet(Digest),
    /// The roots too.
    Roots(Box<Trust>),
}

impl Anchor {
    /// The fleet's id.
    pub(crate) fn fleet(&self) -> Digest {
        match self {
            Self::Fleet(fleet) => *fleet,
            Self::Roots(trust) => trust.fleet(),
        }
    }
}

impl RootArg {
    /// Reads what was given.
    pub(crate) fn anchor(&self) -> Result<Option<Anchor>> {
        let Some(text) = &self.root else { return Ok(None) };
        if let Ok(fleet) = text.parse::<Digest>().or_else(|_| Digest::from_hex(text)) {
            return Ok(Some(Anchor::Fleet(fleet)));
        }
        let path = PathBuf::from(text);
        if path.is_dir() {
            let inner = if path.join("1.json").exists() { path } else { path.join("root") };
            return Ok(Some(Anchor::Roots(Box::new(trust_of(&inner)?))));
        }
        let trust = first(&path)?;
        Ok(Some(Anchor::Roots(Box::new(trust))))
    }

    /// The fleet's id, if a root was given.
    pub(crate) fn fleet(&self) -> Result<Option<Digest>> {
        Ok(self.anchor()?.map(|anchor| anchor.fleet()))
    }
}

/// Root 1 from a file.
fn first(path: &Path) -> Result<Trust> {
    let bytes = files::read_bounded(path, Key::Root(1).max_bytes()).map_err(|why| {
        Failure::new(Exit::Usage, format!("--root {}: {why}", path.display()))
            .next("give the file of root 1, a folder with `1.json`, or the fleet's id (sha256:...)")
    })?;
    Trust::begin(Digest::of(&bytes), &bytes)
        .with_context(|| format!("--root {} is not a root 1", path.display()))
}
