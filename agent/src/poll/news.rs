//! What the sync loop is told: after a start from disk, and after every change.

use std::sync::Arc;

use cdn::document::ServiceEntry;
use cdn::trust::Snapshot;

use super::Poller;
use crate::wanted::{Loaded, Wanted};

impl Poller {
    /// Takes up what is on disk: chain, assignment, bundles. Only hashes are checked:
    /// what was believed once goes on running, also under a key that has been replaced since.
    pub(super) async fn take_up(&mut self) {
        let fleet = self.member.fleet;
        match self.state.with(move |state| state.trust(fleet)).await {
            Ok(trust) => self.trust = trust,
            Err(error) => tracing::warn!(%error, "root 1 on disk is not believed; it is asked for again"),
        }
        self.origins = self.origins_of(&[]);
        self.take_up_with_trust().await;
        self.tell(|_| {});
    }

    pub(super) async fn take_up_with_trust(&mut self) {
        let Some(trust) = self.trust.clone() else { return };
        let trusted = self.trusted.clone();
        let believed = self.state.with(move |state| state.resume(&trust, &trusted)).await;
        let Some((snapshot, payload)) = believed else { return };
        self.origins = self.origins_of(&snapshot.desired().origins);
        for entry in &snapshot.set().services {
            if let Some(loaded) = self.reload(entry).await {
                self.loaded.insert(entry.name.clone(), loaded);
            }
        }
        tracing::info!(seq = snapshot.floor().seq, services = self.loaded.len(), "taken up from disk");
        self.believed = Some((Arc::new(snapshot), payload));
        self.publish().await;
    }

    /// The release that ran. Not the one before it, whose bundle may be here too: where the set names that, it is
    /// admitted by what is known now, like any other; and where the one that ran is damaged, the service is left as it
    /// is until that is fetched again.
    async fn reload(&self, entry: &ServiceEntry) -> Option<Loaded> {
        let record = self.trusted.releases.get(&entry.name)?.now.clone();
        let content = self.state.with(move |state| state.content(&record)).await;
        content.as_ref().map(Loaded::of)
    }

    /// Hands over what is believed and here, if it differs from what was handed over last. Before that it is stored:
    /// after a restart nothing older may take the place of what was applied (law L4).
    pub(super) async fn publish(&mut self) {
        let Some((snapshot, _)) = self.believed.clone() else { return };
        if self.unsaved {
            self.save().await;
        }
        self.loaded.retain(|service, _| snapshot.set().get(service).is_some());
        let mut missing = std::mem::take(&mut self.missing);
        missing.retain(|service, _| snapshot.set().get(service).is_some_and(|entry| !self.has(entry)));
        self.missing = missing;
        let wanted = self.wanted(&snapshot);
        self.news.send_if_modified(|news| {
            if news.as_ref().is_some_and(|last| is_same(last, &wanted)) {
                return false;
            }
            *news = Some(Arc::new(wanted));
            true
        });
    }

    fn wanted(&self, snapshot: &Snapshot) -> Wanted {
        let mut wanted = Wanted::of(snapshot);
        for (service, one) in &mut wanted.services {
            one.loaded = self.loaded.get(service).cloned();
            one.held = self.missing.get(service).cloned().filter(|_| !one.is_current());
        }
        wanted
    }
}

fn is_same(a: &Wanted, b: &Wanted) -> bool {
    let service = |a: &crate::wanted::WantedService, b: &crate::wanted::WantedService| {
        a.entry == b.entry
            && a.held == b.held
            && a.loaded.as_ref().map(|loaded| &loaded.record)
                == b.loaded.as_ref().map(|loaded| &loaded.record)
    };
    a.seq == b.seq
        && a.removals == b.removals
        && a.approved == b.approved
        && a.services.len() == b.services.len()
        && a.services.iter().zip(&b.services).all(|(a, b)| a.0 == b.0 && service(a.1, b.1))
}
