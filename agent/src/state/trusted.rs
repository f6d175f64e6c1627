//! `Trusted`: floor, assignment and releases, as they were when they were verified. Later only hashes are checked, so
//! that rotating a key never stops the repair of what runs.

use std::collections::BTreeMap;

use cdn::document::Set;
use cdn::trust::{Accepted, Content, DesiredRefused, Floor, MinSeqs, Record, Snapshot, Trust};
use cdn::{Digest, Limits, ServiceName};
use serde::{Deserialize, Serialize};

use super::State;
use crate::identity::Member;

/// What is trusted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Trusted {
    /// Whose it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member: Option<Member>,
    /// The assignment that holds now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept: Option<Kept>,
    /// The lowest acceptable sequence of each service's releases.
    #[serde(default)]
    pub min_seqs: MinSeqs,
    /// The releases that were verified.
    #[serde(default)]
    pub releases: BTreeMap<ServiceName, Release>,
}

/// An assignment that was accepted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Kept {
    /// The digest of its envelope's bytes.
    pub envelope: Digest,
    /// The digest of its payload: the ETag to poll with.
    pub payload: Digest,
    /// The floor that it set.
    pub floor: Floor,
    /// Its set.
    pub set: Digest,
    /// Its values, if it has any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub values: Option<Digest>,
}

/// A service's verified releases.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Release {
    /// The newest one whose bundle was opened.
    pub now: Record,
    /// The one before it: a return to it moves no byte.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Record>,
}

/// So many services' lowest acceptable sequences are remembered beside those of the set.
const MIN_SEQS: usize = 10_000;

impl Trusted {
    /// Another assignment holds. A service that is not in its set is repaired no more: its releases go, and if it comes
    /// back, they are verified as any other.
    pub(crate) fn assign(&mut self, kept: Kept, set: &Set) {
        self.kept = Some(kept);
        self.releases.retain(|service, _| set.get(service).is_some());
        self.min_seqs.trim(MIN_SEQS, |service| set.get(service).is_some());
    }

    /// Whether it was another cluster that trusted this: one that joined anew, or a folder of parts of two.
    pub(crate) fn is_anothers(&self, member: &Member) -> bool {
        self.member.as_ref().is_some_and(|of| of != member)
    }

    /// The lowest assignment that is still acceptable.
    pub(crate) fn floor(&self) -> Option<&Floor> {
        self.kept.as_ref().map(|kept| &kept.floor)
    }

    /// Remembers a release whose bundle was opened.
    pub(crate) fn remember(&mut self, record: &Record) {
        let service = record.service.clone();
        match self.releases.remove(&service) {
            Some(known) if known.now == *record => self.releases.insert(service, known),
            Some(known) => {
                let before = Some(known.now).filter(|before| before.bundle != record.bundle).or(known.before);
                self.releases.insert(service, Release { now: record.clone(), before })
            }
            None => self.releases.insert(service, Release { now: record.clone(), before: None }),
        };
    }

    /// Every small object that must stay on disk.
    pub(crate) fn objects(&self) -> Vec<Digest> {
        let of = |kept: &Kept| [Some(kept.envelope), Some(kept.set), kept.values];
        self.kept.iter().flat_map(of).flatten().collect()
    }
}

impl Release {
    /// The record of a release, if it is one of these.
    pub(crate) fn record(&self, release: Digest) -> Option<&Record> {
        [Some(&self.now), self.before.as_ref()].into_iter().flatten().find(|record| record.release == release)
    }
}

impl State {
    /// Takes up the assignment again. Where it is damaged, there is none: what runs stays as it is, and the api is
    /// asked anew. An older one is never taken up instead (law L4).
    pub(crate) fn resume(&self, trust: &Trust, trusted: &Trusted) -> Option<(Snapshot, Digest)> {
        let kept = trusted.kept.as_ref()?;
        let snapshot = self.snapshot(trust, kept);
        if snapshot.is_none() {
            tracing::warn!(seq = kept.floor.seq, "the assignment on disk is damaged; it is asked for anew");
        }
        Some((snapshot?, kept.payload))
    }

    fn snapshot(&self, trust: &Trust, kept: &Kept) -> Option<Snapshot> {
        let envelope = self.object(kept.envelope)?;
        let accepted: Result<Accepted, DesiredRefused> =
            Accepted::resume(trust, &envelope, kept.envelope, kept.floor.clone());
        let values = match kept.values {
            Some(digest) => Some(self.object(digest)?),
            None => None,
        };
        accepted.ok()?.open(&self.object(kept.set)?, values.as_deref()).ok()
    }

    /// The content of a release, if its bundle is on disk and undamaged.
    pub(crate) fn content(&self, record: &Record) -> Option<Content> {
        let tar = self.bundle(record.bundle)?;
        record.reopen(tar, Limits::DEFAULT).ok()
    }
}
