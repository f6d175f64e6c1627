//! `set`: what a group of clusters runs. Content-addressed, and shared by all clusters with the same assignment.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::values::ProjectValues;
use super::{Document, check_format, check_length};
use crate::limits::SET_SERVICES;
use crate::{Digest, ProjectName, ServiceName, json};

/// Services and their releases. Not signed: a `desired` names it by digest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Set {
    /// The document's type and version.
    pub format: String,
    /// Sorted by name, each once.
    pub services: Vec<ServiceEntry>,
    /// Values for every cluster that runs the set.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub values: BTreeMap<ProjectName, ProjectValues>,
}

/// One service of a set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceEntry {
    /// The service.
    pub name: ServiceName,
    /// Its release: the digest of the release's envelope.
    pub release: Digest,
    /// How to treat it.
    #[serde(default)]
    pub options: ServiceOptions,
    /// Services that must be applied and healthy first.
    #[serde(default, skip_serializing_if = "Vec::is_empty", rename = "dependsOn")]
    pub depends_on: Vec<ServiceName>,
}

/// How an agent treats a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceOptions {
    /// Whether objects that left the bundle are deleted; true unless said.
    #[serde(default = "yes")]
    pub prune: bool,
    /// Whether the service is left as it is: no apply, no repair, no prune.
    #[serde(default)]
    pub suspend: bool,
    /// Former names of the service: their objects become its own (a rename).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub formerly: Vec<ServiceName>,
}

fn yes() -> bool {
    true
}

impl Default for ServiceOptions {
    fn default() -> Self {
        Self { prune: true, suspend: false, formerly: Vec::new() }
    }
}

impl Set {
    /// A set of these services, sorted.
    pub fn new(mut services: Vec<ServiceEntry>) -> Self {
        services.sort_by(|a, b| a.name.cmp(&b.name));
        Self { format: Self::TYPE.to_owned(), services, values: BTreeMap::new() }
    }

    /// The bytes to store; their digest is the set's name.
    pub fn to_bytes(&self) -> Vec<u8> {
        json::canonical_of(self)
    }

    /// One service's entry.
    pub fn get(&self, name: &ServiceName) -> Option<&ServiceEntry> {
        self.services.binary_search_by(|entry| entry.name.cmp(name)).ok().map(|at| &self.services[at])
    }
}

impl Document for Set {
    const TYPE: &'static str = "set.v0";
    const MAX_BYTES: usize = 2 << 20;

    fn check(&self) -> Result<(), String> {
        check_format::<Self>(&self.format)?;
        check_length("services", self.services.len(), SET_SERVICES)?;
        if !self.services.is_sorted_by(|a, b| a.name < b.name) {
            return Err("its services are not sorted, or one is there twice".to_owned());
        }
        let names: BTreeSet<_> = self.services.iter().map(|entry| &entry.name).collect();
        for entry in &self.services {
            check_length("dependencies", entry.depends_on.len(), 64)?;
            check_length("former names", entry.options.formerly.len(), 64)?;
            if let Some(missing) = entry.depends_on.iter().find(|name| !names.contains(name)) {
                return Err(format!("{} depends on {missing}, which is not in the set", entry.name));
            }
        }
        Ok(())
    }
}
