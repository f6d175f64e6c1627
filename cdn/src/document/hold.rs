//! `Hold`: something that an agent refuses or waits for, in the same words everywhere (law L13).

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{ClusterId, Digest, ObjectId, ServiceName, json};

/// Something refused or waited for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// The stable code.
    pub reason: HoldReason,
    /// The service, unless it is the whole cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<ServiceName>,
    /// The object, unless it is the whole service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<ObjectId>,
    /// One sentence of what is the matter, with the particulars; at most 500 characters, never a secret.
    pub message: String,
    /// Since when.
    pub since: Timestamp,
    /// What to approve, where a person's yes releases it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
}

/// What may resolve a hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HoldClass {
    /// Somebody's doing, or another part of the fleet's.
    Lasting,
    /// Often nothing but time: another look soon is worth it.
    Passing,
    /// Something should be deleted and is not: mostly a person's yes.
    Prune,
}

macro_rules! reasons {
    ($($(#[doc = $doc:literal])+ $name:ident, $class:ident => $next:literal,)+) => {
        /// Why something is held. The codes are stable: the same in CLI, UI, API and metrics.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum HoldReason {
            $($(#[doc = $doc])+ $name,)+
            /// A reason of a later version.
            #[serde(other)]
            Unknown,
        }

        impl HoldReason {
            /// Every reason, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+ Self::Unknown];

            /// The code.
            pub const fn code(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)+ Self::Unknown => "Unknown" }
            }

            /// What may resolve it.
            pub const fn class(self) -> HoldClass {
                match self { $(Self::$name => HoldClass::$class,)+ Self::Unknown => HoldClass::Lasting }
            }

            /// What a person should do next.
            pub const fn next(self) -> &'static str {
                match self { $(Self::$name => $next,)+ Self::Unknown => "Upgrade this program to read the reason." }
            }
        }
    };
}

