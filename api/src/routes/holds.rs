//! Holds: what agents refuse or wait for. `GET /v1/holds`, `POST /v1/holds/{digest}/approve`.

use cdn::envelope::Signature;
use cdn::{ClusterId, Digest, ServiceName, document};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

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

/// `POST /v1/holds/{digest}/approve`. An empty body is enough where root lists no approvers.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Approve {
    /// Signatures of approvers over the hold's digest, where root lists approvers; at most 16.
    #[serde(default)]
    #[schema(value_type = Vec<Object>)]
    pub signatures: Vec<Signature>,
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

/// Which holds.
#[derive(Clone, Debug, Default, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct HoldQuery {
    /// Only those of this cluster, by name or id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// Only those with this reason code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// At most this many entries; 100 unless said, at most 1,000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// `next` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}
