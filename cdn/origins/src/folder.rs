//! Reading from a folder: a store on this machine, a mounted disk, a stick.

use std::io;
use std::path::Path;

use cdn::Key;
use program::files;

use crate::Why;

/// Blocking. `Ok(None)`: larger than `limit`, which proves that it is not what was wanted.
pub(crate) fn read(folder: &Path, key: &Key, limit: u64) -> Result<Option<Vec<u8>>, Why> {
    let path = folder.join(key.path());
    match files::read_bounded(&path, limit) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::FileTooLarge => Ok(None),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(missing(folder)),
        Err(error) => Err(Why::Folder(format!("{}: {error}", path.display()))),
    }
}

/// A store without this key, or no store at all.
fn missing(folder: &Path) -> Why {
    if folder.join("v1").is_dir() {
        return Why::Absent;
    }
    Why::Folder("it holds no folder v1: not a store, or its medium is not mounted".to_owned())
}
