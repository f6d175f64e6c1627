//! `values`: what is particular to one cluster. Content-addressed; named by `desired` beside the set.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Document, check_format};
use crate::limits::VALUES_BYTES;
use crate::{ProjectName, json};

/// Values by name, of one project.
pub type ProjectValues = BTreeMap<String, Value>;

/// One cluster's values, by project. Not signed: a `desired` names it by digest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Values {
    /// The document's type and version.
    pub format: String,
    /// By project.
    pub projects: BTreeMap<ProjectName, ProjectValues>,
}

impl Values {
    /// Values by project.
    pub fn new(projects: BTreeMap<ProjectName, ProjectValues>) -> Self {
        Self { format: Self::TYPE.to_owned(), projects }
    }

    /// The bytes to store; their digest is the document's name.
    pub fn to_bytes(&self) -> Vec<u8> {
        json::canonical_of(self)
    }
}

impl Document for Values {
    const TYPE: &'static str = "values.v0";
    const MAX_BYTES: usize = VALUES_BYTES;

    fn check(&self) -> Result<(), String> {
        check_format::<Self>(&self.format)
    }
}
