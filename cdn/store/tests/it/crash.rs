//! Writers that are killed at any moment, on both stores.

use std::path::PathBuf;
use std::time::Duration;

use cdn::{Digest, Key};
use store::{Location, Store, StoreArgs};
use testbed::{Process, Program, Ready};

use crate::bench::{Bench, head};

/// Cargo builds examples beside the tests.
fn writer() -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    let path = tests.parent().and_then(|deps| deps.parent()).unwrap().join("examples/writer");
    assert!(path.is_file(), "{} is missing: run `cargo build -p store --examples`", path.display());
    path
}

/// A writer that publishes without end.
pub(crate) fn program(args: &StoreArgs) -> Program {
    let mut program = Program::new("writer", writer()).arg("--store").arg(args.store.to_string());
    if let (Some(endpoint), Some(file)) = (&args.s3_endpoint, &args.s3_credentials_file) {
        program = program.arg("--s3-endpoint").arg(endpoint).arg("--s3-credentials-file").arg(file);
    }
    program
}

async fn start(bench: &Bench) -> Process {
    program(&bench.args).start(Ready::AtOnce).await.unwrap()
}

/// Kills two writers again and again; after each kill the head names an object that is there and whole.
async fn killed_writers_leave_no_pointer_to_nothing(bench: &Bench, rounds: u32) {
    let mut moved = std::collections::BTreeSet::new();
    let mut writers = [start(bench).await, start(bench).await];
    let store = bench.open().await;
    for round in 0..rounds {
        let before = pointer(&store).await;
        let goes_on = async || pointer(&store).await != before;
        writers[0].wait_until("the head moves", Duration::from_mins(1), goes_on).await.unwrap();
        tokio::time::sleep(Duration::from_millis(u64::from(round * 13 % 40))).await;
        for writer in &mut writers {
            writer.kill().await.unwrap();
        }
        let digest = pointer(&store).await.expect("a head");
        store.get(&Key::Object(digest)).await.unwrap().expect("the object that the head names");
        moved.insert(digest);
        for writer in &mut writers {
            writer.start_again().await.unwrap();
        }
    }
    assert_eq!(moved.len(), rounds as usize);
    for writer in &mut writers {
        writer.kill().await.unwrap();
    }
}

async fn pointer(store: &Store) -> Option<Digest> {
    let found = store.get(&head("web")).await.unwrap()?;
    Some(std::str::from_utf8(&found.bytes).unwrap().parse().expect("a whole digest"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c6_killed_writers_leave_no_pointer_to_nothing_in_a_folder() {
    let bench = Bench::directory();
    let Location::Directory(root) = bench.args.store.clone() else { panic!("not a folder") };
    killed_writers_leave_no_pointer_to_nothing(&bench, 12).await;
    // Whatever has an object's name is whole; the rest are names that no reader asks for, and the next start clears them.
    bench.open().await;
    for entry in std::fs::read_dir(root.join("v1/o")).unwrap() {
        let path = entry.unwrap().path();
        let name = Digest::from_hex(path.file_name().unwrap().to_str().unwrap()).expect("an object's name");
        assert_eq!(Digest::of(&std::fs::read(&path).unwrap()), name);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c6_killed_writers_leave_no_pointer_to_nothing_in_a_bucket() {
    killed_writers_leave_no_pointer_to_nothing(&Bench::s3().await, 4).await;
}
