//! `Identity`: who this cluster is to the api; and `Member`, which cluster it is here.

use cdn::{ClusterId, Digest, Secret};
use serde::{Deserialize, Serialize};

/// Who this cluster is. Kept on disk from the join on, and never discarded because of what the network says.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Identity {
    /// The id that the api gave.
    pub cluster: ClusterId,
    /// The credential; for the api alone.
    pub credential: Secret,
    /// The cluster's own key, as the text of a key file; for receipts.
    pub key: Secret,
    /// The fleet's id: from the join token or from the operator, never from the network.
    pub fleet: Digest,
    /// The target that this identity belongs to: a copy of the state elsewhere acts on nothing.
    pub home: String,
    /// Where content lies, as the api said at the join; content proves itself, so this is only a hint.
    #[serde(default)]
    pub origins: Vec<String>,
}

/// One cluster of one fleet, at one target: all of an identity that repair needs. What is trusted says it too, so that
/// a lost credential stops nothing (law L1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Member {
    /// The cluster.
    pub cluster: ClusterId,
    /// Its fleet.
    pub fleet: Digest,
    /// The target that it is.
    pub home: String,
}

impl Identity {
    /// Which cluster this is.
    pub(crate) fn member(&self) -> Member {
        Member { cluster: self.cluster.clone(), fleet: self.fleet, home: self.home.clone() }
    }
}

impl Member {
    /// Who this is to other agents: one cluster of one fleet. Two fleets may give one id.
    pub(crate) fn holder(&self) -> String {
        format!("{}/{}", &self.fleet.hex()[..32], self.cluster)
    }
}

/// A join that is under way. Kept on disk before the api is asked: an answer that is lost has spent the token, and only
/// the same key may ask again.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Joining {
    /// The digest of the join token.
    pub(crate) token: Digest,
    /// The cluster's own key, as the text of a key file.
    pub(crate) key: Secret,
}
