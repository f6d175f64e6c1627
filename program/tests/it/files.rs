//! Files that are whole or not there, under crashes and under each other's feet.

use std::fs::{File, Permissions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use program::files::{
    Lock, LockError, Staged, create_directory, create_exclusive, read_bounded, remove, sweep, write_atomic,
};

use crate::edge::{Edge, text};

fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn l11_a_write_replaces_content_and_mode_and_leaves_nothing_beside_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state.json");
    write_atomic(&path, b"old", 0o644).unwrap();
    write_atomic(&path, b"new", 0o600).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), b"new");
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(names(directory.path()), ["state.json"]);
}

#[test]
fn l11_a_write_that_fails_leaves_what_was_there_and_nothing_else() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state");
    // A directory that is not empty cannot be replaced by a file: the rename, the last step, fails.
    create_directory(&path.join("inner"), 0o755).unwrap();
    assert!(write_atomic(&path, b"new", 0o600).is_err());
    assert_eq!((names(directory.path()), names(&path)), (vec!["state".to_owned()], vec!["inner".to_owned()]));
}

#[test]
fn l11_a_writer_that_dies_half_way_leaves_the_old_content_and_a_sweep_clears_up() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state");
    write_atomic(&path, b"old", 0o600).unwrap();
    let mut staged = Staged::create(&path, 0o600).unwrap();
    staged.write_all(b"half of the n").unwrap();
    drop(staged);
    assert_eq!(std::fs::read(&path).unwrap(), b"old");
    assert_eq!((names(directory.path()).len(), sweep(directory.path()).unwrap()), (2, 1));
    assert_eq!(names(directory.path()), ["state"]);
}

#[test]
fn l11_a_reader_beside_a_writer_sees_old_or_new_and_never_a_mixture() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state");
    let (old, new) = (vec![b'o'; 300_000], vec![b'n'; 200_000]);
    write_atomic(&path, &old, 0o600).unwrap();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            for round in 0..20 {
                write_atomic(&path, if round % 2 == 0 { &new } else { &old }, 0o600).unwrap();
            }
            done.store(true, Ordering::SeqCst);
        });
        while !done.load(Ordering::SeqCst) {
            let read = std::fs::read(&path).unwrap();
            assert!(read == old || read == new, "{} bytes of a mixture", read.len());
        }
    });
}

#[test]
fn of_many_who_create_one_file_exactly_one_wins_with_all_of_its_bytes() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("object");
    let wins: Vec<u8> = thread::scope(|scope| {
        let writers: Vec<_> = (0..8_u8)
            .map(|own| {
                (
                    own,
                    scope.spawn({
                        let path = &path;
                        move || create_exclusive(path, &vec![own; 100_000], 0o444)
                    }),
                )
            })
            .collect();
        writers
            .into_iter()
            .filter_map(|(own, writer)| match writer.join().unwrap() {
                Ok(()) => Some(own),
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
                    None
                }
            })
            .collect()
    });
    assert_eq!(wins.len(), 1);
    assert_eq!(std::fs::read(&path).unwrap(), vec![wins[0]; 100_000]);
    assert_eq!(create_exclusive(&path, b"x", 0o444).unwrap_err().kind(), ErrorKind::AlreadyExists);
    assert_eq!(names(directory.path()), ["object"]);
}

#[test]
fn a_bounded_read_takes_the_limit_and_nothing_above_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("file");
    std::fs::write(&path, b"12345").unwrap();
    assert_eq!(read_bounded(&path, 5).unwrap(), b"12345");
    assert_eq!(read_bounded(&path, 4).unwrap_err().kind(), ErrorKind::FileTooLarge);
    assert_eq!(read_bounded(directory.path(), 9).unwrap_err().kind(), ErrorKind::InvalidInput);
    assert_eq!(read_bounded(Path::new("/dev/zero"), 9).unwrap_err().kind(), ErrorKind::InvalidInput);
    // /proc says 0 bytes for files that have many: the reading is bounded, not only the asking.
    assert_eq!(read_bounded(Path::new("/proc/self/status"), 9).unwrap_err().kind(), ErrorKind::FileTooLarge);
    assert_eq!((remove(&path).unwrap(), remove(&path).unwrap()), (true, false));
}

#[test]
fn a_second_process_on_the_same_directory_is_refused_and_told_who_has_it() {
    let edge = Edge::new().args(&["--log-format", "text"]);
    let held = Lock::acquire(edge.state.path()).unwrap();
    let output = edge.output();
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains(&format!("is in use by process {}", std::process::id())), "{said}");
    assert!(said.contains("stop that process, or give this one a directory of its own"), "{said}");
    drop(held);
}

