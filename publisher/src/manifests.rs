//! Manifests: what a renderer gives, read as kubectl reads it, and held against what every bundle must keep.

mod check;
mod finding;
mod images;
mod keyed;
mod outdated;
mod secret;
pub mod yaml;

use serde_json::Value;
use yaml::Cost;

pub(crate) use check::VERSION as CHECKS;
pub use check::{Checked, Rules, check};
pub use finding::{Finding, Findings};

/// One document of a renderer, not yet known to be an object.
#[derive(Clone, Debug, PartialEq)]
pub struct Manifest {
    /// Where it was read, for people: a file and line, or a template.
    pub at: String,
    /// What it says.
    pub value: Value,
}

impl Manifest {
    /// The kind and name as far as they can be told, for people.
    pub(crate) fn title(&self) -> String {
        let text = |pointer: &str| self.value.pointer(pointer).and_then(Value::as_str).unwrap_or("?");
        crate::words::safe(&format!("{} {}", text("/kind"), text("/metadata/name")), 200)
    }
}

/// Reads a renderer's output: every document of it. `name` is what people call it.
pub(crate) fn read(name: &str, bytes: &[u8]) -> Result<Vec<Manifest>, Finding> {
    read_more(name, bytes, &mut Cost::default())
}

/// Reads one of several files of a service; `spent` is what the others cost.
pub(crate) fn read_more(name: &str, bytes: &[u8], spent: &mut Cost) -> Result<Vec<Manifest>, Finding> {
    let documents = yaml::read_more(bytes, yaml::YamlLimits::default(), spent)
        .map_err(|refused| Finding::new(name, refused.to_string(), "write it as said, or quote it"))?;
    let at = |line| format!("{name}:{line}");
    Ok(documents.into_iter().map(|read| Manifest { at: at(read.line), value: read.value }).collect())
}
