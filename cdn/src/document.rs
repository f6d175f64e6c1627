//! The documents: what Windlass writes down, one file each. All are `v0` until the content plane is finished; from
//! then on every version parses for ever.

mod desired;
mod head;
mod hold;
mod release;
mod report;
mod root;
mod routes;
mod set;
mod values;

pub use desired::{APPROVAL_TYPE, Approval, Desired, Named, Removal, RemovalMode};
pub use head::Head;
pub use hold::{Hold, HoldClass, HoldReason, hold_digest};
pub use release::{Release, Revision, Stored};
pub use report::{Health, Report, ServiceReport, Sync, Usage};
pub use root::{Floors, Roles, Root};
pub use routes::{Delta, Routes};
pub use set::{ServiceEntry, ServiceOptions, Set};
pub use values::{ProjectValues, Values};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::json;

/// A document: its type, which carries its version, and its bound.
pub trait Document: Serialize + DeserializeOwned {
    /// The DSSE payload type of a signed document; the `format` field of one that is named by digest.
    const TYPE: &'static str;
    /// The most bytes that are read, envelope included.
    const MAX_BYTES: usize;

    /// What the type system cannot say; the text names the broken rule.
    fn check(&self) -> Result<(), String>;
}

/// A document that is named by its digest, not signed, is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind}: {why}")]
pub struct DocumentRefused {
    kind: &'static str,
    why: String,
}

/// Reads a document that is not signed: one whose digest has been checked, or a report.
pub fn read<T: Document>(bytes: &[u8]) -> Result<T, DocumentRefused> {
    let refuse = |why| DocumentRefused { kind: T::TYPE, why };
    if bytes.len() > T::MAX_BYTES {
        return Err(refuse(format!("{} bytes, at most {} are read", bytes.len(), T::MAX_BYTES)));
    }
    let document: T = json::document(bytes).map_err(|error| refuse(error.to_string()))?;
    document.check().map_err(refuse)?;
    Ok(document)
}

fn check_format<T: Document>(format: &str) -> Result<(), String> {
    if format == T::TYPE { Ok(()) } else { Err(format!("its format is `{format}`")) }
}

fn check_length(what: &str, length: usize, limit: usize) -> Result<(), String> {
    if length <= limit { Ok(()) } else { Err(format!("{length} {what}, at most {limit} are read")) }
}

/// A NUL is no text to a database, which would refuse other clusters' reports with this one; an escape is a command to
/// somebody's terminal.
fn check_plain(text: &str) -> Result<(), String> {
    if text.chars().any(char::is_control) { Err("a text has control characters".to_owned()) } else { Ok(()) }
}
