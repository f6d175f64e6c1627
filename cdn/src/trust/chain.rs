//! The chain of roots: from the fleet's id to the keys of today.

use crate::document::Root;
use crate::envelope::{Envelope, NotSigned, Signed};
use crate::signature::Role;
use crate::{Digest, ProjectName, limits};

/// The newest root that the chain from root 1 leads to.
#[derive(Clone, Debug)]
pub struct Trust {
    fleet: Digest,
    root: Signed<Root>,
}

/// Why a root is not believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RootRefused {
    /// These bytes are not the root 1 that the fleet's id names.
    #[error("root 1 has digest {got}, the fleet's id is {fleet}: check the id, or the origin")]
    NotThisFleet {
        /// What was given.
        got: Digest,
        /// The fleet's id.
        fleet: Digest,
    },
    /// Not signed by enough of the old, or of the new, root keys.
    #[error("root {version}: {why}")]
    NotSigned {
        /// The version looked for.
        version: u64,
        /// Why not.
        why: NotSigned,
    },
    /// Not the next version.
    #[error("root {got} does not follow root {held}")]
    OutOfOrder {
        /// The version held.
        held: u64,
        /// The version given.
        got: u64,
    },
}

impl Trust {
    /// Begins at root 1: its bytes must have the digest that is the fleet's id, and it must be signed by its own keys.
    pub fn begin(fleet: Digest, root_1: &[u8]) -> Result<Self, RootRefused> {
        let got = Digest::of(root_1);
        if got != fleet {
            return Err(RootRefused::NotThisFleet { got, fleet });
        }
        let claim: Root =
            Envelope::claim(root_1).map_err(|why| RootRefused::NotSigned { version: 1, why })?;
        if claim.version != 1 {
            return Err(RootRefused::OutOfOrder { held: 0, got: claim.version });
        }
        let root = verify(root_1, 1, &claim)?;
        Ok(Self { fleet, root })
    }

    /// Begins at a root 1 that a person gave: its digest is the fleet's id.
    pub fn given(root_1: &[u8]) -> Result<Self, RootRefused> {
        Self::begin(Digest::of(root_1), root_1)
    }

    /// The version to look for next; none at the end of the longest chain that is read.
    pub fn next_version(&self) -> Option<u64> {
        (self.version() < limits::ROOTS).then(|| self.version() + 1)
    }

    /// Goes on through the roots that `read` gives, version by version, to the first that it has not got.
    pub fn follow<E: From<RootRefused>>(
        mut self,
        mut read: impl FnMut(u64) -> Result<Option<Vec<u8>>, E>,
    ) -> Result<Self, E> {
        while let Some(version) = self.next_version() {
            let Some(bytes) = read(version)? else { break };
            self = self.advance(&bytes)?;
        }
        Ok(self)
    }

    /// Goes on to exactly the next version, signed by a threshold of the old and of the new root keys.
    pub fn advance(&self, next: &[u8]) -> Result<Self, RootRefused> {
        let held = self.version();
        let root = verify(next, held + 1, self.root())?;
        if root.document().version != held + 1 || root.document().fleet != Some(self.fleet) {
            return Err(RootRefused::OutOfOrder { held, got: root.document().version });
        }
        let root = verify(next, held + 1, root.document())?;
        Ok(Self { fleet: self.fleet, root })
    }

    /// The fleet's id.
    pub fn fleet(&self) -> Digest {
        self.fleet
    }

    /// The newest root's version.
    pub fn version(&self) -> u64 {
        self.root().version
    }

    /// The newest root.
    pub fn root(&self) -> &Root {
        self.root.document()
    }

    /// The role whose signature makes a project's releases and heads.
    pub fn release_role(&self, project: &ProjectName) -> Option<&Role> {
        self.root().roles.release.get(project)
    }
}

fn verify(bytes: &[u8], version: u64, by: &Root) -> Result<Signed<Root>, RootRefused> {
    Envelope::verify(bytes, &by.roles.root).map_err(|why| RootRefused::NotSigned { version, why })
}
