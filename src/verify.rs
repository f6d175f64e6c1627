//! `windlass verify`: whether documents and bundles are what a fleet's keys have signed. Needs no api and no network:
//! it is for the person with a USB stick, and for whoever audits one.

mod finding;
mod judge;
mod says;

use std::path::{Path, PathBuf};

use anyhow::Result;
use cdn::Limits;
use clap::Args;
use program::files;

use crate::exit::{Exit, Failure, unreadable};
use crate::output::FormatArg;
use crate::session::Session;
use crate::trust::{Anchor, RootArg};
use finding::view;
use judge::Judge;

/// Say what files are, who signed them, what they say, and whether that can be believed
#[derive(Args, Debug)]
#[command(before_help = "Examples:
  windlass verify release.json bundle.tar.zst --root fleet-keys/root/1.json
  windlass verify 1.json 2.json desired.json set.json --root sha256:7d86...
  windlass verify head.json --root fleet-keys -o json")]
pub(crate) struct Verify {
    /// Roots, releases, heads, routes, desired documents, sets, values, bundles (tar, tar.zst, tar.gz), in any order
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    #[command(flatten)]
    root: RootArg,
    #[command(flatten)]
    format: FormatArg,
}

/// A file as it was read.
#[derive(Debug)]
pub(crate) struct Given {
    /// Its path, as it was given.
    pub(crate) name: String,
    /// Its bytes, not yet believed.
    pub(crate) bytes: Vec<u8>,
}

impl Verify {
    /// Does it: exit code 1 when anything is not verified.
    pub(crate) fn run(self, session: &Session) -> Result<Exit> {
        let given = self.files.iter().map(|path| read(path)).collect::<Result<Vec<_>>>()?;
        let judge = Judge::new(self.anchor(session)?, &given)?;
        let findings: Vec<_> = given.iter().map(|file| judge.examine(file)).collect();
        session.out.show(&view(&findings, judge.trust()), self.format.output)?;
        let doubtful = findings.iter().filter(|finding| !finding.verified).count();
        if doubtful == 0 {
            return Ok(Exit::Ok);
        }
        session.out.hint(&format!("{doubtful} of {} not verified", findings.len()));
        Ok(Exit::Failed)
    }

    fn anchor(&self, session: &Session) -> Result<Anchor> {
        if let Some(anchor) = self.root.anchor()? {
            return Ok(anchor);
        }
        let fleet = session.fleet()?.ok_or_else(|| {
            Failure::new(Exit::Usage, "nothing is trusted")
                .why("what a file says about itself proves nothing")
                .next("give --root: root 1, a folder with the roots, or the fleet's id")
        })?;
        Ok(Anchor::Fleet(fleet))
    }
}

fn read(path: &Path) -> Result<Given> {
    let bytes =
        files::read_bounded(path, Limits::DEFAULT.bundle_bytes).map_err(|why| unreadable(path, why))?;
    Ok(Given { name: path.display().to_string(), bytes })
}
