//! `release`: "this service, at this revision, is bundle T; here are its encodings". Signed by a publisher.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Document, check_length, check_plain};
use crate::encoding::Encoding;
use crate::name::is_dns_label;
use crate::{Digest, ServiceName};

/// One rendered state of a service. Its own name is the digest of its envelope's bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// The fleet's id.
    pub fleet: Digest,
    /// The service that this is a release of.
    pub service: ServiceName,
    /// Where it was rendered from.
    pub revision: Revision,
    /// T: the digest of the bundle's canonical tar.
    pub bundle: Digest,
    /// The canonical tar's bytes.
    pub length: u64,
    /// The namespace of objects that name none.
    pub namespace: String,
    /// How the bundle is stored; at least one.
    pub encodings: Vec<Stored>,
    /// Unix milliseconds of publishing; grows with every release of the service.
    pub seq: u64,
    /// Releases of this service below it are no longer acceptable to whoever has seen this one.
    #[serde(default)]
    pub min_seq: u64,
    /// Objects in the bundle, for people.
    pub objects: u64,
}

/// Where a release was rendered from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revision {
    /// The commit, or the digest of a directory's files.
    pub id: String,
    /// The commit's subject line, at most 200 characters; empty for a directory.
    #[serde(default)]
    pub subject: String,
    /// When the commit was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<Timestamp>,
}

/// A stored encoding of a bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stored {
    /// How the stored bytes become the tar.
    pub encoding: Encoding,
    /// The digest of the stored bytes: their place.
    pub digest: Digest,
    /// The stored bytes' length.
    pub length: u64,
}

impl Document for Release {
    const TYPE: &'static str = "application/vnd.windlass.release.v0+json";
    const MAX_BYTES: usize = 16 << 10;

    fn check(&self) -> Result<(), String> {
        check_length("encodings", self.encodings.len(), 16)?;
        check_length("characters of revision", self.revision.id.chars().count(), 200)?;
        check_length("characters of subject", self.revision.subject.chars().count(), 200)?;
        check_plain(&self.revision.id)?;
        check_plain(&self.revision.subject)?;
        if self.encodings.is_empty() {
            return Err("it names no encoding".to_owned());
        }
        if self.min_seq > self.seq {
            return Err("its min_seq is above its own seq".to_owned());
        }
        if !is_dns_label(&self.namespace) {
            return Err(format!("namespace `{}` is not a DNS label", self.namespace));
        }
        Ok(())
    }
}
