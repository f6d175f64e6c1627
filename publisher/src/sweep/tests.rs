use std::fs::{self, File};

use super::*;

/// A folder with entries of so many bytes, each written to an hour after the one before it.
fn folder(entries: &[(&str, usize)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let begun = SystemTime::now() - Duration::from_hours(10);
    for (hours, (name, bytes)) in (0..).zip(entries) {
        let file = folder.path().join(name).join("pack");
        fs::create_dir(folder.path().join(name)).expect("a folder");
        fs::write(&file, vec![0; *bytes]).expect("a file");
        let at = begun + Duration::from_hours(hours);
        for path in [&file, &folder.path().join(name)] {
            File::open(path).and_then(|opened| opened.set_modified(at)).expect("a time");
        }
    }
    folder
}

fn gone(entries: &[(&str, usize)], most: u64) -> Vec<String> {
    let folder = folder(entries);
    let kept = |path: &Path| path.file_name().is_some_and(|name| name == "kept");
    let name = |path: PathBuf| path.file_name().map(|name| name.to_string_lossy().into_owned());
    excess(folder.path(), most, kept).into_iter().filter_map(name).collect()
}

#[test]
fn l5_what_was_unused_the_longest_goes_first_and_no_more_than_needed() {
    let entries = [("old", 100), ("kept", 100), ("younger", 100), ("new", 100)];
    assert_eq!(gone(&entries, 400), [""; 0]);
    assert_eq!(gone(&entries, 399), ["old"]);
    assert_eq!(gone(&entries, 250), ["old", "younger"]);
    // What is in use stays, though it is more than may be.
    assert_eq!(gone(&entries, 10), ["old", "younger", "new"]);
}
