//! From the api's `desired` to one snapshot of what a cluster should run.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Trust;
use crate::document::{self, Approval, Desired, Set, Values};
use crate::envelope::{Envelope, NotSigned};
use crate::signature::Role;
use crate::{ClusterId, Digest, PublicKey};

/// The highest assignment that a cluster has accepted. It never goes down (law L4).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Floor {
    /// The sequence.
    pub seq: u64,
    /// The time it was signed for.
    pub issued: Timestamp,
    /// What must not differ at this sequence.
    pub content: Digest,
    /// Who signed it. A root that leaves too few of them resets the floor, so that a stolen key cannot push it out of
    /// reach for ever (FAULTS A3).
    pub signers: Vec<PublicKey>,
}

impl Floor {
    /// Whether it binds under the newest root: enough of those who set it are still trusted.
    pub fn counts(&self, trust: &Trust) -> bool {
        trust.root().roles.desired.is_still_met_by(&self.signers)
    }
}

/// Why a `desired` is not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DesiredRefused {
    /// Not signed by the desired keys of the newest root known; a newer root may know them.
    #[error("not signed by this fleet's api: {0}")]
    NotSigned(NotSigned),
    /// For another fleet.
    #[error("for fleet {0}, which is not this one")]
    WrongFleet(Digest),
    /// For another cluster.
    #[error("for cluster {0}, which is not this one")]
    WrongCluster(ClusterId),
    /// Older than what was accepted (FAULTS A2).
    #[error("sequence {got} is older than {held}, which was accepted before")]
    Older {
        /// The sequence accepted.
        held: u64,
        /// The sequence given.
        got: u64,
    },
    /// The same sequence with another content.
    #[error("sequence {0} says two different things")]
    SeqConflict(u64),
    /// Names an origin on a host that root does not list.
    #[error("origin `{0}` is not on a host that root allows")]
    OriginHost(String),
}

impl From<NotSigned> for DesiredRefused {
    fn from(why: NotSigned) -> Self {
        Self::NotSigned(why)
    }
}

/// A `desired` that is this cluster's, signed, and not older than the last.
#[derive(Clone, Debug)]
pub struct Accepted {
    desired: Desired,
    floor: Floor,
    approver: Option<Role>,
}

impl Trust {
    /// Whether a newer root has to judge this `desired`: it names one, or is not signed by keys that this one knows.
    pub fn is_behind(&self, envelope: &[u8]) -> bool {
        match Envelope::verify::<Desired>(envelope, &self.root().roles.desired) {
            Ok(signed) => signed.document().root > self.version(),
            Err(_) => true,
        }
    }

    /// Accepts a `desired`: signed by the api, for this fleet and this cluster, not below the floor.
    pub fn accept(
        &self,
        envelope: &[u8],
        me: &ClusterId,
        floor: Option<&Floor>,
    ) -> Result<Accepted, DesiredRefused> {
        let role = &self.root().roles.desired;
        let signed = Envelope::verify::<Desired>(envelope, role)?;
        let signers = signed.signers().to_vec();
        let desired = signed.into_document();
        if desired.fleet != self.fleet() {
            return Err(DesiredRefused::WrongFleet(desired.fleet));
        }
        if desired.cluster != *me {
            return Err(DesiredRefused::WrongCluster(desired.cluster));
        }
        let content = desired.content();
        let held = floor.filter(|floor| floor.counts(self));
        in_order(&desired, content, held, self.root().floors.desired_seq)?;
        self.check_origins(&desired)?;
        let floor = Floor { seq: desired.seq, issued: desired.issued, content, signers };
        Ok(Accepted { desired, floor, approver: self.root().roles.approver.clone() })
    }

    fn check_origins(&self, desired: &Desired) -> Result<(), DesiredRefused> {
        match desired.origins.iter().find(|origin| !self.allows_origin(origin)) {
            Some(origin) => Err(DesiredRefused::OriginHost(origin.clone())),
            None => Ok(()),
        }
    }
}

