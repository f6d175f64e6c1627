//! Releases: a publisher registers one with `POST /v1/releases` (the envelope as it is, at most 16 KiB); people list
//! those of a service with `GET /v1/services/{project}/{name}/releases` and read one with `GET /v1/releases/{digest}`.

use cdn::document::Release as Document;
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
}

/// One release with the document that its publisher signed.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ReleaseDetail {
    /// What the list shows too.
    #[serde(flatten)]
    pub release: Release,
    /// What the publisher signed.
    #[schema(value_type = Object)]
    pub document: Document,
}

/// The answer to `POST /v1/releases`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Registered {
    /// Its name.
    #[schema(value_type = String)]
    pub release: Digest,
    /// Whether clusters are assigned it now; not while the service is pinned to another.
    pub current: bool,
}
