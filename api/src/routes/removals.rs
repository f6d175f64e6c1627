//! Removals: services that clusters are to take away. `GET /v1/removals`, `POST /v1/removals`.

use cdn::document::RemovalMode;
use cdn::{ClusterId, ServiceName};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// A service that one cluster is to take away: the only way in which a whole service goes (law L6).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Removal {
    /// Its id.
    pub id: String,
    /// The cluster.
    #[schema(value_type = String)]
    pub cluster: ClusterId,
    /// The cluster's name.
    pub cluster_name: String,
    /// The service.
    #[schema(value_type = String)]
    pub service: ServiceName,
    /// What becomes of its objects.
    #[schema(value_type = String)]
    pub mode: RemovalMode,
    /// When it was written.
    pub created_at: Timestamp,
    /// By whom.
    pub created_by: String,
    /// When the cluster reported it done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub done_at: Option<Timestamp>,
}

/// `POST /v1/removals`: takes a service that is no longer assigned away from a cluster.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewRemoval {
    /// The cluster's name or id.
    pub cluster: String,
    /// The service.
    #[schema(value_type = String)]
    pub service: ServiceName,
    /// What becomes of its objects.
    #[schema(value_type = String)]
    pub mode: RemovalMode,
}

/// Which removals.
#[derive(Clone, Debug, Default, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct RemovalQuery {
    /// Only those of this cluster, by name or id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// Those that are done as well.
    #[serde(default)]
    pub done: bool,
    /// At most this many entries; 100 unless said, at most 1,000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// `next` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}
