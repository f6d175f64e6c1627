//! What each kind of document says in one line, and whose signature it needs.

use cdn::document::{Desired, Document, Head, Release, Root, Routes, Set, Values};
use cdn::envelope::Role;
use cdn::trust::{MinSeqs, Trust, Verified};
use cdn::{Digest, ProjectName};
use program::progress::count;

/// A signed document: whose signature it needs, and what it says.
pub(super) trait Says: Document {
    /// The role that must have signed it.
    fn role<'t>(&self, trust: &'t Trust) -> Option<&'t Role>;
    /// The fleet that it is of.
    fn fleet(&self) -> Digest;
    /// One line.
    fn says(&self) -> String;
    /// What a good signature alone does not say: the floors that root sets for emergencies.
    fn floors(&self, _bytes: &[u8], _trust: &Trust) -> Result<(), String> {
        Ok(())
    }
}

fn publisher<'t>(trust: &'t Trust, project: &ProjectName) -> Option<&'t Role> {
    trust.release_role(project)
}

impl Says for Release {
    fn role<'t>(&self, trust: &'t Trust) -> Option<&'t Role> {
        publisher(trust, self.service.project())
    }

    fn fleet(&self) -> Digest {
        self.fleet
    }

    fn says(&self) -> String {
        let (service, revision) = (&self.service, crate::words::commit(&self.revision.id));
        let bundle = self.bundle.short();
        format!("{service} at {revision} is bundle {bundle} with {}", count(self.objects, "object"))
    }

    fn floors(&self, bytes: &[u8], trust: &Trust) -> Result<(), String> {
        let checked = Verified::check(trust, &self.service, bytes, &MinSeqs::default());
        checked.map(|_| ()).map_err(|error| error.to_string())
    }
}

impl Says for Head {
    fn role<'t>(&self, trust: &'t Trust) -> Option<&'t Role> {
        publisher(trust, self.service.project())
    }

    fn fleet(&self) -> Digest {
        self.fleet
    }

    fn says(&self) -> String {
        let (service, release, commit) =
            (&self.service, self.release.short(), crate::words::commit(&self.commit));
        format!("the latest release of {service} is {release}, looked at {commit}")
    }
}

impl Says for Routes {
    fn role<'t>(&self, trust: &'t Trust) -> Option<&'t Role> {
        Some(&trust.root().roles.routes)
    }

    fn fleet(&self) -> Digest {
        self.fleet
    }

    fn says(&self) -> String {
        format!("{} deltas lead to {}", self.deltas.len(), self.bundle.short())
    }
}

impl Says for Desired {
    fn role<'t>(&self, trust: &'t Trust) -> Option<&'t Role> {
        Some(&trust.root().roles.desired)
    }

    fn fleet(&self) -> Digest {
        self.fleet
    }

    fn says(&self) -> String {
        let (cluster, seq, set, expires) = (&self.cluster, self.seq, self.set.digest.short(), self.expires);
        format!("{cluster}, sequence {seq}, runs set {set} until {expires}")
    }

    fn floors(&self, _bytes: &[u8], trust: &Trust) -> Result<(), String> {
        let floor = trust.root().floors.desired_seq;
        if self.seq >= floor {
            Ok(())
        } else {
            Err(format!("its sequence is below {floor}, which root sets"))
        }
    }
}

/// What a root says.
pub(super) fn root_says(root: &Root) -> String {
    let projects: Vec<&str> = root.roles.release.keys().map(ProjectName::as_str).collect();
    format!("root {} of {}: projects {}", root.version, root.issued, projects.join(", "))
}

/// A document that a `desired` names.
pub(super) trait Named {
    /// Whether a `desired` names these bytes as it.
    fn is_named(desired: &Desired, bytes: &[u8]) -> bool;
    /// One line.
    fn summary(&self) -> String;
}

impl Named for Set {
    fn is_named(desired: &Desired, bytes: &[u8]) -> bool {
        desired.set.is(bytes)
    }

    fn summary(&self) -> String {
        count(self.services.len() as u64, "service")
    }
}

impl Named for Values {
    fn is_named(desired: &Desired, bytes: &[u8]) -> bool {
        desired.values.is_some_and(|named| named.is(bytes))
    }

    fn summary(&self) -> String {
        format!("values of {} projects", self.projects.len())
    }
}
