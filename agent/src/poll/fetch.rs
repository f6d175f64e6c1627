//! From a snapshot to objects, service by service: what one cannot have does not stop the others (law L8).

use std::time::Duration;

use cdn::document::{HoldReason, ServiceEntry};
use cdn::encoding::Encoding;
use cdn::trust::{Content, ContentRefused, ReleaseRefused, Snapshot, Trust, Verified};
use cdn::{Limits, ServiceName};
use futures::StreamExt;
use futures::stream;
use origins::{NotFetched, Origins};
use std::sync::Arc;
use tokio::time::Instant;

use super::Poller;
use super::accept::{Inline, count};
use crate::held::Held;
use crate::state::{State, Trusted};
use crate::wanted::Loaded;

/// Services fetched at once.
const AT_ONCE: usize = 4;
/// While some are still on their way, the others are handed over this often.
const MEANWHILE: Duration = Duration::from_secs(1);

/// All that fetching one service needs.
struct Fetch<'a> {
    state: &'a Arc<State>,
    origins: &'a Origins,
    trust: &'a Trust,
    snapshot: &'a Snapshot,
    trusted: &'a Trusted,
    inline: &'a Inline,
}

/// What came of one service.
struct Fetched {
    content: Content,
    verified: Option<Verified>,
    /// Bytes that did not have to move.
    saved: u64,
    /// Bytes that did.
    moved: u64,
}

impl Poller {
    /// Fetches what the snapshot names and is not here yet; tells the sync loop.
    pub(super) async fn fetch(&mut self, inline: Inline) {
        let (Some(trust), Some((snapshot, _))) = (self.trust.clone(), self.held.clone()) else { return };
        let lacking = self.lacking(&snapshot);
        if lacking.is_empty() {
            self.publish();
            return;
        }
        self.fetch_all((&trust, &snapshot), lacking, &inline).await;
        let unsigned = self.missing.values().any(|held| held.reason == HoldReason::NotSigned);
        if unsigned && self.advance_roots().await {
            let (Some(trust), lacking) = (self.trust.clone(), self.lacking(&snapshot)) else { return };
            self.fetch_all((&trust, &snapshot), lacking, &inline).await;
        }
        let trusted = self.trusted.clone();
        let written = self.state.with(move |state| {
            state.keep_trusted(&trusted)?;
            state.tidy_bundles(&trusted)
        });
        let written = written.await;
        self.note_written(&written);
        self.publish();
    }

    /// Writes what the disk did not take before; the bundles are packed anew from memory, into the same bytes.
    pub(super) async fn write_again(&mut self) {
        let trusted = self.trusted.clone();
        let bundles: Vec<_> = self.loaded.values().cloned().collect();
        let written = self.state.with(move |state| {
            state.keep_trusted(&trusted)?;
            for loaded in bundles {
                let tar = loaded.bundle.pack().map_err(std::io::Error::other)?;
                state.keep_bundle(loaded.record.bundle, &tar, &trusted)?;
            }
            Ok(())
        });
        let written = written.await;
        self.problems.unwritable = None;
        self.note_written(&written);
    }

    /// The entries whose release is not loaded.
    fn lacking(&self, snapshot: &Snapshot) -> Vec<ServiceEntry> {
        let is_here = |entry: &&ServiceEntry| {
            self.loaded.get(&entry.name).is_some_and(|loaded| loaded.record.release == entry.release)
        };
        snapshot.set().services.iter().filter(|entry| !is_here(entry)).cloned().collect()
    }

    async fn fetch_all(
        &mut self,
        (trust, snapshot): (&Trust, &Snapshot),
        lacking: Vec<ServiceEntry>,
        inline: &Inline,
    ) {
        let (state, origins, trusted) = (Arc::clone(&self.state), self.origins.clone(), self.trusted.clone());
        let fetch = Fetch { state: &state, origins: &origins, trust, snapshot, trusted: &trusted, inline };
        let fetch = &fetch;
        let one = |entry: ServiceEntry| async move { (fetch.service(&entry).await, entry.name) };
        let mut running = stream::iter(lacking.into_iter().map(one)).buffer_unordered(AT_ONCE);
        // What comes at once is told at once, together: half a snapshot looks like objects that clash.
        let mut meanwhile = tokio::time::interval_at(Instant::now() + MEANWHILE, MEANWHILE);
        loop {
            let next = tokio::select! {
                next = running.next() => next,
                _ = meanwhile.tick() => {
                    self.publish();
                    continue;
                }
            };
            let Some((result, service)) = next else { return };
            match result {
                Ok(fetched) => self.arrived(service, fetched).await,
                Err(held) => {
                    tracing::warn!(%service, reason = held.reason.code(), message = held.message, "held");
                    self.missing.insert(service, held);
                }
            }
        }
    }

