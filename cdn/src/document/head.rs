//! `head`: a service's latest release, the one mutable document of the publisher's side.

use serde::{Deserialize, Serialize};

use super::{Document, check_length, check_plain};
use crate::{Digest, ServiceName};

/// Where a service stands. Moved by compare-and-set; signed by the project's publisher.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The fleet's id.
    pub fleet: Digest,
    /// The service.
    pub service: ServiceName,
    /// The latest release: the digest of its envelope.
    pub release: Digest,
    /// That release's bundle: T, so that an unchanged render needs no other read.
    pub bundle: Digest,
    /// That release's sequence.
    pub seq: u64,
    /// The last commit looked at, which may be newer than the release's: a commit that changes only comments moves
    /// this and nothing else.
    pub commit: String,
}

impl Document for Head {
    const TYPE: &'static str = "application/vnd.windlass.head.v0+json";
    const MAX_BYTES: usize = 16 << 10;

    fn check(&self) -> Result<(), String> {
        check_length("characters of commit", self.commit.chars().count(), 200)?;
        check_plain(&self.commit)
    }
}
