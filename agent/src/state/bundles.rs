//! Bundles on disk: those that run, and those before them while there is room. Never trusted by name: hashed when read.

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;

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

    /// Keeps a bundle. Where there is no room, bundles that do not run give theirs.
    pub fn keep_bundle(&self, bundle: Digest, tar: &[u8], trusted: &Trusted) -> io::Result<()> {
        let file = self.bundle_file(bundle);
        if std::fs::metadata(&file).is_ok_and(|about| about.len() == tar.len() as u64)
            && self.bundle(bundle).is_some()
        {
            return Ok(());
        }
        let written = files::write_atomic(&file, tar, 0o600);
        if written.is_ok() {
            return Ok(());
        }
        let mut running = running(trusted);
        running.insert(bundle);
        self.drop_bundles_but(&running)?;
        files::write_atomic(&file, tar, 0o600)
    }

    /// Removes bundles that no release names; and, over the limit, those that do not run, oldest first.
    pub fn tidy_bundles(&self, trusted: &Trusted) -> io::Result<()> {
        let before = trusted.releases.values().filter_map(|release| release.before.as_ref());
        let mut keep = running(trusted);
        keep.extend(before.map(|record| record.bundle));
        self.drop_bundles_but(&keep)?;
        let running = running(trusted);
        let mut files = self.bundle_files()?;
        let mut used: u64 = files.iter().map(|(_, size, _)| size).sum();
        files.sort_by_key(|(_, _, written)| *written);
        for (bundle, size, _) in files {
            if used > self.bundle_limit && !running.contains(&bundle) {
                files::remove(&self.bundle_file(bundle))?;
                used -= size;
            }
        }
        Ok(())
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

fn running(trusted: &Trusted) -> BTreeSet<Digest> {
    trusted.releases.values().map(|release| release.now.bundle).collect()
}
