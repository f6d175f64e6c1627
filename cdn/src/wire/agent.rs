//! The agent's protocol, and nothing else: `GET /v1/desired`, `POST /v1/report`, `POST /v1/join`, `POST /v1/renew`.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::envelope::Envelope;
use crate::json::base64_text;
use crate::{ClusterId, Digest, PublicKey, Secret};

/// Request header of a poll: the sequence that the agent holds. An api that is behind it serves nothing.
pub const SEQ_HEADER: &str = "windlass-seq";
/// Request header of a poll: 16 random hex digits, made anew at each start (FAULTS D9).
pub const START_HEADER: &str = "windlass-start";
/// Answer header: seconds until the next poll, honoured within [`POLL_AFTER_BOUNDS`].
pub const POLL_AFTER: &str = "poll-after";
/// The least and the most that a server may ask an agent to wait: it can slow a fleet down, not stop it (FAULTS H3).
pub const POLL_AFTER_BOUNDS: (Duration, Duration) = (Duration::from_secs(30), Duration::from_hours(1));
/// How often an agent polls that was told nothing else.
pub const POLL_INTERVAL: Duration = Duration::from_mins(2);

/// The answer to `GET /v1/desired`: the envelope, and beside it, unsigned, small objects that it leads to. They are
/// content-addressed, so they need no trust.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PollAnswer {
    /// The signed `desired`.
    #[serde(flatten)]
    pub envelope: Envelope,
    /// Set, values and releases that are new; together at most 16 KiB.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub objects: BTreeMap<Digest, Inline>,
}

/// The bytes of a small object, base64 in JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Inline(#[serde(with = "base64_text")] pub Vec<u8>);

impl PollAnswer {
    /// The objects whose bytes have the digest that names them.
    pub fn proved(self) -> BTreeMap<Digest, Vec<u8>> {
        self.objects
            .into_iter()
            .filter(|(name, o)| Digest::of(&o.0) == *name)
            .map(|(name, o)| (name, o.0))
            .collect()
    }
}

/// `POST /v1/join`, with the join token as bearer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JoinRequest {
    /// How the site calls itself, a DNS label; a person may change it.
    pub name: String,
    /// The cluster's own key, for receipts.
    pub key: PublicKey,
    /// The agent's version.
    pub agent: String,
}

/// The answer to a join. Carries no trust: the fleet's id came with the token.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct JoinAnswer {
    /// The new cluster's id.
    pub cluster: ClusterId,
    /// Its credential, shown this once.
    pub credential: Secret,
    /// Whether it may poll at once.
    pub state: JoinState,
    /// Where content lies.
    pub origins: Vec<String>,
}

/// Whether a cluster that has joined may poll.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JoinState {
    /// It may.
    Active,
    /// A person has to approve it first; until then a poll answers 403 with code `pending`.
    Pending,
}

/// The answer to `POST /v1/renew`: same identity, new credential. The old one dies when the new one is first used.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RenewAnswer {
    /// The new credential, shown this once.
    pub credential: Secret,
}

/// An error answer (RFC 9457, `application/problem+json`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// Stable, for programs: `not_found`, `conflict`, `pending` ...
    pub code: String,
    /// What is the matter, one line.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// Why, and what to do next.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// Names the request in the api's log.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub request_id: String,
    /// With `report_outdated`: the number of the last report, which the next one's has to be above.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<u64>,
}
