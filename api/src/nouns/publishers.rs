//! Publishers, each of one project.

use cdn::ProjectName;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A publisher, without its token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Publisher {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The project that it publishes for.
    #[schema(value_type = String)]
    pub project: ProjectName,
    /// When it was made.
    pub created_at: Timestamp,
    /// By whom.
    pub created_by: String,
    /// When it was revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<Timestamp>,
}
