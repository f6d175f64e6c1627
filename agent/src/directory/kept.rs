//! What we keep in a folder ourselves: which folder it is, and the inventory.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use cdn::document::HoldReason;
use cdn::{ClusterId, Digest};
use program::files;

use super::failed;
use crate::checked;
use crate::target::{NotLoaded, Refusal, Sharded};

/// Where it lies.
pub(super) const FOLDER: &str = ".windlass";

const HOME: &str = "home";
const INDEX: &str = "inventory";
const HOME_BYTES: u64 = 4 << 10;
const INDEX_BYTES: u64 = 4 << 20;
const SHARD_BYTES: u64 = 1 << 20;

/// Which folder this is: 32 random hex digits, made once. Where that is damaged nobody can say, and it is not made anew:
/// the folder may be another cluster's.
pub(super) fn home(folder: &Path) -> Result<String, Refusal> {
    let path = folder.join(FOLDER).join(HOME);
    let text = |bytes: &[u8]| Ok(String::from_utf8_lossy(bytes).into_owned());
    match checked::read_either(&path, HOME_BYTES, text) {
        Ok(Some(id)) => Ok(id),
        Ok(None) => {
            // A cluster's id is as random as we need, and known not to meet another.
            let id = ClusterId::random().as_str().trim_start_matches("cl-").to_owned();
            checked::write(&path, id.as_bytes()).map_err(|error| failed(&path, &error))?;
            Ok(id)
        }
        Err(error) => Err(Refusal::passing(HoldReason::ApplyFailed, error.to_string())),
    }
}

pub(super) fn load(folder: &Path) -> Result<Option<Sharded>, NotLoaded> {
    let folder = folder.join(FOLDER);
    let index = match files::read_bounded(&folder.join(INDEX), INDEX_BYTES) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(&folder.join(INDEX), &error).into()),
        Ok(bytes) => checked::body(&bytes).map_err(damaged)?.to_vec(),
    };
    let mut shards = BTreeMap::new();
    for (digest, path) in stored(&folder)? {
        let bytes = files::read_bounded(&path, SHARD_BYTES).map_err(|_| damaged("a shard cannot be read"))?;
        shards.insert(digest, bytes);
    }
    Ok(Some(Sharded { index, shards }))
}

pub(super) fn save(folder: &Path, inventory: &Sharded) -> Result<(), Refusal> {
    let folder = folder.join(FOLDER);
    let there = stored(&folder)?;
    let write = |path: PathBuf, bytes: &[u8]| {
        files::write_atomic(&path, bytes, 0o600).map_err(|error| failed(&path, &error))
    };
    for (digest, bytes) in inventory.shards.iter().filter(|(digest, _)| !there.contains_key(digest)) {
        write(folder.join(digest.hex()), bytes)?;
    }
    let index = folder.join(INDEX);
    checked::write_alone(&index, &inventory.index).map_err(|error| failed(&index, &error))?;
    for (_, path) in there.iter().filter(|(digest, _)| !inventory.shards.contains_key(digest)) {
        files::remove(path).map_err(|error| failed(path, &error))?;
    }
    Ok(())
}

/// Takes the folder's own room away, whole.
pub(super) fn remove(folder: &Path) -> Result<(), Refusal> {
    let room = folder.join(FOLDER);
    match std::fs::remove_dir_all(&room) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed(&room, &error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

fn stored(folder: &Path) -> Result<BTreeMap<Digest, PathBuf>, Refusal> {
    let entries = std::fs::read_dir(folder).map_err(|error| failed(folder, &error))?;
    let mut stored = BTreeMap::new();
    for entry in entries {
        let entry = entry.map_err(|error| failed(folder, &error))?;
        if let Some(digest) = entry.file_name().to_str().and_then(|name| Digest::from_hex(name).ok()) {
            stored.insert(digest, entry.path());
        }
    }
    Ok(stored)
}

fn damaged(why: &str) -> NotLoaded {
    NotLoaded::Damaged(format!("the inventory in the folder is damaged: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f22_an_index_that_was_edited_is_no_inventory_though_all_that_it_names_is_there() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join(FOLDER)).unwrap();
        let shard = b"[]".to_vec();
        let kept =
            Sharded { index: b"{\"number\":1}".to_vec(), shards: [(Digest::of(&shard), shard)].into() };
        save(folder.path(), &kept).unwrap();
        assert_eq!(load(folder.path()).unwrap(), Some(kept));
        let index = folder.path().join(FOLDER).join(INDEX);
        let text = std::fs::read_to_string(&index).unwrap();
        std::fs::write(&index, text.replace("{\"number\":1}", "{\"number\":9}")).unwrap();
        assert!(matches!(load(folder.path()), Err(NotLoaded::Damaged(_))));
    }
}