#[test]
fn a_lock_ends_with_its_holder_and_needs_a_directory() {
    let directory = tempfile::tempdir().unwrap();
    let first = Lock::acquire(directory.path()).unwrap();
    assert!(matches!(Lock::acquire(directory.path()), Err(LockError::Held { .. })));
    assert!(first.path().exists());
    drop(first);
    drop(Lock::acquire(directory.path()).unwrap());
    let missing = Lock::acquire(&directory.path().join("none")).unwrap_err();
    assert!(matches!(missing, LockError::Unusable { .. }), "{missing}");
}

/// Somebody tidies up, with an agent at work.
#[test]
fn l7_whoever_removes_the_locks_file_has_not_removed_the_lock() {
    let directory = tempfile::tempdir().unwrap();
    let inner = directory.path().join("inner");
    create_directory(&inner, 0o700).unwrap();
    let first = Lock::acquire(&inner).unwrap();
    remove(first.path()).unwrap();
    let error = Lock::acquire(&inner).unwrap_err();
    assert!(error.to_string().contains("is in use by another process"), "nobody can say who: {error}");
    drop(first);
    Lock::acquire(&inner).unwrap();
}

/// Whoever may open a directory or a file may lock it, and keep its owner out.
#[test]
fn l1_nothing_is_locked_that_others_may_open() {
    let rights = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    for (mode, is_private) in [(0o700, true), (0o750, false), (0o755, false)] {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        std::fs::set_permissions(directory.path(), Permissions::from_mode(mode)).unwrap();
        for was_there in [false, true] {
            let reader = File::open(directory.path()).unwrap();
            let locks = [Lock::acquire(directory.path()).unwrap(), Lock::beside(&at("api.db")).unwrap()];
            assert_eq!(reader.try_lock_shared().is_err(), is_private, "{mode:o}");
            for name in ["lock", "api.db-lock"] {
                assert_eq!(rights(&at(name)), 0o600, "{mode:o} {name} {was_there}");
            }
            drop(locks);
            // As earlier versions left them.
            for name in ["lock", "api.db-lock"] {
                std::fs::set_permissions(at(name), Permissions::from_mode(0o644)).unwrap();
            }
        }
    }
}

/// An api that is started makes its database: a link to what is to come is that one file too.
#[test]
fn a_file_that_is_not_there_yet_is_taken_alone_by_whatever_link_it_is_reached() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    std::fs::create_dir(at("volume")).unwrap();
    for (target, link) in [("volume/a.db", "link.db"), ("link.db", "second.db"), ("loop.db", "loop.db")] {
        std::os::unix::fs::symlink(target, at(link)).unwrap();
    }
    let first = Lock::beside(&at("second.db")).unwrap();
    assert_eq!(first.path(), at("volume/a.db-lock"));
    for made in [false, true] {
        if made {
            std::fs::write(at("link.db"), "").unwrap();
        }
        for same in ["volume/a.db", "link.db", "second.db"] {
            assert!(matches!(Lock::beside(&at(same)), Err(LockError::Held { .. })), "{same} {made}");
        }
    }
    drop(Lock::beside(&at("loop.db")).unwrap());
}

#[test]
fn a_file_is_taken_alone_by_whatever_link_it_is_reached() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    let first = Lock::beside(&at("a.db")).unwrap();
    assert_eq!(first.path(), at("a.db-lock"));
    assert!(!at("a.db").exists(), "the file itself is left alone");
    std::fs::write(at("a.db"), "").unwrap();
    std::os::unix::fs::symlink("a.db", at("link.db")).unwrap();
    for same in ["a.db", "link.db"] {
        assert!(matches!(Lock::beside(&at(same)), Err(LockError::Held { .. })), "{same}");
    }
    let other = Lock::beside(&at("b.db")).unwrap();
    drop((first, other));
    drop(Lock::beside(&at("link.db")).unwrap());
}

/// Between a fork and the new program's start a child holds all that its parent has open.
#[test]
fn a_lock_that_is_given_back_is_free_though_children_are_being_started() {
    let directory = tempfile::tempdir().unwrap();
    let children = || {
        for _ in 0..100 {
            std::process::Command::new("true").status().unwrap();
        }
    };
    thread::scope(|scope| {
        let starting = [scope.spawn(children), scope.spawn(children)];
        while !starting.iter().all(thread::ScopedJoinHandle::is_finished) {
            drop(Lock::acquire(directory.path()).unwrap());
        }
    });
}
