//! `Target`: where objects are made so. Either a Kubernetes cluster or a directory; the plan above knows no difference
//! beyond what is said here, and all decisions (what to apply, adopt, delete) are the plan's.
//!
//! Rules for both: every call is bounded in time by its implementor; a call about one object fails for that object
//! alone (law L8); whatever cannot be known is `Unknown`, never "not there".

mod mark;
mod seen;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use cdn::document::HoldReason;
use cdn::{Digest, Object, ObjectId, ServiceName};

pub(crate) use mark::MANAGER_PREFIX;
pub use mark::{ADOPTED, OWNER, OwnerMark, field_manager};
pub(crate) use seen::Marked;
pub use seen::{Address, Applied, Deleted, Finish, KindRef, Live, Seen, Served, Uses};

use crate::directory::Directory;
use crate::kubernetes::Kubernetes;

/// Where objects are made so.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "there is one target in a program, and it lies behind an Arc")]
pub enum Target {
    /// A cluster, by server-side apply.
    Kubernetes(Kubernetes),
    /// A folder, one file an object.
    Directory(Directory),
}

/// How to reach a cluster.
#[derive(Clone, Debug)]
pub struct KubernetesSettings {
    /// A kubeconfig; none: `KUBECONFIG`'s or the usual file outside a cluster, the mounted ServiceAccount inside.
    pub kubeconfig: Option<PathBuf>,
    /// The context in it; none: its current one.
    pub context: Option<String>,
    /// The namespace for what we keep in the cluster ourselves (the inventory, the claim).
    pub namespace: String,
    /// The most time for one request about one object (FAULTS F9).
    pub request_timeout: Duration,
}

/// What an agent claims a cluster with: one agent at a time works on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Who claims it: the same words from every start of one identity, others from every other identity.
    pub holder: String,
    /// How long the claim stands after it was last renewed.
    pub lasting: Duration,
}

/// What a target can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Abilities {
    /// Whether a removal takes effect; if not, prunes are held as `PruneUnsupported`.
    pub deletes: bool,
    /// Whether it knows the health of objects. Where not, a service that was applied counts as ready for those that
    /// depend on it.
    pub knows_health: bool,
    /// Whether an edit makes another UID, as in a folder: then what stands where we wrote is ours, edited.
    pub edits_change_uid: bool,
}

/// Those of a cluster.
impl Default for Abilities {
    fn default() -> Self {
        Self { deletes: true, knows_health: true, edits_change_uid: false }
    }
}

/// What the target refuses, in the words of a hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// The hold's reason.
    pub reason: HoldReason,
    /// One sentence, never an echo of an object's content: a Secret's may be in it (FAULTS E1).
    pub message: String,
    /// Whether the same call may succeed later without anyone changing anything; the pass counts as incomplete in
    /// any case.
    pub retry: bool,
}

/// Why an inventory that may be there is not loaded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotLoaded {
    /// What is there is not whole: it is no inventory, and to ask again would make it no better.
    #[error("{0}")]
    Damaged(String),
    /// It cannot be read.
    #[error(transparent)]
    Refused(#[from] Refusal),
}

/// One object, ready to be applied: namespace filled in, owner mark in its annotations, unwanted fields left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prepared {
    /// Whose it is; its field manager is [`field_manager`] of it.
    pub service: ServiceName,
    /// The object as it is to be applied, annotations [`OWNER`] and, for an adopted one, [`ADOPTED`] included.
    pub object: Object,
    /// Services of ours that owned it before: after the apply their field managers own nothing of it any more, and
    /// what only they had set is gone. Never by deleting and creating (FAULTS F14).
    pub former: BTreeSet<ServiceName>,
    /// The UID that it was observed with; none where it was missing. Another UID now is a refusal with `retry`.
    pub seen: Option<String>,
}

/// The inventory as it is kept in a target: an index that names its shards by digest. A reader checks all digests; a
/// shard has at most 512 KB, so that each fits one object in etcd.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sharded {
    /// Names the shards and carries their order; opaque to the target.
    pub index: Vec<u8>,
    /// The shards, by the digest of their bytes.
    pub shards: BTreeMap<Digest, Vec<u8>>,
}

macro_rules! each {
    ($self:ident, $target:ident => $call:expr) => {
        match $self {
            Self::Kubernetes($target) => $call.await,
            Self::Directory($target) => $call.await,
        }
    };
}

impl Target {
    /// Which cluster this is: the UID of `kube-system`, or a random id kept in the folder. State on disk that names
    /// another one is not acted upon.
    pub async fn home(&self) -> Result<String, Refusal> {
        each!(self, target => target.home())
    }

    /// Claims the target for one agent, or renews the claim where that is due. Answers who else works here, which is
    /// asked anew each time. A refusal proves nothing. A folder is claimed by the lock that it is opened with.
    pub async fn claim(&self, claim: &Claim) -> Result<Option<String>, Refusal> {
        match self {
            Self::Kubernetes(kubernetes) => kubernetes.claim(claim).await,
            Self::Directory(_) => Ok(None),
        }
    }

