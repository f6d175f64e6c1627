//! The chain of roots: from disk, from the operator's file, else from the origins; and onwards, one by one.

use std::time::Duration;

use cdn::Key;
use cdn::document::{Document, Root};
use cdn::trust::{RootRefused, Trust};
use program::files;
use tokio::time::Instant;

use super::Poller;

/// Roots are asked for this often, news or not.
const ROOTS_EVERY: Duration = Duration::from_hours(24);
/// How long a look for newer roots may keep the loop waiting, news or not. Each one that comes is kept, so the next look
/// goes on.
const ROOT_TIME: Duration = Duration::from_secs(10);

impl Poller {
    /// Makes sure that there is a root, and asks for newer ones at the start and daily. False: there is none yet.
    pub(super) async fn refresh_roots(&mut self) -> bool {
        if self.trust.is_none() && !self.begin().await {
            return false;
        }
        if self.roots_due <= Instant::now() {
            self.advance_roots(ROOT_TIME).await;
        }
        true
    }

    /// Root 1: its digest is the fleet's id, so it does not matter where it comes from.
    async fn begin(&mut self) -> bool {
        let fleet = self.member.fleet;
        let given =
            self.outside.root_file().and_then(|file| files::read_bounded(file, Root::MAX_BYTES as u64).ok());
        let mut first = given.and_then(|bytes| Some((Trust::begin(fleet, &bytes).ok()?, bytes)));
        if first.is_none() {
            let prove = |bytes: &[u8]| Trust::begin(fleet, bytes).map(|trust| (trust, bytes.to_vec()));
            let found = self.origins.document(&Key::Root(1), prove).await;
            first = found.inspect_err(|error| tracing::warn!(%error, "root 1 cannot be had")).ok().flatten();
        }
        let Some((trust, bytes)) = first else { return false };
        self.believe(trust, bytes).await;
        if self.believed.is_none() {
            // The chain on disk was damaged: what was believed with it can be taken up now.
            self.take_up_with_trust().await;
        }
        true
    }

    /// Goes on to the newest root, within a time: origins that do not answer must not keep us from the api (FAULTS G9),
    /// and withholding a root is in their power anyway. Says whether there was a newer one.
    pub(super) async fn advance_roots(&mut self, within: Duration) -> bool {
        let before = self.trust.as_ref().map(Trust::version);
        let asked = tokio::time::timeout(within, Box::pin(self.follow_roots())).await;
        let answered = asked.unwrap_or(false);
        if !answered {
            tracing::debug!("no origin said whether there is a newer root");
        }
        let next = if answered { ROOTS_EVERY } else { self.pace.seldom().min(ROOTS_EVERY) };
        self.roots_due = Instant::now() + next;
        self.trust.as_ref().map(Trust::version) > before
    }

    /// Exactly the next one, until there is none. Says whether that was said.
    async fn follow_roots(&mut self) -> bool {
        while let Some(trust) = self.trust.clone()
            && let Some(version) = trust.next_version()
        {
            let next =
                |bytes: &[u8]| -> Result<_, RootRefused> { Ok((trust.advance(bytes)?, bytes.to_vec())) };
            match self.origins.document(&Key::Root(version), next).await {
                Ok(Some((newer, bytes))) => {
                    tracing::info!(version = newer.version(), "a newer root is believed");
                    self.believe(newer, bytes).await;
                }
                Ok(None) => return true,
                Err(error) => {
                    tracing::debug!(%error, "no newer root could be had");
                    return false;
                }
            }
        }
        true
    }

    async fn believe(&mut self, trust: Trust, bytes: Vec<u8>) {
        let version = trust.version();
        let kept = self.state.with(move |state| state.keep_root(version, &bytes)).await;
        self.note_written(&kept);
        self.trust = Some(trust);
    }
}
