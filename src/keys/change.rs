//! The next root from the last one and a change: pure, so that what a fleet will believe can be read and tested.

use cdn::PublicKey;
use cdn::document::Root;
use cdn::envelope::Role;
use cdn::limits::KEYS;
use cdn::trust::Trust;
use jiff::Timestamp;

use super::role::RoleName;
use crate::exit::{Exit, Failure};

/// What the next root says otherwise than the last one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Change {
    /// The keys of a role.
    pub(crate) role: Option<(RoleName, KeyChange)>,
    /// The hosts that origins may be on; an empty list is every host.
    pub(crate) origin_hosts: Option<Vec<String>>,
}

/// What becomes of a role's keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct KeyChange {
    /// The key that comes in, if one does.
    pub(crate) new: Option<PublicKey>,
    /// Which ones leave.
    pub(crate) leaving: Leaving,
    /// How many have to sign from now on; as before unless said.
    pub(crate) threshold: Option<usize>,
}

/// Which of a role's keys leave.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Leaving {
    /// None.
    #[default]
    Nobody,
    /// These, by their ids.
    These(Vec<String>),
    /// All that there were.
    All,
}

impl Change {
    /// The root after the newest one. All else stays, and one that changes nothing is refused.
    pub(crate) fn next(&self, trust: &Trust, now: Timestamp) -> Result<Root, Failure> {
        let last = trust.root();
        let version = trust.next_version().ok_or_else(|| {
            Failure::new(Exit::Failed, format!("root {} is the last one that is read", last.version))
        })?;
        let mut root = Root { version, fleet: Some(trust.fleet()), issued: now, ..last.clone() };
        if let Some((name, keys)) = &self.role {
            let role = keys.of(name, name.of(&last.roles))?;
            name.set(&mut root.roles, role);
        }
        if let Some(hosts) = &self.origin_hosts {
            root.origin_hosts.clone_from(hosts);
        }
        if (&root.roles, &root.origin_hosts) == (&last.roles, &last.origin_hosts) {
            return Err(Failure::new(
                Exit::Usage,
                format!("root {version} would say what root {} does", last.version),
            )
            .next("give what should change, or keep the root that there is"));
        }
        Ok(root)
    }
}

impl KeyChange {
    fn of(&self, name: &RoleName, before: Option<&Role>) -> Result<Role, Failure> {
        let before = match before {
            Some(role) => role.clone(),
            None if self.leaving == Leaving::Nobody => Role { keys: Vec::new(), threshold: 1 },
            None => {
                let what = format!("root lists no key for the role {name} yet");
                return Err(Failure::new(Exit::NotFound, what).next("begin the role with --add"));
            }
        };
        let mut keys = before.keys.clone();
        match &self.leaving {
            Leaving::Nobody => {}
            Leaving::All => keys.clear(),
            Leaving::These(ids) => {
                known(name, &before, ids)?;
                keys.retain(|key| !ids.contains(&key.id()));
            }
        }
        keys.extend(self.new);
        let role = Role { threshold: self.threshold.unwrap_or(before.threshold), keys };
        if role.is_sound() {
            return Ok(role);
        }
        let (keys, threshold) = (role.keys.len(), role.threshold);
        let what = format!("the role {name} would have {keys} of the {threshold} keys that have to sign");
        let why = format!("a threshold lies between 1 and the number of keys, which is at most {KEYS}");
        Err(Failure::new(Exit::Usage, what).why(why).next("give --add, or another --threshold"))
    }
}

fn known(name: &RoleName, role: &Role, ids: &[String]) -> Result<(), Failure> {
    let there: Vec<String> = role.keys.iter().map(PublicKey::id).collect();
    ids.iter().find(|id| !there.contains(id)).map_or(Ok(()), |id| {
        Err(Failure::new(Exit::NotFound, format!("the role {name} has no key {id}"))
            .why(format!("its keys are {}", there.join(", ")))
            .next("see them with `windlass keys show DIR`"))
    })
}

#[cfg(test)]
mod tests;
