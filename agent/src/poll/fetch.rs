//! From a snapshot to objects, service by service: what one cannot have does not stop the others (law L8).

use std::sync::Arc;

use cdn::ServiceName;
use cdn::document::{HoldReason, ServiceEntry};
use cdn::trust::Snapshot;

use super::Poller;
use super::accept::UNKNOWN_KEY;
use super::download::{Fetch, Fetched, Places, refused_release};
use crate::held::Held;
use crate::meters;
use crate::wanted::Loaded;

impl Poller {
    /// Sends for what the snapshot names, and is not here, nor on its way; tells the sync loop if there is nothing.
    pub(super) async fn fetch(&mut self) {
        let (Some(trust), Some((snapshot, _))) = (self.trust.clone(), self.believed.clone()) else { return };
        let lacking = self.lacking(&snapshot);
        if !lacking.is_empty() {
            let (places, trusted) = (self.places(), self.trusted.clone());
            let fetch = Arc::new(Fetch { places, trust, snapshot, trusted });
            for entry in lacking {
                self.way.fetch(&fetch, entry);
            }
            self.pace.fetching();
        } else if !self.way.is_fetching() {
            self.fetched().await;
        }
    }

    pub(super) fn places(&self) -> Places {
        let (state, beside) = (Arc::clone(&self.state), Arc::clone(&self.beside));
        Places { state, origins: self.origins.clone(), beside }
    }

    /// The entries whose release is neither loaded nor on its way.
    fn lacking(&self, snapshot: &Snapshot) -> Vec<ServiceEntry> {
        let lacks = |entry: &&ServiceEntry| !self.has(entry) && !self.way.brings(&entry.name);
        snapshot.set().services.iter().filter(lacks).cloned().collect()
    }

    /// Whether the release that an entry names is loaded.
    pub(super) fn has(&self, entry: &ServiceEntry) -> bool {
        self.loaded.get(&entry.name).is_some_and(|loaded| loaded.record.release == entry.release)
    }

    /// A service's content has come, or what is in its way.
    pub(super) async fn arrived(&mut self, service: ServiceName, fetched: Result<Box<Fetched>, Held>) {
        let taken = match fetched {
            Ok(fetched) => self.take_content(*fetched).await,
            Err(held) => Err(held),
        };
        if let Err(held) = taken {
            tracing::warn!(%service, reason = held.reason.code(), message = held.message, "held");
            self.missing.insert(service, held);
        }
        if !self.way.is_fetching() {
            self.fetched().await;
        }
        self.tell(|_| {});
    }

    async fn take_content(&mut self, fetched: Fetched) -> Result<(), Held> {
        let (Some(trust), Some((snapshot, _))) = (&self.trust, &self.believed) else { return Ok(()) };
        let Fetched { content, verified, saved, moved } = fetched;
        let service = content.record().service.clone();
        // It was on its way for long, perhaps: what is known by now decides.
        let admitted = snapshot.readmit(trust, content.record(), &self.trusted.min_seqs);
        admitted.map_err(|refused| refused_release(&service, &refused))?;
        if let Some(verified) = &verified {
            self.trusted.min_seqs.raise(verified);
        }
        self.saved_bytes += saved;
        meters::content(moved, saved);
        let (record, loaded) = (content.record().clone(), Loaded::of(&content));
        // First the bundle, then what names it; what runs until then makes no room for it.
        let trusted = self.trusted.clone();
        let kept = move |state: &crate::state::State| state.keep_bundle(&content, &trusted);
        let written = self.state.with(kept).await;
        self.note_written(&written);
        self.trusted.remember(&record);
        (self.unsaved, self.untidy) = (true, true);
        self.loaded.insert(service.clone(), loaded);
        self.missing.remove(&service);
        Ok(())
    }

    /// Nothing is on its way any more.
    async fn fetched(&mut self) {
        let unsigned = self.missing.values().any(|held| held.reason == HoldReason::NotSigned);
        if unsigned && self.advance_roots(UNKNOWN_KEY).await {
            return Box::pin(self.fetch()).await;
        }
        self.publish().await;
        if self.untidy {
            let trusted = self.trusted.clone();
            let tidied = self.state.with(move |state| state.tidy_bundles(&trusted)).await;
            self.untidy = !self.note_written(&tidied);
        }
        self.pace.fetched(self.missing.is_empty());
    }

    /// Stores what was verified.
    pub(super) async fn save(&mut self) {
        let trusted = self.trusted.clone();
        let written = self.state.with(move |state| state.keep_trusted(&trusted)).await;
        self.unsaved = !self.note_written(&written);
    }

    /// Writes what the disk did not take before; the bundles are packed anew from memory, into the same bytes.
    pub(super) async fn write_again(&mut self) {
        let trusted = self.trusted.clone();
        let bundles: Vec<_> = self.loaded.values().cloned().collect();
        let written = self.state.with(move |state| {
            for loaded in bundles {
                let tar = loaded.bundle.pack().map_err(std::io::Error::other)?;
                state.keep_tar(loaded.record.bundle, &tar, &trusted)?;
            }
            state.keep_trusted(&trusted)
        });
        let written = written.await;
        self.problems.unwritable = None;
        self.unsaved = !self.note_written(&written);
    }
}
