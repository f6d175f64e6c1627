//! The chain of roots: from disk, from the operator's file, else from the origins; and onwards, one by one.

use cdn::Key;
use cdn::document::{Document, Root};
use cdn::trust::{RootRefused, Trust};
use program::files;
use tokio::time::Instant;

use super::{Poller, ROOT_TIME, ROOTS_EVERY};

impl Poller {
    /// Makes sure that there is a root, and asks for newer ones at the start and daily. False: there is none yet.
    pub(super) async fn refresh_roots(&mut self) -> bool {
        if self.trust.is_none() && !self.begin().await {
            return false;
        }
        if self.roots_asked.is_none_or(|asked| asked.elapsed() >= ROOTS_EVERY) {
            // Origins that do not answer must not keep us from the api (FAULTS G9): withholding a root is in their
            // power anyway, and an unknown key makes us look again.
            let asked = tokio::time::timeout(ROOT_TIME, Box::pin(self.advance_roots())).await;
            if asked.is_err() {
                tracing::debug!("no origin said in time whether there is a newer root");
            }
        }
        true
    }

    /// Root 1: its digest is the fleet's id, so it does not matter where it comes from.
    async fn begin(&mut self) -> bool {
        let fleet = self.identity.fleet;
        let given =
            self.root_file.as_ref().and_then(|file| files::read_bounded(file, Root::MAX_BYTES as u64).ok());
        let mut first = given.and_then(|bytes| Some((Trust::begin(fleet, &bytes).ok()?, bytes)));
        if first.is_none() {
            let prove = |bytes: &[u8]| Trust::begin(fleet, bytes).map(|trust| (trust, bytes.to_vec()));
            let found = self.origins.document(&Key::Root(1), prove).await;
            first = found.inspect_err(|error| tracing::warn!(%error, "root 1 cannot be had")).ok().flatten();
        }
        let Some((trust, bytes)) = first else { return false };
        self.believe(trust, bytes).await;
        if self.held.is_none() {
            // The chain on disk was damaged: what was believed with it can be taken up now.
            self.take_up_with_trust().await;
        }
        true
    }

    /// Goes on to the newest root: exactly the next one, until there is none. Says whether there was one.
    pub(super) async fn advance_roots(&mut self) -> bool {
        self.roots_asked = Some(Instant::now());
        let mut advanced = false;
        while let Some(trust) = self.trust.clone()
            && let Some(version) = trust.next_version()
        {
            let next =
                |bytes: &[u8]| -> Result<_, RootRefused> { Ok((trust.advance(bytes)?, bytes.to_vec())) };
            match self.origins.document(&Key::Root(version), next).await {
                Ok(Some((newer, bytes))) => {
                    tracing::info!(version = newer.version(), "a newer root is believed");
                    self.believe(newer, bytes).await;
                    advanced = true;
                }
                Ok(None) => break,
                Err(error) => {
                    tracing::debug!(%error, "no newer root could be had");
                    break;
                }
            }
        }
        advanced
    }

    async fn believe(&mut self, trust: Trust, bytes: Vec<u8>) {
        let version = trust.version();
        let kept = self.state.with(move |state| state.keep_root(version, &bytes)).await;
        self.note_written(&kept);
        self.trust = Some(trust);
    }
}
