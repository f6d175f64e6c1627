//! The fleet that this publisher signs for: its roots, and the keys that root lists for the project.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use cdn::document::{Document, Root};
use cdn::envelope::Role;
use cdn::trust::{RootRefused, Trust};
use cdn::{Key, ProjectName, Secret, SigningKey};
use store::{Cause, Store, StoreError};

/// Why the fleet's keys cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// A root's file.
    #[error("root file {}: {why}; --root names root 1, or a folder with 1.json, 2.json ...", file.display())]
    File {
        /// Which file.
        file: PathBuf,
        /// What went wrong.
        why: std::io::Error,
    },
    /// A root is not believed.
    #[error("{0}; look at who has changed the roots")]
    Root(RootRefused),
    /// A release key's file.
    #[error("release key {}: {why}", file.display())]
    Key {
        /// Which file.
        file: PathBuf,
        /// What is wrong, and the next step.
        why: String,
    },
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<RootRefused> for TrustError {
    fn from(why: RootRefused) -> Self {
        Self::Root(why)
    }
}

/// The roots from root 1 to the newest. What is signed must count by the newest; the earlier ones tell a publisher's old
/// word, whose key has been rotated since, from a stranger's.
#[derive(Clone, Debug)]
pub struct Roots {
    newest: Trust,
    earlier: Vec<Trust>,
}

impl From<Trust> for Roots {
    fn from(newest: Trust) -> Self {
        Self { newest, earlier: Vec::new() }
    }
}

impl Roots {
    /// What counts.
    pub fn newest(&self) -> &Trust {
        &self.newest
    }

    /// What has counted before it, the latest first.
    pub fn earlier(&self) -> impl Iterator<Item = &Trust> {
        self.earlier.iter().rev()
    }

    /// Goes on to the next version.
    pub fn advance(&mut self, next: &[u8]) -> Result<(), RootRefused> {
        let next = self.newest.advance(next)?;
        self.earlier.push(std::mem::replace(&mut self.newest, next));
        Ok(())
    }
}

/// Begins at root 1 and goes on through the roots beside it. A file is root 1 alone.
pub(crate) fn read_roots(path: &Path) -> Result<Roots, TrustError> {
    let read = |file: &Path| {
        program::files::read_bounded(file, Root::MAX_BYTES as u64)
            .map_err(|why| TrustError::File { file: file.to_owned(), why })
    };
    if !path.is_dir() {
        return Ok(Trust::given(&read(path)?)?.into());
    }
    let mut roots = Roots::from(Trust::given(&read(&path.join("1.json"))?)?);
    while let Some(version) = roots.newest.next_version() {
        let next = path.join(format!("{version}.json"));
        if !next.is_file() {
            break;
        }
        roots.advance(&read(&next)?)?;
    }
    Ok(roots)
}

/// Goes on through the roots that the store holds. What lies there and is no next root is said and left alone: whoever
/// may write to the store does not stop a publisher by it.
pub async fn follow_roots(mut roots: Roots, store: &Store) -> Result<Roots, TrustError> {
    while let Some(version) = roots.newest.next_version() {
        let refused = match store.get(&Key::Root(version)).await {
            Ok(None) => break,
            Ok(Some(found)) => match roots.advance(&found.bytes) {
                Ok(()) => continue,
                Err(why) => why.to_string(),
            },
            Err(StoreError { cause: cause @ Cause::TooLarge { .. }, .. }) => cause.to_string(),
            Err(error) => return Err(error.into()),
        };
        let stays = roots.newest.version();
        tracing::error!(
            root = version,
            reason = refused,
            "the store's next root is not believed, and root {stays} goes on to count; look at who has written it"
        );
        break;
    }
    Ok(roots)
}

/// Reads private keys, one a file.
pub(crate) fn read_keys(files: &[PathBuf]) -> Result<Vec<SigningKey>, TrustError> {
    let read = |file: &PathBuf| {
        let fail = |why: String| TrustError::Key { file: file.clone(), why };
        let text = program::settings::read_secret(file).map_err(|why| fail(why.to_string()))?;
        SigningKey::from_text(&Secret::new(text)).map_err(|_| {
            fail("it is not a key of `windlass keys init`; give the private release key".to_owned())
        })
    };
    files.iter().map(read).collect()
}

/// Whether these keys are enough to sign for a project; else what is missing.
pub(crate) fn can_sign<'t>(
    trust: &'t Trust,
    project: &ProjectName,
    keys: &[Arc<SigningKey>],
) -> Result<&'t Role, String> {
    let role = trust.release_role(project).ok_or_else(|| {
        format!(
            "root {} lists no release key for the project `{project}`; `windlass keys rotate --add` makes a root that does",
            trust.version()
        )
    })?;
    let ours = keys.iter().filter(|key| role.keys.contains(&key.public())).count();
    if ours < role.threshold {
        let shown: Vec<String> = keys.iter().map(|key| key.public().to_string()).collect();
        return Err(format!(
            "{ours} of our release keys count for the project `{project}`, root {} wants {}; ours: {}. Give more \
             --release-key; `windlass keys rotate` makes a root with other keys",
            trust.version(),
            role.threshold,
            shown.join(", ")
        ));
    }
    Ok(role)
}
