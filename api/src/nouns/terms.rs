//! What is the same in every desired document of the fleet.

use serde::{Deserialize, Serialize};

/// What every desired says beside the assignment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Terms {
    pub(crate) origins: Vec<String>,
    pub(crate) lifetime_ms: i64,
}

impl Terms {
    /// Documents are signed anew twice in their lifetime, so that an agent which polls is never near the end of one.
    pub(crate) fn half_ms(&self) -> i64 {
        (self.lifetime_ms / 2).max(1)
    }
}
