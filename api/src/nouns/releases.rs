//! Releases, as they were registered.

use cdn::{Digest, ServiceName};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A registered release.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Release {
    /// Its name: the digest of its envelope.
    #[schema(value_type = String)]
    pub digest: Digest,
    /// The service.
    #[schema(value_type = String)]
    pub service: ServiceName,
    /// T: the digest of the bundle.
    #[schema(value_type = String)]
    pub bundle: Digest,
    /// Grows with every release of the service.
    pub seq: u64,
    /// The commit, or the digest of a directory's files.
    pub revision: String,
    /// The commit's subject line.
    pub subject: String,
    /// Objects in the bundle.
    pub objects: u64,
    /// Bytes of the bundle.
    pub length: u64,
    /// When it was registered.
    pub created_at: Timestamp,
    /// The publisher that registered it.
    pub publisher: String,
    /// Whether clusters are assigned it now.
    pub current: bool,
    /// Whether the newest root still believes it. One that it does not, say of a publisher's key that it no longer lists,
    /// is refused by agents, and newer than no other release.
    pub trusted: bool,
}