    async fn arrived(&mut self, service: ServiceName, fetched: Fetched) {
        let Fetched { content, verified, saved, moved } = fetched;
        if let Some(verified) = &verified {
            self.trusted.min_seqs.raise(verified);
        }
        self.trusted.remember(content.record());
        self.saved_bytes += saved;
        metrics::counter!("windlass_content_bytes_total", "kind" => "cached").increment(saved);
        metrics::counter!("windlass_content_bytes_total", "kind" => "full").increment(moved);
        self.loaded.insert(service.clone(), Loaded::of(&content));
        self.missing.remove(&service);
        let trusted = self.trusted.clone();
        let written =
            self.state.with(move |state| state.keep_bundle(content.record().bundle, content.tar(), &trusted));
        let written = written.await;
        self.note_written(&written);
    }
}

impl Fetch<'_> {
    /// One service: from disk if its bundle is there, else over the network.
    async fn service(&self, entry: &ServiceEntry) -> Result<Fetched, Held> {
        let service = &entry.name;
        if let Some(held) = self.trusted.releases.get(service) {
            let records = [Some(&held.now), held.before.as_ref()].into_iter().flatten();
            for record in records.filter(|record| record.release == entry.release) {
                let record = record.clone();
                if let Some(content) = self.state.with(move |state| state.content(&record)).await {
                    let saved = content.record().length;
                    return Ok(Fetched { content, verified: None, saved, moved: 0 });
                }
            }
        }
        let envelope = if let Some(bytes) = self.inline.get(&entry.release) {
            bytes.clone()
        } else {
            let got = self.origins.object(&entry.release, None).await;
            got.map_err(|error| unavailable(&error, Some(service)))?
        };
        let verified =
            self.verify(service, &envelope).map_err(|refused| refused_release(service, &refused))?;
        let record = verified.record().clone();
        if let Some(content) = self.state.with(move |state| state.content(&record)).await {
            let saved = content.record().length;
            return Ok(Fetched { content, verified: Some(verified), saved, moved: 0 });
        }
        let (content, moved) = self.bundle(service, &verified).await?;
        Ok(Fetched { content, verified: Some(verified), saved: 0, moved })
    }

    fn verify(&self, service: &ServiceName, envelope: &[u8]) -> Result<Verified, ReleaseRefused> {
        self.snapshot.release(self.trust, service, envelope, &self.trusted.min_seqs)
    }

    /// The bundle, in the first encoding that can be had and proves itself: only what the release lists is fetched
    /// (FAULTS A13).
    async fn bundle(&self, service: &ServiceName, verified: &Verified) -> Result<(Content, u64), Held> {
        let mut encodings: Vec<_> = verified.encodings().to_vec();
        encodings.retain(|stored| stored.encoding != Encoding::Unknown);
        encodings.sort_by_key(|stored| stored.encoding);
        let mut last = Held::service(
            HoldReason::BundleRefused,
            service,
            "its release lists no encoding that this version reads: upgrade the agent",
        );
        for stored in encodings {
            let bytes = match self.inline.get(&stored.digest) {
                Some(bytes) => bytes.clone(),
                None => match self.origins.object(&stored.digest, Some(stored.length)).await {
                    Ok(bytes) => bytes,
                    Err(error) => {
                        last = unavailable(&error, Some(service));
                        continue;
                    }
                },
            };
            let proof = verified.clone();
            let opened = self.state.with(move |_| proof.open(&stored, &bytes, Limits::DEFAULT)).await;
            match opened {
                Ok(content) => return Ok((content, stored.length)),
                Err(refused) => last = refused_content(service, &refused),
            }
        }
        Err(last)
    }
}

fn refused_release(service: &ServiceName, refused: &ReleaseRefused) -> Held {
    let reason = match refused {
        ReleaseRefused::NotSigned(_) | ReleaseRefused::NoPublisher(_) => HoldReason::NotSigned,
        ReleaseRefused::NotInSet(_)
        | ReleaseRefused::Mismatch { .. }
        | ReleaseRefused::WrongService(_)
        | ReleaseRefused::Withdrawn { .. } => HoldReason::ReleaseRefused,
    };
    count(reason);
    Held::service(reason, service, format!("its release is refused: {refused}"))
}

fn refused_content(service: &ServiceName, refused: &ContentRefused) -> Held {
    let reason = match refused {
        ContentRefused::Stored { .. } | ContentRefused::Decode(_) => HoldReason::ContentMismatch,
        ContentRefused::Bundle(_) => HoldReason::BundleRefused,
    };
    count(reason);
    Held::service(reason, service, format!("its bundle is refused: {refused}"))
}

/// What could not be had, as a hold: of a service, or of the whole cluster. Bytes that were refused on the way have been
/// counted where they came from.
pub(super) fn unavailable(error: &NotFetched, service: Option<&ServiceName>) -> Held {
    let reason = if error.is_content_mismatch() {
        HoldReason::ContentMismatch
    } else {
        HoldReason::ContentUnavailable
    };
    Held { service: service.cloned(), ..Held::cluster(reason, error.to_string()) }
}
