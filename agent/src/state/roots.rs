//! The chain of roots on disk, as signed. It needs no digest beside it: root 1 is named by the fleet's id, and each one
//! after it is signed by the one before.

use std::io;
use std::path::PathBuf;

use cdn::Digest;
use cdn::trust::{RootRefused, Trust};

use super::State;
use crate::checked;

impl State {
    /// The chain of roots, as far as its files lead. Of a root and its twin, the one that is believed counts.
    pub(crate) fn trust(&self, fleet: Digest) -> Result<Option<Trust>, RootRefused> {
        let Some(first) = self.root(1, |bytes| Trust::begin(fleet, bytes)) else { return Ok(None) };
        let mut trust = first?;
        while let Some(version) = trust.next_version()
            && let Some(next) = self.root(version, |bytes| trust.advance(bytes))
        {
            match next {
                Ok(next) => trust = next,
                Err(error) => {
                    tracing::warn!(%error, "a root on disk is not believed; the newest one is asked for again");
                    break;
                }
            }
        }
        Ok(Some(trust))
    }

    /// Keeps a root that was believed.
    pub(crate) fn keep_root(&self, version: u64, envelope: &[u8]) -> io::Result<()> {
        checked::write_known(&self.root_file(version), envelope)
    }

    /// What a root is believed to be; none where there is no such file. Where one of the two is damaged, the other is
    /// written in its place.
    fn root(
        &self,
        version: u64,
        believe: impl Fn(&[u8]) -> Result<Trust, RootRefused>,
    ) -> Option<Result<Trust, RootRefused>> {
        let file = self.root_file(version);
        let believed = checked::read_known_either(&file, |bytes| Some((believe(&bytes).ok()?, bytes)));
        let Some((trust, bytes)) = believed else {
            return checked::read_known_either(&file, |bytes| Some(believe(&bytes)));
        };
        if let Err(error) = self.keep_root(version, &bytes) {
            tracing::warn!(version, %error, "a root is on disk only once");
        }
        Some(Ok(trust))
    }

    fn root_file(&self, version: u64) -> PathBuf {
        self.folder.join("root").join(format!("{version}.json"))
    }
}
