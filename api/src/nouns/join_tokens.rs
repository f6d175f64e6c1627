//! Join tokens: who may join with one, how often, and as what.

use std::collections::BTreeMap;

use cdn::ProjectName;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

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
    /// Their name, or how it begins and `*`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster_name: Option<String>,
    /// When it was revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<Timestamp>,
}
