//! What tasks do beside the loop: bring an assignment's documents, or one service's content, proved.

use std::collections::BTreeMap;
use std::sync::Arc;

use cdn::document::{Document, HoldReason, Named, Release, ServiceEntry};
use cdn::encoding::Encoding;
use cdn::trust::{Content, ContentRefused, ReleaseRefused, Snapshot, Trust, Verified};
use cdn::{Digest, Limits, ServiceName};
use origins::{NotFetched, Origins};

use crate::held::Held;
use crate::meters;
use crate::state::{State, Trusted};

/// Small objects that came beside a document, proved by their digests.
pub(super) type Beside = BTreeMap<Digest, Vec<u8>>;

/// Where objects can be: beside the document, on disk, at the origins.
#[derive(Debug)]
pub(super) struct Places {
    pub(super) state: Arc<State>,
    pub(super) origins: Origins,
    pub(super) beside: Arc<Beside>,
}

/// All that an assignment names beside the releases.
#[derive(Debug)]
pub(super) struct Documents {
    pub(super) set: Vec<u8>,
    pub(super) values: Option<Vec<u8>>,
}

/// All that fetching one service needs.
#[derive(Debug)]
pub(super) struct Fetch {
    pub(super) places: Places,
    pub(super) trust: Trust,
    pub(super) snapshot: Arc<Snapshot>,
    pub(super) trusted: Trusted,
}

/// What came of one service.
#[derive(Debug)]
pub(super) struct Fetched {
    pub(super) content: Content,
    /// The release, where it was verified now.
    pub(super) verified: Option<Verified>,
    /// Bytes that did not have to move.
    pub(super) saved: u64,
    /// Bytes that did.
    pub(super) moved: u64,
}

impl Places {
    /// The set and the values.
    pub(super) async fn documents(self, set: Named, values: Option<Named>) -> Result<Documents, Held> {
        let set = self.named(set).await?;
        let values = match values {
            Some(values) => Some(self.named(values).await?),
            None => None,
        };
        Ok(Documents { set, values })
    }

    async fn named(&self, named: Named) -> Result<Vec<u8>, Held> {
        if let Some(bytes) = self.beside.get(&named.digest) {
            return Ok(bytes.clone());
        }
        if let Some(bytes) = self.state.with(move |state| state.object(named.digest)).await {
            return Ok(bytes);
        }
        let got = self.origins.object(&named.digest, Some(named.length)).await;
        got.map_err(|error| unavailable(&error, None))
    }
}

impl Fetch {
    /// One service: from disk if its bundle is there, else over the network.
    pub(super) async fn service(&self, entry: &ServiceEntry) -> Result<Fetched, Held> {
        if let Some(content) = self.known(entry).await? {
            return Ok(Fetched::saved(content, None));
        }
        let service = &entry.name;
        let envelope = if let Some(bytes) = self.places.beside.get(&entry.release) {
            bytes.clone()
        } else {
            let got = self.places.origins.object_at_most(&entry.release, Release::MAX_BYTES as u64).await;
            got.map_err(|error| unavailable(&error, Some(service)))?
        };
        let verified = self.snapshot.release(&self.trust, service, &envelope, &self.trusted.min_seqs);
        let verified = verified.map_err(|refused| refused_release(service, &refused))?;
        let record = verified.record().clone();
        if let Some(content) = self.places.state.with(move |state| state.content(&record)).await {
            return Ok(Fetched::saved(content, Some(verified)));
        }
        let (content, moved) = self.bundle(service, &verified).await?;
        Ok(Fetched { content, verified: Some(verified), saved: 0, moved })
    }

    /// A release that was verified before and whose bundle is here, if today it would be believed again.
    async fn known(&self, entry: &ServiceEntry) -> Result<Option<Content>, Held> {
        let Some(releases) = self.trusted.releases.get(&entry.name) else { return Ok(None) };
        let Some(record) = releases.record(entry.release).cloned() else { return Ok(None) };
        match self.snapshot.readmit(&self.trust, &record, &self.trusted.min_seqs) {
            Ok(()) => Ok(self.places.state.with(move |state| state.content(&record)).await),
            Err(refused @ ReleaseRefused::Withdrawn { .. }) => Err(refused_release(&entry.name, &refused)),
            // Keys that it does not know may have signed it too: its envelope says.
            Err(
                ReleaseRefused::NotSigned(_)
                | ReleaseRefused::NoPublisher(_)
                | ReleaseRefused::NotInSet(_)
                | ReleaseRefused::Mismatch { .. }
                | ReleaseRefused::WrongService(_),
            ) => Ok(None),
        }
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
            let bytes = match self.places.beside.get(&stored.digest) {
                Some(bytes) => bytes.clone(),
                None => match self.places.origins.object(&stored.digest, Some(stored.length)).await {
                    Ok(bytes) => bytes,
                    Err(error) => {
                        last = unavailable(&error, Some(service));
                        continue;
                    }
                },
            };
            let proof = verified.clone();
            let opened = self.places.state.with(move |_| proof.open(&stored, &bytes, Limits::DEFAULT)).await;
            match opened {
                Ok(content) => return Ok((content, stored.length)),
                Err(refused) => last = refused_content(service, &refused),
            }
        }
        Err(last)
    }
}

impl Fetched {
    fn saved(content: Content, verified: Option<Verified>) -> Self {
        let saved = content.record().length;
        Self { content, verified, saved, moved: 0 }
    }
}

/// A release that is not acceptable, as a hold of its service.
pub(super) fn refused_release(service: &ServiceName, refused: &ReleaseRefused) -> Held {
    let reason = match refused {
        ReleaseRefused::NotSigned(_) | ReleaseRefused::NoPublisher(_) => HoldReason::NotSigned,
        ReleaseRefused::NotInSet(_)
        | ReleaseRefused::Mismatch { .. }
        | ReleaseRefused::WrongService(_)
        | ReleaseRefused::Withdrawn { .. } => HoldReason::ReleaseRefused,
    };
    meters::refused(reason);
    Held::service(reason, service, format!("its release is refused: {refused}"))
}

fn refused_content(service: &ServiceName, refused: &ContentRefused) -> Held {
    let reason = match refused {
        ContentRefused::Stored { .. } | ContentRefused::Decode(_) => HoldReason::ContentMismatch,
        ContentRefused::Bundle(_) => HoldReason::BundleRefused,
    };
    meters::refused(reason);
    Held::service(reason, service, format!("its bundle is refused: {refused}"))
}

/// What could not be had, as a hold: of a service, or of the whole cluster. Bytes that were refused on the way have been
/// counted where they came from.
fn unavailable(error: &NotFetched, service: Option<&ServiceName>) -> Held {
    let reason = if error.is_content_mismatch() {
        HoldReason::ContentMismatch
    } else {
        HoldReason::ContentUnavailable
    };
    Held { service: service.cloned(), ..Held::cluster(reason, error.to_string()) }
}
