//! A disk of a test's own.

use std::fs;
use std::io::ErrorKind;

use anyhow::Result;
use testbed::Volume;

#[test]
fn a_volume_can_be_full_and_can_be_read_only() -> Result<()> {
    let mut volume = Volume::new(64 << 10)?;
    let file = volume.path().join("file");
    fs::write(&file, "content")?;
    volume.fill()?;
    let full = fs::write(volume.path().join("more"), "content").expect_err("it is full");
    assert_eq!(full.kind(), ErrorKind::StorageFull);
    volume.empty()?;
    fs::write(volume.path().join("more"), "content")?;
    volume.read_only(true)?;
    let refused = fs::write(&file, "other").expect_err("it is read-only");
    assert_eq!(refused.kind(), ErrorKind::ReadOnlyFilesystem);
    assert_eq!(fs::read_to_string(&file)?, "content");
    volume.read_only(false)?;
    fs::write(&file, "other")?;
    let path = volume.path().to_owned();
    drop(volume);
    assert!(!path.exists(), "it is gone with its shell");
    Ok(())
}
