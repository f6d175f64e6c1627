//! What is particular to a folder: files, modes, locks, full disks.

use std::fs::{self, File};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::fs::inotify;
use store::{Cause, Location, Put, Store, StoreArgs, SwapError};

use crate::bench::{Bench, cause, head, move_to, object, text_at};

fn root(bench: &Bench) -> &Path {
    let Location::Directory(root) = &bench.args.store else { panic!("not a folder") };
    root
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn the_layout_is_that_of_the_keys_and_a_web_server_may_read_it() {
    let bench = Bench::directory();
    let store = bench.open().await;
    let (key, bytes) = object("content");
    store.put(&key, bytes).await.unwrap();
    store.swap(&head("web"), "{}", None).await.unwrap();
    for path in [key.path(), head("web").path()] {
        let path = root(&bench).join(path);
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o644, 0o755), "{}", path.display());
    }
    assert!(root(&bench).join("v1/head/default/web.json").is_file());
}

/// What a writer that was killed leaves beside the files of a room.
fn leftover(bench: &Bench, room: &str) -> PathBuf {
    let path = root(bench).join(room).join(".staged-4711-0");
    fs::write(&path, "half an obj").unwrap();
    path
}

#[tokio::test]
async fn c6_what_a_crashed_writer_left_is_cleared_at_the_next_start() {
    let bench = Bench::directory();
    let store = bench.open().await;
    let (key, bytes) = object("content");
    store.put(&key, bytes).await.unwrap();
    store.swap(&head("web"), "{}", None).await.unwrap();
    drop(store);
    let left = [leftover(&bench, "v1/o"), leftover(&bench, "v1/head/default")];
    let store = bench.open().await;
    assert!(left.iter().all(|path| !path.exists()));
    assert_eq!(text_at(&store, &key).await.as_deref(), Some("content"));
}

#[tokio::test]
async fn c7_a_second_writer_does_not_clear_what_the_first_one_is_writing() {
    let bench = Bench::directory();
    let first = bench.open().await;
    let (key, bytes) = object("content");
    first.put(&key, bytes).await.unwrap();
    let under_way = leftover(&bench, "v1/o");
    drop(bench.open().await);
    assert!(under_way.exists());
    drop(first);
    bench.open().await;
    assert!(!under_way.exists());
}

/// Tells whether a folder itself is opened, as it is to be flushed; a file in it is another matter.
struct Watched(OwnedFd);

impl Watched {
    fn new(folder: &Path) -> Self {
        let watch = inotify::init(inotify::CreateFlags::NONBLOCK).unwrap();
        inotify::add_watch(&watch, folder, inotify::WatchFlags::OPEN).unwrap();
        Self(watch)
    }

    fn was_opened(self) -> bool {
        let mut room = [MaybeUninit::uninit(); 4096];
        let mut events = inotify::Reader::new(self.0, &mut room);
        std::iter::from_fn(|| events.next().ok().map(|event| event.file_name().is_none())).any(|own| own)
    }
}

/// A writer killed between an object's name and the flush of its folder leaves a name that a power cut may take.
#[tokio::test]
async fn c6_what_is_there_already_is_made_durable_before_anything_points_to_it() {
    let bench = Bench::directory();
    let store = bench.open().await;
    let (key, bytes) = object("content");
    store.put(&key, bytes.clone()).await.unwrap();
    store.swap(&head("web"), "{}", None).await.unwrap();
    let objects = Watched::new(&root(&bench).join("v1/o"));
    assert_eq!(store.put(&key, bytes).await.unwrap(), Put::AlreadyThere);
    assert!(objects.was_opened());
    let heads = Watched::new(&root(&bench).join("v1/head/default"));
    store.swap(&head("web"), "{}", None).await.unwrap();
    assert!(heads.was_opened());
    // So are the folders that it made: the next writer finds them there.
    drop(store);
    let rooms = Watched::new(&root(&bench).join("v1"));
    bench.open().await;
    assert!(rooms.was_opened());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i2_a_reader_sees_the_old_document_or_the_new_one_and_never_a_mixture() {
    let bench = Bench::directory();
    let store = bench.open().await;
    let key = head("web");
    move_to(&store, &key, "0".repeat(16_000)).await;
    let (path, writer) = (root(&bench).join(key.path()), store.clone());
    let writing = tokio::spawn(async move {
        for turn in 1..60_usize {
            move_to(&writer, &key, (turn % 10).to_string().repeat(16_000 - turn)).await;
        }
    });
    let mut seen = 0;
    while !writing.is_finished() || seen == 0 {
        let text = fs::read_to_string(&path).unwrap();
        assert!(
            text.len() > 15_900 && text.bytes().all(|byte| byte == text.as_bytes()[0]),
            "a torn document"
        );
        seen += 1;
    }
    writing.await.unwrap();
}

#[tokio::test]
async fn a_swap_behind_a_process_that_hangs_says_how_to_find_it() {
    let bench = Bench::directory();
    let store = bench.open().await;
    move_to(&store, &head("web"), "{}".to_owned()).await;
    let held = File::options().write(true).open(root(&bench).join(".windlass/swap")).unwrap();
    held.lock().unwrap();
    let error = store.swap(&head("web"), "new", None).await.unwrap_err().to_string();
    assert!(error.contains("another process has held") && error.contains("fuser"), "{error}");
    drop(held);
    move_to(&store, &head("web"), "new".to_owned()).await;
}

#[tokio::test]
async fn a_folder_that_cannot_be_made_says_which() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let error = Store::open(&StoreArgs::at(Location::Directory(file.join("store")))).await.unwrap_err();
    assert!(error.to_string().contains("file/store: open: "), "{error}");
}

