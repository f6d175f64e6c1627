//! Holds that clusters report, and the approvals that people give them.

use cdn::{ClusterId, Digest, ServiceName, document};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A hold that a cluster reports.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Hold {
    /// The cluster.
    #[schema(value_type = String)]
    pub cluster: ClusterId,
    /// The cluster's name.
    pub cluster_name: String,
    /// What it reported: reason, service, object, message, since, and the digest to approve, if there is one.
    #[schema(value_type = Object)]
    pub hold: document::Hold,
    /// What a person should do next.
    pub next: String,
    /// When a person approved it; the cluster has not acted on it yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approved_at: Option<Timestamp>,
}

/// A person's yes to exactly one hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Approval {
    /// The hold's digest.
    #[schema(value_type = String)]
    pub hold: Digest,
    /// The cluster that it belongs to.
    #[schema(value_type = String)]
    pub cluster: ClusterId,
    /// The service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub service: Option<ServiceName>,
    /// When.
    pub approved_at: Timestamp,
    /// By whom.
    pub approved_by: String,
}
