//! From a snapshot's entry to the objects of one service.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Snapshot, Trust};
use crate::bundle::{Bundle, BundleRefused};
use crate::document::{Release, Stored};
use crate::encoding::{DecodeRefused, TarName};
use crate::envelope::{Envelope, NotSigned};
use crate::{Digest, Limits, PublicKey, ServiceName};

/// The highest `min_seq` that was seen of each service, and who signed it: of each group of signers, since a root may drop
/// those of one and keep those of another.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MinSeqs(BTreeMap<ServiceName, Vec<MinSeq>>);

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct MinSeq {
    seq: u64,
    signers: Vec<PublicKey>,
}

/// The most groups of signers that are remembered of a service.
const GROUPS: usize = 8;

impl MinSeqs {
    /// Remembers a release that was verified. What a dropped key drove out of reach keeps no other one from counting
    /// (FAULTS A3).
    pub fn raise(&mut self, verified: &Verified) {
        let record = &verified.record;
        let new = MinSeq { seq: verified.min_seq, signers: record.signers.clone() };
        let all = self.0.entry(record.service.clone()).or_default();
        if new.seq > 0 && !all.iter().any(|old| old.covers(&new)) {
            all.retain(|old| !new.covers(old));
            all.push(new);
            all.sort_by_key(|one| Reverse(one.seq));
            all.truncate(GROUPS);
        }
        if all.is_empty() {
            self.0.remove(&record.service);
        }
    }

    /// Keeps at most `most`, and all of `keep`: the lowest of the others go first.
    pub fn trim(&mut self, most: usize, keep: impl Fn(&ServiceName) -> bool) {
        let Some(over) = self.0.len().checked_sub(most).filter(|over| *over > 0) else { return };
        let highest = |all: &[MinSeq]| all.iter().map(|one| one.seq).max();
        let spare = self.0.iter().filter(|(service, _)| !keep(service));
        let mut spare: Vec<_> = spare.map(|(service, all)| (highest(all), service.clone())).collect();
        spare.sort();
        for (_, service) in spare.into_iter().take(over) {
            self.0.remove(&service);
        }
    }

    /// The lowest acceptable sequence.
    fn floor(&self, trust: &Trust, service: &ServiceName) -> u64 {
        let by_root = trust.root().floors.releases.get(service).copied().unwrap_or(0);
        self.seen(trust, service).max(by_root)
    }

    /// The highest that was seen, as far as enough of those who set it are still trusted.
    fn seen(&self, trust: &Trust, service: &ServiceName) -> u64 {
        let Some(role) = trust.release_role(service.project()) else { return 0 };
        let all = self.0.get(service).into_iter().flatten();
        all.filter(|one| role.is_still_met_by(&one.signers)).map(|one| one.seq).max().unwrap_or(0)
    }
}

impl MinSeq {
    /// Whether nothing is lost with another: wherever that one counts, this one does, and is not lower.
    fn covers(&self, other: &Self) -> bool {
        self.seq >= other.seq && other.signers.iter().all(|key| self.signers.contains(key))
    }
}

/// Why a release is not acceptable.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReleaseRefused {
    /// The set does not name the service.
    #[error("{0} is not in the set")]
    NotInSet(ServiceName),
    /// Not the bytes that the set names.
    #[error("release {wanted} was asked for, {got} was given")]
    Mismatch {
        /// What the set names.
        wanted: Digest,
        /// What was given.
        got: Digest,
    },
    /// Root lists no publisher for the project.
    #[error("root lists no release key for project of {0}")]
    NoPublisher(ServiceName),
    /// Not signed by the project's publisher.
    #[error("not signed by the project's publisher: {0}")]
    NotSigned(NotSigned),
    /// A release of another service or fleet.
    #[error("a release of {0}")]
    WrongService(ServiceName),
    /// Below the lowest acceptable sequence.
    #[error("its sequence {got} is below {floor}, the lowest that is still acceptable")]
    Withdrawn {
        /// The release's sequence.
        got: u64,
        /// The lowest acceptable.
        floor: u64,
    },
}

impl From<NotSigned> for ReleaseRefused {
    fn from(why: NotSigned) -> Self {
        Self::NotSigned(why)
    }
}

/// A release of this fleet that a publisher of its project has signed and not withdrawn (law L2). Whether the api has
/// chosen it is what [`Snapshot::release`] shows beside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    record: Record,
    encodings: Vec<Stored>,
    min_seq: u64,
}

/// What is stored of a verified release, so that a restart needs only hashes, and that a return to it needs no bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The service.
    pub service: ServiceName,
    /// The release: the digest of its envelope.
    pub release: Digest,
    /// T.
    pub bundle: Digest,
    /// The tar's bytes.
    pub length: u64,
    /// The namespace of objects that name none.
    pub namespace: String,
    /// The commit.
    pub revision: String,
    /// Its sequence.
    #[serde(default)]
    pub seq: u64,
    /// The keys of the publisher's role that had signed it.
    #[serde(default)]
    pub signers: Vec<PublicKey>,
}

impl Snapshot {
    /// Verifies the release that the set names for a service.
    pub fn release(
        &self,
        trust: &Trust,
        service: &ServiceName,
        envelope: &[u8],
        seen: &MinSeqs,
    ) -> Result<Verified, ReleaseRefused> {
        self.names(service, Digest::of(envelope))?;
        Verified::check(trust, service, envelope, seen)
    }

