//! Bundles on disk: those that run, and those before them while there is room. Never trusted by name: hashed when read.

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;

use cdn::trust::Content;
use cdn::{Digest, Limits};
use program::files;

use super::{State, Trusted};

impl State {
    /// A bundle's tar, if it is here and undamaged. A damaged one is removed, so that it is fetched again.
    pub(super) fn bundle(&self, bundle: Digest) -> Option<Vec<u8>> {
        let file = self.bundle_file(bundle);
        let tar = files::read_bounded(&file, Limits::DEFAULT.bundle_bytes).ok()?;
        if Digest::of(&tar) == bundle {
            return Some(tar);
        }
        tracing::warn!(bundle = %bundle, "a bundle on disk is damaged and removed");
        if let Err(error) = files::remove(&file) {
            tracing::warn!(%error, "it cannot be removed");
        }
        None
    }

    /// Keeps a release's bundle. `trusted` is what was trusted before it: what runs until it is here.
    pub(crate) fn keep_bundle(&self, content: &Content, trusted: &Trusted) -> io::Result<()> {
        self.keep_tar(content.record().bundle, content.tar(), trusted)
    }

    /// Keeps a bundle. On a full disk, bundles that nothing needs give it their room, first those that nothing names.
    /// A disk that is read-only or broken keeps what it has: no room would help.
    pub(crate) fn keep_tar(&self, bundle: Digest, tar: &[u8], trusted: &Trusted) -> io::Result<()> {
        let file = self.bundle_file(bundle);
        if std::fs::metadata(&file).is_ok_and(|about| about.len() == tar.len() as u64)
            && self.bundle(bundle).is_some()
        {
            return Ok(());
        }
        let mut written = files::write_atomic(&file, tar, 0o600);
        for mut keep in [named(trusted), self.needed(trusted)] {
            if !written.as_ref().is_err_and(is_full) {
                break;
            }
            keep.insert(bundle);
            self.drop_bundles_but(&keep)?;
            written = files::write_atomic(&file, tar, 0o600);
        }
        written
    }

    /// Removes bundles that no release names; and, over the limit, those that are not needed, oldest first.
    pub(crate) fn tidy_bundles(&self, trusted: &Trusted) -> io::Result<()> {
        self.drop_bundles_but(&named(trusted))?;
        let needed = self.needed(trusted);
        let mut files = self.bundle_files()?;
        let mut used: u64 = files.iter().map(|(_, size, _)| size).sum();
        files.sort_by_key(|(_, _, written)| *written);
        for (bundle, size, _) in files {
            if used > self.bundle_limit && !needed.contains(&bundle) {
                files::remove(&self.bundle_file(bundle))?;
                used -= size;
            }
        }
        Ok(())
    }

    /// Those that run; and where one could not be kept, the one before it.
    fn needed(&self, trusted: &Trusted) -> BTreeSet<Digest> {
        let mut needed = BTreeSet::new();
        for release in trusted.releases.values() {
            needed.insert(release.now.bundle);
            if !self.bundle_file(release.now.bundle).exists() {
                needed.extend(release.before.as_ref().map(|before| before.bundle));
            }
        }
        needed
    }

    fn drop_bundles_but(&self, keep: &BTreeSet<Digest>) -> io::Result<()> {
        for (bundle, ..) in self.bundle_files()? {
            if !keep.contains(&bundle) {
                files::remove(&self.bundle_file(bundle))?;
            }
        }
        Ok(())
    }

    fn bundle_files(&self) -> io::Result<Vec<(Digest, u64, std::time::SystemTime)>> {
        let mut found = Vec::new();
        for entry in std::fs::read_dir(self.folder.join("bundle"))? {
            let entry = entry?;
            let name = entry.file_name();
            let hex = name.to_str().and_then(|name| name.strip_suffix(".tar")).unwrap_or_default();
            if let Ok(bundle) = Digest::from_hex(hex) {
                let about = entry.metadata()?;
                found.push((bundle, about.len(), about.modified()?));
            }
        }
        Ok(found)
    }

    fn bundle_file(&self, bundle: Digest) -> PathBuf {
        self.folder.join("bundle").join(format!("{}.tar", bundle.hex()))
    }
}

fn named(trusted: &Trusted) -> BTreeSet<Digest> {
    let releases = trusted.releases.values();
    releases
        .flat_map(|release| [Some(&release.now), release.before.as_ref()])
        .flatten()
        .map(|r| r.bundle)
        .collect()
}

fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}
