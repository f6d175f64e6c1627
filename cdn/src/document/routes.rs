//! `routes`: which deltas lead to a bundle. Signed by an online key: the worst it can do is waste bytes.

use serde::{Deserialize, Serialize};

use super::{Document, check_length};
use crate::Digest;

/// The deltas that lead to one bundle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Routes {
    /// The fleet's id.
    pub fleet: Digest,
    /// T: what the deltas lead to.
    pub bundle: Digest,
    /// One per older bundle.
    pub deltas: Vec<Delta>,
}

/// A stored delta.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delta {
    /// The older bundle's T.
    pub from: Digest,
    /// How it is applied, e.g. `zstd_patch`; one that a reader does not know is skipped.
    pub encoding: String,
    /// The digest of the stored bytes: their place.
    pub digest: Digest,
    /// The stored bytes' length.
    pub length: u64,
}

impl Document for Routes {
    const TYPE: &'static str = "application/vnd.windlass.routes.v0+json";
    const MAX_BYTES: usize = 64 << 10;

    fn check(&self) -> Result<(), String> {
        check_length("deltas", self.deltas.len(), 128)
    }
}
