//! `RoleName`: a role as people name it, and the files of its keys.

use std::fmt;

use cdn::ProjectName;
use cdn::document::Roles;
use cdn::envelope::Role;

/// A role, as people name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RoleName {
    Root,
    Desired,
    Routes,
    Approver,
    Release(ProjectName),
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

    /// Replaces it.
    pub(super) fn set(&self, roles: &mut Roles, role: Role) {
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

impl RoleName {
    /// All that a root lists keys for.
    pub(super) fn all(roles: &Roles) -> Vec<Self> {
        let releases = roles.release.keys().cloned().map(Self::Release);
        let approver = roles.approver.iter().map(|_| Self::Approver);
        [Self::Root, Self::Desired, Self::Routes].into_iter().chain(releases).chain(approver).collect()
    }

    /// The file of the key that comes with a root. A project's name has no dot, so no two roles share a file.
    pub(super) fn file(&self, version: u64) -> String {
        if version == 1 { format!("{self}.key") } else { format!("{self}.{version}.key") }
    }
}