/// On a file system of one megabyte.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i3_a_full_disk_refuses_and_leaves_nothing_half_written() {
    let bench = Bench::directory();
    if !rustix::process::geteuid().is_root() {
        // Only root may mount; the error's mapping is all that is lost where the tests run as somebody else.
        let full = Cause::from(std::io::Error::from(std::io::ErrorKind::StorageFull));
        assert!(full.to_string().contains("no space is left"));
        return;
    }
    let mount = Mounted::small(bench.folder.path().join("disk"));
    let store = Store::open(&StoreArgs::at(Location::Directory(mount.0.clone()))).await.unwrap();
    let (small, bytes) = object("content");
    assert_eq!(store.put(&small, bytes).await.unwrap(), Put::New);
    move_to(&store, &head("web"), "old".to_owned()).await;
    let (large, bytes) = object(&"x".repeat(2 << 20));
    let refused = cause(store.put(&large, bytes).await, &store, &large);
    assert!(matches!(refused, Cause::Full), "{refused}");
    let names = fs::read_dir(mount.0.join("v1/o")).unwrap();
    assert_eq!(names.count(), 1, "nothing half-written is left");
    fill(&mount.0.join("ballast"));
    let Err(error) = store.swap(&head("web"), "n".repeat(16_000), version(&store).await.as_ref()).await
    else {
        panic!("swapped on a full disk")
    };
    assert!(error.to_string().contains("no space is left"), "{error}");
    assert_eq!(text_at(&store, &head("web")).await.as_deref(), Some("old"));
    fs::remove_file(mount.0.join("ballast")).unwrap();
    move_to(&store, &head("web"), "new".to_owned()).await;
}

async fn version(store: &Store) -> Option<store::Version> {
    store.get(&head("web")).await.unwrap().map(|found| found.version)
}

fn fill(path: &Path) {
    use std::io::Write;
    let mut file = File::create(path).unwrap();
    while file.write_all(&[0; 4096]).is_ok() {}
}

struct Mounted(PathBuf);

impl Mounted {
    fn small(path: PathBuf) -> Self {
        fs::create_dir(&path).unwrap();
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"]).arg(&path).status();
        assert!(mount.unwrap().success(), "a tmpfs can be mounted by root");
        Self(path)
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        Command::new("umount").arg("-l").arg(&self.0).status().unwrap();
    }
}

/// An unmounted volume leaves an empty folder: what is written there is on another disk.
#[tokio::test]
async fn a_folder_that_has_vanished_is_not_made_anew_by_a_write() {
    let bench = Bench::directory();
    let store = bench.open().await;
    let (key, bytes) = object("content");
    store.put(&key, bytes.clone()).await.unwrap();
    let away = root(&bench).with_extension("away");
    fs::rename(root(&bench), &away).unwrap();
    let refused = cause(store.put(&key, bytes.clone()).await, &store, &key);
    assert!(matches!(refused, Cause::Gone), "{refused}");
    assert!(!root(&bench).exists());
    fs::create_dir(root(&bench)).unwrap();
    let refused = cause(store.put(&key, bytes.clone()).await, &store, &key);
    assert!(matches!(refused, Cause::Gone) && refused.to_string().contains("mount its volume"), "{refused}");
    let Err(SwapError::Store(refused)) = store.swap(&head("web"), "{}", None).await else {
        panic!("a swap is a write too")
    };
    assert!(matches!(refused.cause, Cause::Gone), "{refused}");
    assert_eq!(fs::read_dir(root(&bench)).unwrap().count(), 0);
    fs::remove_dir(root(&bench)).unwrap();
    fs::rename(&away, root(&bench)).unwrap();
    store.put(&key, bytes).await.unwrap();
    store.swap(&head("web"), "{}", None).await.unwrap();
}