reasons! {
    /// A document older than the last one accepted was served for a while.
    RollbackRefused, Lasting => "Find out which origin or api serves old documents; the cluster keeps running the newer one.",
    /// Two different assignments carry the same sequence.
    SeqConflict, Lasting => "Two apis sign for this fleet from different databases: stop one of them.",
    /// A document for another cluster or fleet was served.
    WrongCluster, Lasting => "Check the cache in front of the api: it serves one cluster's answer to another.",
    /// A signature is missing, wrong, or by a key that root does not list.
    NotSigned, Lasting => "Check that the api's and publishers' keys are those that the newest root lists.",
    /// An assignment names an origin whose host root does not allow.
    OriginNotAllowed, Lasting => "Take the origin out of the api's settings, or allow its host in a new root; the cluster keeps running what it has.",
    /// An assignment is signed and cannot be used.
    AssignmentUnusable, Lasting => "Upgrade the agent if it is older than the api, or undo what was assigned last; the cluster keeps running what it has.",
    /// The last accepted assignment has expired and no newer one could be had.
    Stale, Lasting => "Check the connection to the api; the cluster keeps running and repairing what it has.",
    /// What the agent knew of keys and sequences is lost while objects of ours exist.
    TrustLost, Lasting => "Nothing is pruned before one clean full pass; restore the state folder if there is a copy.",
    /// Who this cluster is to the api cannot be read from the state folder.
    IdentityLost, Lasting => "Put identity.json back from a copy; or remove the state folder and join anew, with a new join token: until then the cluster keeps running and repairing what it has.",
    /// Two agents use one identity.
    DuplicateIdentity, Lasting => "Stop the copy and let it join anew; then say so with `windlass recover`.",
    /// The agent holds an assignment that the api's database never made.
    AgentAhead, Lasting => "The database may be a restored backup, or another one: look at it, then say so with `windlass recover`.",
    /// The state on disk belongs to another cluster.
    WrongHome, Lasting => "This is a copied state folder: remove it here and join anew.",
    /// Another agent, of another identity, works on this cluster.
    AnotherAgent, Lasting => "Stop one of the two: a cluster has one agent, and this one does nothing meanwhile.",
    /// The clock is far from the server's.
    ClockSkew, Lasting => "Set the site's clock.",
    /// Stored bytes are not what was signed, at every origin.
    ContentMismatch, Lasting => "Check the named origin; the service stays at its previous release.",
    /// A release, bundle or document cannot be had from any origin.
    ContentUnavailable, Lasting => "Check that the store and its CDN can be reached and hold the object; what a store has lost its publisher puts back within ten minutes, or at its next start.",
    /// A release is signed but not acceptable: another service's, or below the lowest sequence.
    ReleaseRefused, Lasting => "Assign a release of this service at or above its min_seq.",
    /// A bundle is what was signed, but cannot be used.
    BundleRefused, Lasting => "Publish the service anew with a current publisher.",
    /// Two objects of one identity after the namespace was filled in.
    DuplicateObject, Lasting => "Remove one of the two from the source.",
    /// Another service or tool owns the object.
    OwnedBy, Lasting => "Let one of the two give the object up, or name the former service in `formerly`.",
    /// Another field manager owns fields that the service declares.
    Conflict, Lasting => "Decide who owns the field; remove it from the source or from the other tool.",
    /// Somebody changes an object back each time that it is repaired.
    Fighting, Lasting => "Decide who owns the field: remove it from the source, or from what else writes it.",
    /// A field that cannot change was changed.
    ImmutableChange, Lasting => "Revert the field, or delete the object so that it is made anew.",
    /// The object's namespace is being deleted.
    NamespaceTerminating, Lasting => "Wait until the namespace is gone; the object is applied again then.",
    /// The object's namespace does not exist.
    NamespaceMissing, Passing => "Create the namespace, or put a Namespace into this service or one that it depends on.",
    /// The cluster does not serve the kind.
    KindNotServed, Lasting => "Install the CustomResourceDefinition, or remove the object.",
    /// The cluster cannot say at present whether it serves the kind.
    KindUnknown, Passing => "Check the APIService or webhook that serves this group; nothing of it is pruned meanwhile.",
    /// The cluster's API server cannot be reached at all.
    ApiServerUnreachable, Passing => "Bring the API server back, or the agent's way to it; nothing is changed or pruned meanwhile.",
    /// The agent may not do this.
    Forbidden, Lasting => "Give the agent's ServiceAccount the named verb, or remove the object.",
    /// The API server does not accept the agent's credential.
    CredentialRefused, Passing => "Give the agent a ServiceAccount or a kubeconfig that the cluster accepts; nothing is changed or pruned meanwhile.",
    /// The API server or an admission policy rejects the object.
    Rejected, Lasting => "Correct the object as the message says, and publish again.",
    /// Applying failed for another cause; it is tried again.
    ApplyFailed, Passing => "Nothing, if it goes away by itself; else read the message.",
    /// More would be deleted than the budget allows.
    PruneBudget, Prune => "Look at the objects (all of them are in the agent's log) and approve the hold, or correct the source.",
    /// A protected kind would be deleted.
    NeedsConfirm, Prune => "Look at the object and approve the hold, or keep it in the source.",
    /// A definition would be deleted whose kind others use.
    InUse, Prune => "Delete the objects of the kind that are not of this service, or keep the definition in the source.",
    /// Something of the service could not be applied in this pass, so nothing of it is pruned.
    PruneWaits, Prune => "Resolve the service's other holds first, or those of the service that is named.",
    /// Something is no longer wanted and cannot be looked at, so it is not pruned.
    CannotLook, Prune => "Nothing, if it goes away by itself; else see whether the agent may read what is named.",
    /// The target cannot delete.
    PruneUnsupported, Prune => "Remove the object by hand.",
    /// The object is being deleted and something keeps it.
    Deleting, Passing => "Look at the object's finalizers.",
    /// A service that this one depends on is not ready.
    DependencyNotReady, Lasting => "Resolve the holds of the service it waits for.",
    /// A service is no longer in the set, and nothing said that it is to be removed.
    Unassigned, Lasting => "Remove the service properly, or assign it again; it is kept but no longer repaired.",
    /// A workload has not become healthy in time.
    Stalled, Lasting => "Look at the object's events and conditions.",
    /// Something that the agent's settings name cannot be read or used.
    SettingsUnusable, Lasting => "Put right what the message names: a file is taken up again without a restart, and what runs goes on and is repaired meanwhile.",
    /// The state folder, or the copy of the inventory in the target, cannot be written.
    StateUnwritable, Lasting => "Make it writable: the agent's state folder (space, rights), or its inventory in the target, as the message says; repair of what runs goes on from memory.",
}

/// The digest that a person approves: over the cluster, the service, T and the sorted list of objects. The agent
/// recomputes it and acts on exactly that.
pub fn hold_digest(
    cluster: &ClusterId,
    service: &ServiceName,
    bundle: Digest,
    objects: &[(ObjectId, String)],
) -> Digest {
    let mut objects: Vec<_> = objects.iter().collect();
    objects.sort();
    let subject = serde_json::json!({
        "cluster": cluster, "service": service, "bundle": bundle,
        "objects": objects.iter().map(|(id, uid)| {
            serde_json::json!([id.group, id.kind, id.namespace, id.name, uid])
        }).collect::<Vec<_>>(),
    });
    Digest::of(&json::canonical(&subject))
}
