//! Which origin is asked when, and what it means that something is not there (FAULTS A14, C9).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use cdn::Key;
use origins::{Credentials, Origin, Origins, Patience, Why};
use testbed::{Fault, FaultProxy, Nginx};

use crate::far::{Far, answer};
use crate::site::{Site, bytes, client, origins};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a14_a_dead_a_slow_and_a_corrupt_mirror_do_not_block_an_update() {
    let (site, corrupt) = (Site::new(), Site::new());
    let digest = site.object(&bytes(100_000));
    corrupt.lay(&Key::Object(digest), b"corrupt");
    let good = Nginx::files(site.path()).await.unwrap();
    let bad = Nginx::files(corrupt.path()).await.unwrap();
    let slow = FaultProxy::start(good.url.trim_start_matches("http://")).await.unwrap();
    slow.set(Fault::Drip(100)).await.unwrap();
    let hole = FaultProxy::start("127.0.0.1:1").await.unwrap();
    hole.set(Fault::BlackHole).await.unwrap();
    let dead = format!("http://127.0.0.1:{}", testbed::free_port().unwrap());
    let origins = origins(&[&dead, &hole.url(), &slow.url(), &bad.url, &good.url]);
    assert_eq!(origins.object(&digest, Some(100_000)).await.unwrap(), bytes(100_000));
    let failures: Vec<u32> = origins.status().iter().map(|status| status.failures).collect();
    assert_eq!(failures, [1, 1, 1, 0, 0]);
    let next = site.object(b"the next update");
    corrupt.object(b"the next update");
    origins.object(&next, None).await.unwrap();
    let asked = (hole.traffic().connections, slow.traffic().connections);
    assert_eq!(asked, (1, 1), "those that rest are not asked again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a14_when_all_rest_they_are_still_asked() {
    let site = Site::new();
    let digest = site.object(b"content");
    let nginx = Nginx::files(site.path()).await.unwrap();
    let proxy = FaultProxy::start(nginx.url.trim_start_matches("http://")).await.unwrap();
    let origins = origins(&[proxy.url()]);
    proxy.set(Fault::Refuse).await.unwrap();
    let refused = origins.object(&digest, None).await.unwrap_err();
    assert!(refused.to_string().contains("cannot connect"), "{refused}");
    proxy.set(Fault::Pass).await.unwrap();
    assert_eq!(origins.object(&digest, None).await.unwrap(), b"content");
    assert_eq!(origins.status()[0].last_error, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g1_an_origin_that_asks_for_patience_gets_it() {
    let far = Far::start(|_, _| answer("503 Slow Down", "Retry-After: 120\r\n", b"")).await;
    let origins = origins(&[far.url()]);
    let refused = origins.object(&cdn::Digest::of(b"x"), None).await.unwrap_err();
    assert!(matches!(refused.tried[0].why, Why::Status { .. }), "{refused}");
    let resting = origins.status()[0].resting.unwrap();
    assert!(resting > Duration::from_secs(100) && resting <= Duration::from_mins(2), "{resting:?}");
    assert_eq!(far.heads().len(), 1, "one layer retries, and it does so with the next pass");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c9_what_one_edge_has_not_got_yet_is_taken_from_the_next_origin() {
    let (empty, site) = (Site::new(), Site::new());
    let digest = site.object(b"content");
    let edge = Nginx::files(empty.path()).await.unwrap();
    let origins = origins(&[edge.url.clone(), site.url()]);
    assert_eq!(origins.object(&digest, None).await.unwrap(), b"content");
    let status = &origins.status()[0];
    assert_eq!((status.failures, status.avoided, status.resting), (0, 0, None));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c9_a_404_in_an_edges_cache_hides_a_publication_for_seconds_only() {
    let published = Arc::new(AtomicBool::new(false));
    let there = Arc::clone(&published);
    let key = Key::Object(cdn::Digest::of(b"content"));
    let (found, absent) = (key.cache_control(), Key::cache_control_of_absence());
    let origin = Far::start(move |_, _| {
        if there.load(Ordering::SeqCst) {
            answer("200 OK", &format!("Cache-Control: {found}\r\n"), b"content")
        } else {
            answer("404 Not Found", &format!("Cache-Control: {absent}\r\n"), b"")
        }
    })
    .await;
    let edge = Nginx::cdn(&origin.url()).await.unwrap();
    let origins = origins(&[&edge.url]);
    let digest = cdn::Digest::of(b"content");
    let refused = origins.object(&digest, None).await.unwrap_err();
    assert!(refused.is_absent(), "{refused}");
    published.store(true, Ordering::SeqCst);
    let begun = Instant::now();
    loop {
        match origins.object(&digest, None).await {
            Ok(content) => break assert_eq!(content, b"content"),
            Err(refused) => assert!(refused.is_absent(), "{refused}"),
        }
        assert!(begun.elapsed() < Duration::from_secs(15), "still hidden: {:?}", edge.served().await);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_document_appends_origins_after_those_of_this_machine() {
    let (local, remote) = (Site::new(), Site::new());
    let nginx = Nginx::files(remote.path()).await.unwrap();
    let base = origins(&[local.url()]);
    let more = base.with_more(&[nginx.url.as_str(), "file:///etc", "ftp://host", "https://u:hunter2@host/"]);
    let names: Vec<String> = more.status().into_iter().map(|status| status.origin).collect();
    assert_eq!(names, [local.path().to_str().unwrap(), nginx.url.as_str()]);
    let digest = remote.object(b"content");
    assert_eq!(more.object(&digest, None).await.unwrap(), b"content");
    let later = more.with_more(&["http://127.0.0.1:9", nginx.url.as_str()]);
    let status = later.status();
    assert_eq!((status.len(), status[2].fetched, status[2].appended), (3, 1, true), "it keeps what it knew");
    let none: [&str; 0] = [];
    assert_eq!(later.with_more(&none).status().len(), 1, "what this machine names always remains");
    assert_eq!(base.bytes_read(), 7);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_medium_that_is_not_there_is_not_an_empty_one() {
    let folder = tempfile::tempdir().unwrap();
    let refused =
        origins(&[folder.path().to_str().unwrap()]).object(&cdn::Digest::of(b"x"), None).await.unwrap_err();
    assert!(!refused.is_absent() && refused.to_string().contains("not mounted"), "{refused}");
    let none: [&str; 0] = [];
    let refused = origins(&none).object(&cdn::Digest::of(b"x"), None).await.unwrap_err();
    assert!(!refused.is_absent() && refused.to_string().contains("--origin"), "{refused}");
}

/// Python, since Rust's own library knows no leases: a file under one cannot be opened until its holder gives it up, as
/// one of a file server that went away.
const LEASE: &str = "
import fcntl, os, signal, sys
signal.signal(signal.SIGIO, signal.SIG_IGN)
file = os.open(sys.argv[1], os.O_RDWR)
fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_WRLCK)
print('held', flush=True)
sys.stdin.read()
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a7_a_folder_that_hangs_is_left_for_the_next_origin() {
    let (hung, good) = (Site::new(), Site::new());
    let digest = good.object(b"content");
    hung.object(b"content");
    let file = hung.path().join(Key::Object(digest).path());
    let mut holder = std::process::Command::new("python3")
        .args(["-c", LEASE])
        .arg(file)
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("python3 is installed: apt-get install python3");
    let mut word = [0; 5];
    std::io::Read::read_exact(holder.stdout.as_mut().unwrap(), &mut word).expect("the file is leased");
    let list = [hung.url(), good.url()].iter().map(|url| Origin::parse(url).unwrap()).collect();
    let patience = Patience { grace: Duration::from_secs(1), ..Patience::default() };
    let origins = Origins::new(list, client()).with(Credentials::default(), patience);
    // By far more reads than may hang at once.
    let mut reads = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let origins = origins.clone();
        reads.spawn(async move { origins.object(&digest, Some(7)).await });
    }
    // The kernel itself would end the lease after 45 s.
    let all = tokio::time::timeout(Duration::from_secs(30), reads.join_all()).await;
    holder.kill().unwrap();
    holder.wait().unwrap();
    assert!(all.expect("in time").into_iter().all(|found| found.is_ok_and(|bytes| bytes == b"content")));
    assert!(origins.status()[0].last_error.as_ref().unwrap().contains("did not answer in time"));
}
