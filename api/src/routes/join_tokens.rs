//! Join tokens: `POST|GET /v1/join-tokens`, `POST /v1/join-tokens/{id}/revoke`. A token is shown once; what is kept is
//! its hash.

use std::collections::BTreeMap;

use cdn::{ProjectName, Secret};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// `POST /v1/join-tokens`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewJoinToken {
    /// How long it can be used: an hour unless said, at most 30 days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl_seconds: Option<u64>,
    /// How many clusters may join with it: 1 unless said, at most 100,000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_uses: Option<u64>,
    /// The labels of each cluster that joins with it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// The projects whose services may come to these clusters; empty means every project.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<String>)]
    pub projects: Vec<ProjectName>,
    /// Whether clusters may poll at once. Unless said: yes with one use, no with more, where a person approves each.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approve: Option<bool>,
}

/// A join token, without the token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct JoinToken {
    /// Its id.
    pub id: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// By whom.
    pub created_by: String,
    /// Until when it can be used.
    pub expires_at: Timestamp,
    /// How many clusters may join with it.
    pub max_uses: u64,
    /// How many have.
    pub uses: u64,
    /// Their labels.
    pub labels: BTreeMap<String, String>,
    /// The projects whose services may come to them.
    #[schema(value_type = Vec<String>)]
    pub projects: Vec<ProjectName>,
    /// Whether they may poll at once.
    pub approve: bool,
    /// When it was revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<Timestamp>,
}

/// The answer to `POST /v1/join-tokens`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct JoinTokenCreated {
    /// What the list shows too.
    #[serde(flatten)]
    pub join_token: JoinToken,
    /// The token, shown this once; absent when the same `Idempotency-Key` was used before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub token: Option<Secret>,
}
