//! `report`: what one cluster says it runs. Sent only when something changed; idempotent by its number.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Document, Hold, check_format, check_length, check_plain};
use crate::limits::{REPORT_BYTES, REPORT_LIST, TEXT_CHARS};
use crate::{Digest, ServiceName};

/// One cluster's own account. Whose it is follows from the credential, never from the body (law L9).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The document's type and version.
    pub format: String,
    /// Unix milliseconds when it was made; an older one than the last is ignored.
    pub number: u64,
    /// The sequence accepted; 0 before the first.
    pub seq: u64,
    /// The sequence of the pass that the services and holds are of; 0 where none could be made, or not all of its holds
    /// fit. An approval ends with a report of its sequence, or a later one, that no longer names its hold.
    #[serde(default)]
    pub passed: u64,
    /// The root version trusted.
    pub root: u64,
    /// The agent's version.
    pub agent: String,
    /// All services that it runs, sorted by name, each once.
    pub services: Vec<ServiceReport>,
    /// Everything refused or waited for.
    #[serde(default)]
    pub holds: Vec<Hold>,
    /// Removals that are done.
    #[serde(default)]
    pub removed: Vec<ServiceName>,
    /// What it costs.
    #[serde(default)]
    pub usage: Usage,
}

/// One service in one cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceReport {
    /// The service.
    pub name: ServiceName,
    /// The release applied last; none before the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<Digest>,
    /// Its bundle: T.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bundle: Option<Digest>,
    /// Whether what is wanted is what is applied.
    pub sync: Sync,
    /// Whether what is applied works.
    pub health: Health,
    /// Objects in the inventory.
    pub objects: u64,
    /// Since when sync and health are what they are.
    pub since: Timestamp,
}

/// Whether what is wanted is what is applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sync {
    /// Every object is as the bundle says.
    Synced,
    /// Work is under way.
    Pending,
    /// Something is held; see the holds.
    Held,
    /// A word of a later version.
    #[serde(other)]
    Unknown,
}

/// Whether what is applied works. The words are those of the UI.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// All objects are ready.
    Healthy,
    /// Left alone on purpose.
    Suspended,
    /// Some objects are on their way.
    Progressing,
    /// Some objects have failed.
    Degraded,
    /// Nobody can say: the kind has no rule, or the target is a folder.
    #[serde(other)]
    Unknown,
}

impl Health {
    /// The health of two things together: the worse one; what nobody can say counts only beside nothing better known.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let rank = |health| match health {
            Self::Unknown => 0,
            Self::Healthy => 1,
            Self::Suspended => 2,
            Self::Progressing => 3,
            Self::Degraded => 4,
        };
        if rank(other) > rank(self) { other } else { self }
    }
}

/// What an agent has used since it started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// CPU time, in milliseconds.
    #[serde(default)]
    pub cpu_ms: u64,
    /// Resident memory, in bytes.
    #[serde(default)]
    pub memory_bytes: u64,
    /// Content read from origins, in bytes.
    #[serde(default)]
    pub content_bytes: u64,
    /// Content that was already held, in bytes.
    #[serde(default)]
    pub saved_bytes: u64,
}

impl Document for Report {
    const TYPE: &'static str = "report.v0";
    const MAX_BYTES: usize = REPORT_BYTES;

    fn check(&self) -> Result<(), String> {
        check_format::<Self>(&self.format)?;
        check_length("services", self.services.len(), REPORT_LIST)?;
        check_length("holds", self.holds.len(), REPORT_LIST)?;
        check_length("removals", self.removed.len(), REPORT_LIST)?;
        // One that is named twice would be counted twice.
        if !self.services.is_sorted_by(|a, b| a.name < b.name) {
            return Err("its services are not sorted, or one is there twice".to_owned());
        }
        check_length("characters of version", self.agent.chars().count(), 64)?;
        check_plain(&self.agent)?;
        for hold in &self.holds {
            check_length("characters", hold.message.chars().count(), TEXT_CHARS)?;
            check_plain(&hold.message)?;
            let object = hold.object.iter();
            let mut words = object.flat_map(|o| [&o.group, &o.kind, &o.name].into_iter().chain(&o.namespace));
            words.try_for_each(|word| check_plain(word))?;
        }
        Ok(())
    }
}
