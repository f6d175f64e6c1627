//! The one order in which anything is believed: root chain, `desired`, set and values, release, stored
//! object, tar. Each step's type can only be made by passing the step before it.
//!
//! ```text
//! Trust::begin -> advance -> ... -> accept -> Accepted -> open -> Snapshot -> release -> Verified -> open -> Content
//! ```
//!
//! After Uptane's split (content and assignment are signed by different keys) and TUF's client workflow.

mod assignment;
mod chain;
mod content;

pub use assignment::{Accepted, DesiredRefused, Floor, Snapshot, SnapshotRefused, host_of};
pub use chain::{RootRefused, Trust};
pub use content::{Content, ContentRefused, MinSeqs, Record, ReleaseRefused, Verified};