fn in_order(
    desired: &Desired,
    content: Digest,
    held: Option<&Floor>,
    emergency: u64,
) -> Result<(), DesiredRefused> {
    if desired.seq < emergency {
        return Err(DesiredRefused::Older { held: emergency, got: desired.seq });
    }
    match held {
        Some(held) if (desired.seq, desired.issued) < (held.seq, held.issued) => {
            Err(DesiredRefused::Older { held: held.seq, got: desired.seq })
        }
        Some(held) if desired.seq == held.seq && content != held.content => {
            Err(DesiredRefused::SeqConflict(desired.seq))
        }
        Some(_) | None => Ok(()),
    }
}

impl Trust {
    /// Whether root lets origins be on this one's host.
    pub fn allows_origin(&self, origin: &str) -> bool {
        let hosts = &self.root().origin_hosts;
        hosts.is_empty() || hosts.iter().any(|host| host_of(origin) == Some(host))
    }
}

/// The host of an http(s) URL, without user and port.
pub fn host_of(url: &str) -> Option<&str> {
    let authority = url
        .strip_prefix("https://")
        .or_else(|| url.strip_prefix("http://"))?
        .split(['/', '?', '#'])
        .next()?;
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    if host.starts_with('[') {
        return host.split_once(']').map(|(inner, _)| &inner[1..]);
    }
    host.split(':').next()
}

/// Why a set or values document does not complete a snapshot.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SnapshotRefused {
    /// Not the bytes that `desired` names.
    #[error("the {0} is not the one that the assignment names")]
    Mismatch(&'static str),
    /// The right bytes, but not a document that we can read.
    #[error(transparent)]
    Refused(#[from] document::DocumentRefused),
}

/// All of what a cluster should run, of one moment: never one document with the set of another (FAULTS A5).
#[derive(Clone, Debug)]
pub struct Snapshot {
    desired: Desired,
    floor: Floor,
    approver: Option<Role>,
    set: Set,
    values: Option<Values>,
}

impl Accepted {
    /// The document.
    pub fn desired(&self) -> &Desired {
        &self.desired
    }

    /// The floor from now on; to be stored before the snapshot is acted upon.
    pub fn floor(&self) -> &Floor {
        &self.floor
    }

    /// Takes up again what was accepted before a restart. `record` is the digest of the envelope's bytes that was
    /// stored when it was accepted: a key that has been rotated since does not stop the repair of what runs (law L1).
    pub fn resume(
        trust: &Trust,
        envelope: &[u8],
        record: Digest,
        floor: Floor,
    ) -> Result<Self, DesiredRefused> {
        if Digest::of(envelope) != record {
            let why = "these are not the bytes that were accepted".to_owned();
            return Err(DesiredRefused::NotSigned(NotSigned::Malformed(why)));
        }
        let desired = Envelope::claim(envelope)?;
        Ok(Self { desired, floor, approver: trust.root().roles.approver.clone() })
    }

    /// Completes the snapshot with the set and the values that the document names.
    pub fn open(self, set: &[u8], values: Option<&[u8]>) -> Result<Snapshot, SnapshotRefused> {
        if !self.desired.set.is(set) {
            return Err(SnapshotRefused::Mismatch("set"));
        }
        let values = match (&self.desired.values, values) {
            (None, None) => None,
            (Some(named), Some(bytes)) if named.is(bytes) => Some(document::read::<Values>(bytes)?),
            (Some(_) | None, Some(_) | None) => return Err(SnapshotRefused::Mismatch("values")),
        };
        let set = document::read::<Set>(set)?;
        Ok(Snapshot { desired: self.desired, floor: self.floor, approver: self.approver, set, values })
    }
}

impl Snapshot {
    /// The assignment.
    pub fn desired(&self) -> &Desired {
        &self.desired
    }

    /// The floor that it sets.
    pub fn floor(&self) -> &Floor {
        &self.floor
    }

    /// The services to run.
    pub fn set(&self) -> &Set {
        &self.set
    }

    /// This cluster's values.
    pub fn values(&self) -> Option<&Values> {
        self.values.as_ref()
    }

    /// Whether a person has approved this hold; where root lists approvers, their signatures are needed as well.
    pub fn approves(&self, hold: Digest) -> bool {
        let signed = |approval: &Approval| match &self.approver {
            Some(approvers) => approval.is_signed_by(approvers),
            None => true,
        };
        self.desired.approvals.iter().any(|approval| approval.hold == hold && signed(approval))
    }
}
