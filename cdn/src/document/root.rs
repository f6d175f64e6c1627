//! `root.N`: whose signature counts for what. Signed offline; the chain from root 1 is the fleet's trust.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Document;
use crate::limits::ROOTS;
use crate::signature::Role;
use crate::{Digest, ProjectName, ServiceName};

/// The fleet's keys. Root 1's stored bytes have the digest that is the fleet's id; each later root is signed by a
/// threshold of the old and of the new root keys (TUF).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Root {
    /// 1, 2, 3 ... without a gap.
    pub version: u64,
    /// The fleet's id; absent in root 1, which cannot name its own digest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fleet: Option<Digest>,
    /// When it was made.
    pub issued: Timestamp,
    /// Who may sign what.
    pub roles: Roles,
    /// If not empty: the only hosts that a `desired` may name as origins.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub origin_hosts: Vec<String>,
    /// For emergencies: documents below these are refused.
    #[serde(default)]
    pub floors: Floors,
}

/// Who may sign what. One key has one role.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Roles {
    /// Signs the next root.
    pub root: Role,
    /// Signs `desired`: the api.
    pub desired: Role,
    /// Signs `routes`: online, since the worst it can do is waste bytes.
    pub routes: Role,
    /// Signs `release` and `head`, per project: publishers.
    pub release: BTreeMap<ProjectName, Role>,
    /// If there: signs approvals of holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approver: Option<Role>,
}

/// The lowest sequences that count.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Floors {
    /// Of every `desired`.
    #[serde(default)]
    pub desired_seq: u64,
    /// Of a service's releases.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub releases: BTreeMap<ServiceName, u64>,
}

impl Roles {
    fn all(&self) -> impl Iterator<Item = &Role> {
        [&self.root, &self.desired, &self.routes]
            .into_iter()
            .chain(self.release.values())
            .chain(&self.approver)
    }
}

impl Document for Root {
    const TYPE: &'static str = "application/vnd.windlass.root.v0+json";
    const MAX_BYTES: usize = 128 << 10;

    fn check(&self) -> Result<(), String> {
        if self.version == 0 || (self.version == 1) != self.fleet.is_none() {
            return Err("root 1, and only root 1, names no fleet".to_owned());
        }
        if self.version > ROOTS {
            return Err(format!("version {}, at most {ROOTS} are read", self.version));
        }
        let mut seen = BTreeSet::new();
        for role in self.roles.all() {
            if !role.is_sound() {
                return Err("a role needs 1 to 16 distinct keys and a threshold between 1 and their number"
                    .to_owned());
            }
            if !role.keys.iter().all(|key| seen.insert(key)) {
                return Err("one key has two roles".to_owned());
            }
        }
        Ok(())
    }
}
