//! `Outcome`: what one pass of the sync loop came to. Logged, counted, and reported.

use std::collections::BTreeMap;
use std::time::Duration;

use cdn::document::{Health, HoldReason, Sync};
use cdn::{Digest, ServiceName};
use serde::Serialize;

use crate::held::Held;

/// What one pass came to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outcome {
    /// The assignment's sequence.
    pub seq: u64,
    /// How it ended.
    pub result: Ended,
    /// How long it took.
    pub took: Duration,
    /// What was done.
    pub counts: Counts,
    /// How each service stands now.
    pub services: BTreeMap<ServiceName, ServiceOutcome>,
    /// Everything refused or waited for.
    pub held: Vec<Held>,
    /// Services whose removal is done.
    pub removed: Vec<ServiceName>,
    /// Whether another look soon is worth it: something is on its way, or may go better the next time.
    pub unsettled: bool,
    /// Whether the next pass can do or say more at once, because of what this one did or learned.
    pub again: bool,
}

/// How a pass ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    /// Everything was looked at, and every step taken worked.
    Complete,
    /// Something was held, refused, or left for a later pass.
    Incomplete,
    /// A newer assignment came.
    Superseded,
    /// It could not be made at all.
    #[default]
    Failed,
}

/// What was done to objects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Made, changed or taken over because the assignment says so.
    pub applied: u64,
    /// Brought back to what they should be.
    pub repaired: u64,
    /// Looked at and left alone, or applied without a difference.
    pub unchanged: u64,
    /// Deleted.
    pub deleted: u64,
    /// Let go.
    pub released: u64,
    /// Refused by the target.
    pub failed: u64,
}

/// How one service stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ServiceOutcome {
    /// The release that was last applied completely.
    pub release: Option<Digest>,
    /// Its bundle: T.
    pub bundle: Option<Digest>,
    /// Whether what is wanted is what is there.
    pub sync: Sync,
    /// Whether it works.
    pub health: Health,
    /// Objects in the inventory.
    pub objects: u64,
}

impl Ended {
    /// The word in metrics and logs.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Incomplete => "incomplete",
            Self::Superseded => "superseded",
            Self::Failed => "failed",
        }
    }
}

impl Counts {
    /// Whether anything was written.
    pub fn wrote(&self) -> bool {
        self.got_on() || self.repaired > 0
    }

    /// Whether something was brought nearer to the assignment, as opposed to brought back.
    pub fn got_on(&self) -> bool {
        self.applied + self.deleted + self.released > 0
    }
}

impl Outcome {
    /// A pass that could not be made, and why.
    pub(crate) fn failed(seq: u64, held: Held) -> Self {
        Self { seq, held: vec![held], unsettled: true, ..Self::default() }
    }

    /// Whether another agent works on the cluster, so that nothing is known of it here.
    pub(crate) fn is_anothers(&self) -> bool {
        self.held.iter().any(|held| held.reason == HoldReason::AnotherAgent)
    }
}