    /// Admits a release that was verified before: by what root and the releases seen since say today. Without it, who
    /// holds the api's key alone could go back to one that its publisher has withdrawn (law L2).
    pub fn readmit(&self, trust: &Trust, record: &Record, seen: &MinSeqs) -> Result<(), ReleaseRefused> {
        let service = &record.service;
        self.names(service, record.release)?;
        let role = trust.release_role(service.project());
        let role = role.ok_or_else(|| ReleaseRefused::NoPublisher(service.clone()))?;
        if !role.is_still_met_by(&record.signers) {
            let got = role.keys.iter().filter(|key| record.signers.contains(key)).count();
            return Err(NotSigned::Threshold { got, wanted: role.threshold }.into());
        }
        in_reach(trust, service, record.seq, seen)
    }

    fn names(&self, service: &ServiceName, got: Digest) -> Result<(), ReleaseRefused> {
        let entry = self.set().get(service).ok_or_else(|| ReleaseRefused::NotInSet(service.clone()))?;
        if got == entry.release {
            Ok(())
        } else {
            Err(ReleaseRefused::Mismatch { wanted: entry.release, got })
        }
    }
}

fn in_reach(trust: &Trust, service: &ServiceName, got: u64, seen: &MinSeqs) -> Result<(), ReleaseRefused> {
    let floor = seen.floor(trust, service);
    if got < floor { Err(ReleaseRefused::Withdrawn { got, floor }) } else { Ok(()) }
}

impl Verified {
    /// Verifies a release of `service` whose digest the caller has checked, or does not need (a publisher's own head).
    pub fn check(
        trust: &Trust,
        service: &ServiceName,
        envelope: &[u8],
        seen: &MinSeqs,
    ) -> Result<Self, ReleaseRefused> {
        let role = trust.release_role(service.project());
        let role = role.ok_or_else(|| ReleaseRefused::NoPublisher(service.clone()))?;
        let signed = Envelope::verify::<Release>(envelope, role)?;
        let release = signed.document();
        if release.service != *service || release.fleet != trust.fleet() {
            return Err(ReleaseRefused::WrongService(release.service.clone()));
        }
        in_reach(trust, service, release.seq, seen)?;
        let record = Record {
            service: service.clone(),
            release: signed.envelope(),
            bundle: release.bundle,
            length: release.length,
            namespace: release.namespace.clone(),
            revision: release.revision.id.clone(),
            seq: release.seq,
            signers: signed.signers().to_vec(),
        };
        let (encodings, min_seq) = (release.encodings.clone(), release.min_seq);
        Ok(Self { record, encodings, min_seq })
    }

    /// What to store of it.
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// How the bundle is stored.
    pub fn encodings(&self) -> &[Stored] {
        &self.encodings
    }

    /// Opens stored bytes: their digest and length, then the decoder, then T and length, then the tar (law L3).
    pub fn open(&self, stored: &Stored, bytes: &[u8], limits: Limits) -> Result<Content, ContentRefused> {
        let got = Digest::of(bytes);
        if got != stored.digest || bytes.len() as u64 != stored.length {
            return Err(ContentRefused::Stored { wanted: stored.digest, got });
        }
        let signed = TarName { digest: self.record.bundle, length: self.record.length };
        let tar = stored.encoding.decode(bytes, signed, limits)?;
        Content::read(self.record.clone(), tar, limits)
    }
}

impl Record {
    /// Opens the tar that was stored when the release was verified: only its hash is checked again.
    pub fn reopen(&self, tar: Vec<u8>, limits: Limits) -> Result<Content, ContentRefused> {
        let got = Digest::of(&tar);
        if got != self.bundle || tar.len() as u64 != self.length {
            return Err(ContentRefused::Stored { wanted: self.bundle, got });
        }
        Content::read(self.clone(), tar, limits)
    }
}

/// Why stored bytes do not become objects.
#[derive(Debug, thiserror::Error)]
pub enum ContentRefused {
    /// Not the bytes asked for: another origin may have them.
    #[error("{wanted} was asked for, {got} was given")]
    Stored {
        /// The digest asked for.
        wanted: Digest,
        /// The digest of what was given.
        got: Digest,
    },
    /// The right stored bytes do not unpack to the tar that was signed: another encoding may.
    #[error(transparent)]
    Decode(#[from] DecodeRefused),
    /// The tar is the one that was signed, but not a bundle.
    #[error(transparent)]
    Bundle(#[from] BundleRefused),
}

/// The objects of one service, proved.
#[derive(Clone, Debug)]
pub struct Content {
    record: Record,
    bundle: Bundle,
    tar: Vec<u8>,
}

impl Content {
    fn read(record: Record, tar: Vec<u8>, limits: Limits) -> Result<Self, ContentRefused> {
        let bundle = Bundle::read(&tar, limits)?;
        Ok(Self { record, bundle, tar })
    }

    /// Which release it is.
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// The objects.
    pub fn bundle(&self) -> &Bundle {
        &self.bundle
    }

    /// The canonical tar, to be stored.
    pub fn tar(&self) -> &[u8] {
        &self.tar
    }
}
