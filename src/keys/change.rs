//! The next root from the last one and a change of a role: pure, so that what a fleet will believe can be read and tested.

use std::fmt;

use cdn::document::{Roles, Root};
use cdn::envelope::Role;
use cdn::limits::KEYS;
use cdn::trust::Trust;
use cdn::{ProjectName, PublicKey};
use jiff::Timestamp;

use crate::exit::{Exit, Failure};

/// A role, as people name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RoleName {
    Root,
    Desired,
    Routes,
    Approver,
    Release(ProjectName),
}

/// What becomes of a role's keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Change {
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

impl RoleName {
    /// The role in a root; none where it lists no key for it.
    pub(crate) fn of<'r>(&self, roles: &'r Roles) -> Option<&'r Role> {
        match self {
            Self::Root => Some(&roles.root),
            Self::Desired => Some(&roles.desired),
            Self::Routes => Some(&roles.routes),
            Self::Approver => roles.approver.as_ref(),
            Self::Release(project) => roles.release.get(project),
        }
    }

    fn set(&self, roles: &mut Roles, role: Role) {
        match self {
            Self::Root => roles.root = role,
            Self::Desired => roles.desired = role,
            Self::Routes => roles.routes = role,
            Self::Approver => roles.approver = Some(role),
            Self::Release(project) => drop(roles.release.insert(project.clone(), role)),
        }
    }
}

/// The beginning of its key's file name.
impl fmt::Display for RoleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => f.write_str("root"),
            Self::Desired => f.write_str("desired"),
            Self::Routes => f.write_str("routes"),
            Self::Approver => f.write_str("approver"),
            Self::Release(project) => write!(f, "release-{project}"),
        }
    }
}

/// The root after the newest one: the same, until something of it is changed.
pub(crate) fn next_root(trust: &Trust, now: Timestamp) -> Result<Root, Failure> {
    let last = trust.root();
    let version = trust.next_version().ok_or_else(|| {
        Failure::new(Exit::Failed, format!("root {} is the last one that is read", last.version))
    })?;
    Ok(Root { version, fleet: Some(trust.fleet()), issued: now, ..last.clone() })
}

impl Change {
    /// Makes the change to a role of the next root.
    pub(crate) fn make(&self, name: &RoleName, root: &mut Root) -> Result<(), Failure> {
        let before = match (name.of(&root.roles), self.leaving == Leaving::Nobody) {
            (Some(role), _) => role.clone(),
            (None, true) => Role { keys: Vec::new(), threshold: 1 },
            (None, false) => {
                let what = format!("root lists no key for the role {name} yet");
                return Err(Failure::new(Exit::NotFound, what).next("begin the role with --add"));
            }
        };
        name.set(&mut root.roles, self.of(name, &before)?);
        Ok(())
    }

    fn of(&self, name: &RoleName, before: &Role) -> Result<Role, Failure> {
        let mut keys = before.keys.clone();
        match &self.leaving {
            Leaving::Nobody => {}
            Leaving::All => keys.clear(),
            Leaving::These(ids) => {
                known(name, before, ids)?;
                keys.retain(|key| !ids.contains(&key.id()));
            }
        }
        keys.extend(self.new);
        let role = Role { threshold: self.threshold.unwrap_or(before.threshold), keys };
        if !role.is_sound() {
            let (keys, threshold) = (role.keys.len(), role.threshold);
            let what = format!("the role {name} would have {keys} of the {threshold} keys that have to sign");
            let why = format!("a threshold lies between 1 and the number of keys, which is at most {KEYS}");
            return Err(Failure::new(Exit::Usage, what).why(why).next("give --add, or another --threshold"));
        }
        if role == *before {
            return Err(Failure::new(Exit::Usage, format!("this changes nothing of the role {name}")));
        }
        Ok(role)
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