    /// What the target says of each kind, asked anew. Every kind asked for is in the answer. `Absent` is a proof:
    /// an aggregated API that does not answer, or answers nonsense, is `Unknown` (FAULTS F1, F2).
    pub async fn served(&self, kinds: &BTreeSet<KindRef>) -> BTreeMap<KindRef, Served> {
        each!(self, target => target.served(kinds))
    }

    /// Why the target gives no answer at all; none where it gives one, whatever it is.
    pub async fn silence(&self) -> Option<String> {
        match self {
            Self::Kubernetes(kubernetes) => kubernetes.silence().await,
            Self::Directory(_) => None,
        }
    }

    /// Waits until kinds are served (their definitions Established and in discovery), at most `within`; says how each
    /// stands then. Returns early when all are served.
    pub async fn wait_served(
        &self,
        kinds: &BTreeSet<KindRef>,
        within: Duration,
    ) -> BTreeMap<KindRef, Served> {
        each!(self, target => target.wait_served(kinds, within))
    }

    /// Looks at objects, by identity and a version that is served. Every address asked for is in the answer; one
    /// that cannot be looked at is [`Seen::Unknown`].
    pub async fn observe(&self, addresses: &[Address]) -> BTreeMap<ObjectId, Seen> {
        each!(self, target => target.observe(addresses))
    }

    /// What exists of the kinds that these definitions make. A definition that is not in the answer is used by nobody as
    /// far as the target can ever tell: a folder does not know what its reader made of it.
    pub async fn uses(&self, definitions: &[Address], fleet: Digest) -> BTreeMap<ObjectId, Uses> {
        match self {
            Self::Kubernetes(kubernetes) => kubernetes.uses(definitions, fleet).await,
            Self::Directory(_) => BTreeMap::new(),
        }
    }

    /// What carries our mark, for one that has no inventory any more (FAULTS F22), but for kinds that were looked through
    /// before.
    pub(crate) async fn marked(&self, fleet: Digest, looked: &BTreeSet<KindRef>) -> Result<Marked, Refusal> {
        match self {
            Self::Kubernetes(kubernetes) => kubernetes.marked(fleet, looked).await,
            Self::Directory(directory) => directory.marked(fleet).await,
        }
    }

    /// Makes one object so.
    pub async fn apply(&self, prepared: &Prepared) -> Result<Applied, Refusal> {
        each!(self, target => target.apply(prepared))
    }

    /// Deletes one object if it still has this UID (and resource version, where given). One that is already gone, or
    /// has another UID by now, is [`Deleted::Gone`] and [`Refusal`] with `retry` respectively (FAULTS F40).
    pub async fn delete(
        &self,
        address: &Address,
        uid: &str,
        resource_version: Option<&str>,
    ) -> Result<Deleted, Refusal> {
        each!(self, target => target.delete(address, uid, resource_version))
    }

    /// Lets one object go and leaves it as it is: our annotations and `service`'s field ownership are taken away. One
    /// that is gone, or has another UID by now, is fine.
    pub async fn release(&self, address: &Address, uid: &str, service: &ServiceName) -> Result<(), Refusal> {
        each!(self, target => target.release(address, uid, service))
    }

    /// The inventory that the target holds. `None` is proved: none was ever saved here.
    pub async fn load_inventory(&self) -> Result<Option<Sharded>, NotLoaded> {
        each!(self, target => target.load_inventory())
    }

    /// Keeps the inventory: missing shards first, then the index, then shards that it no longer names are removed, so
    /// that a crash leaves the old one or the new one whole.
    pub async fn save_inventory(&self, inventory: &Sharded) -> Result<(), Refusal> {
        each!(self, target => target.save_inventory(inventory))
    }

    /// Takes the inventory and the claim away, and what was made to keep them: the end of an agent that leaves.
    pub(crate) async fn remove_inventory(&self) -> Result<(), Refusal> {
        each!(self, target => target.remove_inventory())
    }

    /// Waits until nothing is under way any more that nobody waits for.
    pub(crate) async fn settled(&self) {
        match self {
            Self::Kubernetes(_) => {}
            Self::Directory(directory) => directory.settled().await,
        }
    }

    /// What it can do at all.
    pub fn abilities(&self) -> Abilities {
        match self {
            Self::Kubernetes(_) => Abilities::default(),
            Self::Directory(directory) => {
                Abilities { deletes: directory.deletes, knows_health: false, edits_change_uid: true }
            }
        }
    }
}

impl Refusal {
    /// A refusal that only a change by someone resolves.
    pub fn lasting(reason: HoldReason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into(), retry: false }
    }

    /// A refusal that may go away by itself.
    pub fn passing(reason: HoldReason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into(), retry: true }
    }
}
