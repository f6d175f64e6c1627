//! What the audit log says of each write.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Whose name stands at what the api does by itself, without a request that asks for it.
pub(crate) const API: &str = "api";

/// One write.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Entry {
    /// Its id; ids grow with time.
    pub id: String,
    /// When.
    pub at: Timestamp,
    /// Who: `admin`, `publisher:<name>`, `cluster:<id>`, `join:<token id>` or `api`.
    pub who: String,
    /// What was done: `service.put`, `cluster.approve` ...
    pub verb: String,
    /// To what.
    pub object: String,
    /// The particulars.
    #[schema(value_type = Object)]
    pub detail: serde_json::Value,
}
