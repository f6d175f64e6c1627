//! Publishers' credentials: `POST|GET /v1/publishers`, `POST /v1/publishers/{id}/revoke`. What a publisher itself asks
//! is in [`super::publisher`].

use cdn::{ProjectName, Secret};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// `POST /v1/publishers`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPublisher {
    /// A name for people, a DNS label.
    pub name: String,
    /// The one project that it publishes for; `default` unless said.
    #[serde(default)]
    #[schema(value_type = String)]
    pub project: ProjectName,
}

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

/// The answer to `POST /v1/publishers`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct PublisherCreated {
    /// What the list shows too.
    #[serde(flatten)]
    pub publisher: Publisher,
    /// Its token, shown this once; absent when the same `Idempotency-Key` was used before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub token: Option<Secret>,
}
