//! `desired`: "cluster C of fleet F, sequence n, runs set S with values V, until time X". Signed by the api.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Document, check_length};
use crate::limits::{DESIRED_LIST, SIGNATURES};
use crate::signature::{Role, Signature, message};
use crate::{ClusterId, Digest, ServiceName, SigningKey, json};

/// One cluster's assignment: about 600 bytes at any number of services.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Desired {
    /// The fleet's id.
    pub fleet: Digest,
    /// The cluster that this is for, and no other.
    pub cluster: ClusterId,
    /// Grows with every change of the assignment: max(old + 1, unix milliseconds).
    pub seq: u64,
    /// When this was signed for; at one `seq`, later is newer.
    pub issued: Timestamp,
    /// When whoever still holds only this should say that it is stale. Nothing stops then.
    pub expires: Timestamp,
    /// The root version that the api knows: a hint to look for a newer one.
    pub root: u64,
    /// The set.
    pub set: Named,
    /// This cluster's values, if it has any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub values: Option<Named>,
    /// Where content lies, in order; after the site's own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub origins: Vec<String>,
    /// Services to take away, each once, until reported done.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub removals: Vec<Removal>,
    /// Holds that a person has approved.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub approvals: Vec<Approval>,
}

/// A content-addressed document, by digest and length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Named {
    /// The digest of its bytes.
    pub digest: Digest,
    /// Its bytes.
    pub length: u64,
}

impl Named {
    /// Names these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self { digest: Digest::of(bytes), length: bytes.len() as u64 }
    }

    /// Whether these are the bytes.
    pub fn is(&self, bytes: &[u8]) -> bool {
        self.length == bytes.len() as u64 && self.digest == Digest::of(bytes)
    }
}

/// A service that is to go. The only way in which a whole service goes (law L6).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Removal {
    /// The service.
    pub service: ServiceName,
    /// What becomes of its objects.
    pub mode: RemovalMode,
}

/// What becomes of a removed service's objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RemovalMode {
    /// They are deleted, on the same proof as every prune.
    Delete,
    /// They stay, no longer ours.
    Orphan,
}

/// A person's yes to exactly one hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// The hold's digest, see [`super::hold_digest`].
    pub hold: Digest,
    /// Signatures of approvers over the hold's digest, where root lists approvers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub signatures: Vec<Signature>,
}

/// The DSSE payload type under which an approver signs the text of a hold's digest.
pub const APPROVAL_TYPE: &str = "application/vnd.windlass.approval.v0";

impl Signature {
    /// An approver's signature over a hold's digest.
    pub fn approve(hold: Digest, key: &SigningKey) -> Self {
        Self::of(APPROVAL_TYPE, hold.to_string().as_bytes(), key)
    }
}

impl Approval {
    /// Whether it carries signatures of enough distinct approvers.
    pub fn is_signed_by(&self, approvers: &Role) -> bool {
        let message = message(APPROVAL_TYPE, self.hold.to_string().as_bytes());
        let read = &self.signatures[..SIGNATURES.min(self.signatures.len())];
        approvers.is_met_by(&approvers.signers(&message, read))
    }
}

impl Desired {
    /// What must not differ between two documents of one `seq`: all but `issued`, `expires` and `root`.
    pub fn content(&self) -> Digest {
        let epoch = Timestamp::UNIX_EPOCH;
        let bare = Self { issued: epoch, expires: epoch, root: 0, ..self.clone() };
        Digest::of(&json::canonical_of(&bare))
    }
}

impl Document for Desired {
    const TYPE: &'static str = "application/vnd.windlass.desired.v0+json";
    const MAX_BYTES: usize = 64 << 10;

    fn check(&self) -> Result<(), String> {
        check_length("origins", self.origins.len(), DESIRED_LIST)?;
        check_length("removals", self.removals.len(), DESIRED_LIST)?;
        check_length("approvals", self.approvals.len(), DESIRED_LIST)?;
        // One of two modes would win by chance.
        let removed: BTreeSet<_> = self.removals.iter().map(|removal| &removal.service).collect();
        if removed.len() < self.removals.len() {
            return Err("it removes one service twice".to_owned());
        }
        if self.expires < self.issued {
            return Err("it expires before it is issued".to_owned());
        }
        Ok(())
    }
}
