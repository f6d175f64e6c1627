//! Removals: what clusters are to take away.

use cdn::document::RemovalMode;
use cdn::{ClusterId, ServiceName};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

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
