//! Every fault, as a client sees it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use testbed::{Fault, FaultProxy, Nginx, Traffic};

use crate::http;

const BODY: usize = 50_000;

async fn file_behind_a_proxy() -> (tempfile::TempDir, Nginx, FaultProxy, String) {
    let folder = tempfile::tempdir().expect("a folder is made");
    std::fs::write(folder.path().join("a"), vec![b'x'; BODY]).expect("a file is written");
    let files = Nginx::files(folder.path()).await.expect("nginx starts");
    let proxy = FaultProxy::start(files.url.trim_start_matches("http://")).await.expect("the proxy starts");
    let url = format!("{}/a", proxy.url());
    (folder, files, proxy, url)
}

#[tokio::test]
async fn it_passes_and_counts() {
    let (_folder, _files, proxy, url) = file_behind_a_proxy().await;
    assert_eq!(http::get(&url).await.expect("it passes").body.len(), BODY);
    let Traffic { connections, bytes_in, bytes_out } = proxy.traffic();
    assert!(connections == 1 && bytes_in > 20 && bytes_out > BODY as u64, "{:?}", proxy.traffic());
}

#[tokio::test]
async fn it_refuses_and_accepts_again() {
    let (_folder, _files, proxy, url) = file_behind_a_proxy().await;
    proxy.set(Fault::Refuse).await.expect("the fault is switched");
    let refused = http::get(&url).await.expect_err("nobody listens");
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
    proxy.set(Fault::Pass).await.expect("the fault is switched");
    assert_eq!(http::get(&url).await.expect("it passes again").status, 200);
}

#[tokio::test]
async fn it_cuts_in_the_middle() {
    let (_folder, _files, proxy, url) = file_behind_a_proxy().await;
    proxy.set(Fault::CutAfter(10_000)).await.expect("the fault is switched");
    let cut = http::get(&url).await.expect_err("the connection is reset");
    assert_eq!(cut.kind(), std::io::ErrorKind::ConnectionReset);
    assert_eq!(proxy.traffic().bytes_out, 10_000);
}

#[tokio::test]
async fn it_drips_and_delays() {
    let (_folder, _files, proxy, url) = file_behind_a_proxy().await;
    proxy.set(Fault::Drip(100_000)).await.expect("the fault is switched");
    let start = Instant::now();
    assert_eq!(http::get(&url).await.expect("it comes slowly").body.len(), BODY);
    assert!(start.elapsed() > Duration::from_millis(450), "{:?}", start.elapsed());
    proxy.set(Fault::Delay(Duration::from_millis(200))).await.expect("the fault is switched");
    let start = Instant::now();
    http::get(&url).await.expect("it comes late");
    assert!(start.elapsed() > Duration::from_millis(200), "{:?}", start.elapsed());
}

#[tokio::test]
async fn it_swallows_and_a_switch_ends_the_waiting() {
    let (_folder, _files, proxy, url) = file_behind_a_proxy().await;
    proxy.set(Fault::BlackHole).await.expect("the fault is switched");
    let mut waiting = Box::pin(http::get(&url));
    let answered = tokio::time::timeout(Duration::from_millis(300), &mut waiting).await;
    assert!(answered.is_err(), "{answered:?}");
    proxy.set(Fault::Pass).await.expect("the fault is switched");
    waiting.await.expect_err("the connection was closed without an answer");
}

#[tokio::test]
async fn it_lies_and_never_ends() {
    let (_folder, _files, proxy, url) = file_behind_a_proxy().await;
    let lie: Arc<[u8]> = Arc::from(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nlie".as_slice());
    proxy.set(Fault::Answer(lie)).await.expect("the fault is switched");
    assert_eq!(http::get(&url).await.expect("it answers").body, b"lie");
    proxy.set(Fault::Endless).await.expect("the fault is switched");
    let before = proxy.traffic().bytes_out;
    let more_than_any_buffer = async {
        while proxy.traffic().bytes_out < before + 20_000_000 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        proxy.set(Fault::Refuse).await.expect("the fault is switched");
    };
    let (endless, ()) = tokio::join!(http::get(&url), more_than_any_buffer);
    assert!(endless.map_or(true, |answer| answer.body.len() > 10_000_000), "it had no end but ours");
}
