//! What a target says: of kinds, of single objects, and of what was done to them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use cdn::document::Health;
use cdn::{Digest, Object, ObjectId, ServiceName};
use serde::{Deserialize, Serialize};

use super::OwnerMark;

/// A kind as a bundle names it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct KindRef {
    /// The API group; empty for the core group.
    pub group: String,
    /// The version, e.g. `v1`.
    pub version: String,
    /// The kind, e.g. `Deployment`.
    pub kind: String,
}

/// What a target says of one kind - never for the whole cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Served {
    /// It is served.
    Yes {
        /// Whether its objects lie in namespaces.
        namespaced: bool,
        /// The version to ask for: the one that was named if it is served, else another of the same kind
        /// (FAULTS F26).
        version: String,
    },
    /// Proved not to be served, in any version.
    Absent,
    /// The target cannot say at present; the text says why, for a hold.
    Unknown(String),
}

/// Where to ask for an object: its identity, in a version that is served.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Address {
    /// What it is, namespace filled in.
    pub id: ObjectId,
    /// The version without the group.
    pub version: String,
}

/// What carries the mark of one fleet, as far as that was looked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Marked {
    /// The objects, and whose they are.
    pub(crate) objects: Vec<(ServiceName, Address)>,
    /// The kinds that were looked through to their end.
    pub(crate) looked: BTreeSet<KindRef>,
    /// What could not be: kinds, and group versions that do not say their kinds.
    pub(crate) unseen: Vec<String>,
}

/// One object, as looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// It is there.
    Live(Live),
    /// Proved not to be there.
    Missing,
    /// Could not be looked at; why.
    Unknown(String),
}

/// One object that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Live {
    /// The UID; for a file, the digest of what it holds.
    pub uid: String,
    /// The resource version; changes with every write, status included.
    pub resource_version: String,
    /// The digest of everything a repair would look at: the object without `status`, `metadata.resourceVersion`,
    /// `metadata.managedFields` and the like, so that a status that moves is not drift.
    pub content: Digest,
    /// The mark in its annotations, whoever it names; none where there is none or it cannot be read.
    pub owner: Option<OwnerMark>,
    /// Whether it carries [`super::ADOPTED`].
    pub adopted: bool,
    /// Whether it is being deleted and something keeps it.
    pub deleting: bool,
    /// A field manager, none of ours, that owns `spec.replicas` (FAULTS F11). One that set it through the scale
    /// subresource stands before others.
    pub scaler: Option<String>,
    /// How it ended, where it is a Job that did (FAULTS F7).
    pub finished: Option<Finish>,
    /// How it does, by the rules for its kind.
    pub health: Health,
}

/// How a Job ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Finish {
    /// It completed.
    Completed,
    /// It failed for good.
    Failed,
    /// It was gone before anybody saw how.
    Unseen,
}

/// What exists of a kind whose definition is to go (FAULTS F17).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Uses {
    /// All of it was looked at.
    Known {
        /// The kind that the definition makes; its group is the definition's.
        kind: String,
        /// How many objects, by the service of this fleet that owns them; none: nobody of this fleet.
        owners: BTreeMap<Option<ServiceName>, usize>,
    },
    /// It could not be looked at; why.
    Unknown(String),
}

/// One object after an apply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// As it is now; its owner mark is ours.
    pub live: Live,
    /// Whether the apply changed anything.
    pub changed: bool,
    /// From whom fields were taken back, and which, as far as the target knows: `kubectl-edit (.data.a)`.
    pub taken_back: Option<String>,
}

/// One object after a delete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deleted {
    /// It is gone.
    Gone,
    /// It will go when its finalizers are done; it stays in the inventory until then (FAULTS F19).
    Deleting,
}

impl KindRef {
    /// The kind of an object, in the version that it is written in.
    pub fn of(object: &Object) -> Self {
        Self::at(object.id(), object.version())
    }

    /// The kind of an identity, in a version.
    pub fn at(id: &ObjectId, version: &str) -> Self {
        Self { group: id.group.clone(), version: version.to_owned(), kind: id.kind.clone() }
    }

    /// `group/version`, or `version` for the core group.
    pub fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.clone() } else { format!("{}/{}", self.group, self.version) }
    }
}

/// `Deployment (apps/v1)`.
impl fmt::Display for KindRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.kind, self.api_version())
    }
}

impl Address {
    /// Its kind in its version.
    pub fn kind(&self) -> KindRef {
        KindRef::at(&self.id, &self.version)
    }
}
