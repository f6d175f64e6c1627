//! `GET /v1/whoami`: whether a credential works, and for which fleet.

use cdn::Digest;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Who asks, and whom.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Whoami {
    /// Who the credential speaks for.
    pub who: String,
    /// The fleet's id.
    #[schema(value_type = String)]
    pub fleet: Digest,
    /// The newest root that the api knows.
    pub root: u64,
    /// The api's version.
    pub version: String,
    /// Where content lies: what agents are told.
    pub origins: Vec<String>,
}
