//! An edge that behaves as a CDN's does, and tells what it did.

use testbed::{Nginx, S3};

use crate::{http, s3};

const YEAR: &str = "public, max-age=31536000, immutable";

#[tokio::test]
async fn the_edge_asks_the_origin_once_and_counts() {
    let s3 = S3::shared().await.expect("an S3 server starts");
    let body = vec![b'x'; 100_000];
    s3::put(s3, "v1/o/large", &body, YEAR).await;
    let cdn = Nginx::cdn(&s3.url(&s3.bucket)).await.expect("nginx starts");
    let url = format!("{}/v1/o/large", cdn.url);
    let first = http::get(&url).await.expect("the edge answers");
    let second = http::get(&url).await.expect("the edge answers");
    assert_eq!((first.header("x-cache"), second.header("x-cache")), (Some("MISS"), Some("HIT")));
    assert!(
        second.body == body
            && second.header("etag").is_some()
            && second.header("cache-control") == Some(YEAR)
    );
    let part = http::get_with(&url, "Range: bytes=10-19\r\n").await.expect("the edge answers");
    assert_eq!((part.status, part.body.len()), (206, 10));
    let tag = second.header("etag").unwrap_or_default();
    let unchanged =
        http::get_with(&url, &format!("If-None-Match: {tag}\r\n")).await.expect("the edge answers");
    assert_eq!((unchanged.status, unchanged.body.len()), (304, 0));
    let served = cdn.served().await.expect("the access log is read");
    let told: Vec<_> =
        served.iter().map(|it| (it.status, it.body_bytes, it.cache.as_str(), it.origin_bytes > 0)).collect();
    assert_eq!(
        told,
        [
            (200, 100_000, "MISS", true),
            (200, 100_000, "HIT", false),
            (206, 10, "HIT", false),
            (304, 0, "HIT", false)
        ]
    );
    cdn.forget_served().await.expect("the log is emptied");
    assert_eq!(cdn.served().await.expect("the access log is read"), []);
    cdn.purge().expect("the cache is emptied");
    assert_eq!(http::get(&url).await.expect("the edge answers").header("x-cache"), Some("MISS"));
}

#[tokio::test]
async fn the_edge_serves_stale_while_the_origin_is_down_and_comes_back_on_its_port() {
    let mut s3 = S3::start().await.expect("an S3 server starts");
    s3::put(&s3, "v1/desired/c", b"one", "public, max-age=1, stale-if-error=604800").await;
    let mut cdn = Nginx::cdn(&s3.url(&s3.bucket)).await.expect("nginx starts");
    let url = format!("{}/v1/desired/c", cdn.url);
    assert_eq!(http::get(&url).await.expect("the edge answers").body, b"one");
    s3.kill().await.expect("the origin is killed");
    let mut told = String::new();
    while told != "STALE" {
        let answer = http::get(&url).await.expect("the edge answers");
        assert_eq!((answer.status, answer.body.as_slice()), (200, b"one".as_slice()));
        answer.header("x-cache").unwrap_or_default().clone_into(&mut told);
    }
    cdn.stop().await.expect("the edge stops");
    http::get(&url).await.expect_err("nobody answers");
    cdn.start_again().await.expect("the edge starts again");
    assert_eq!(http::get(&url).await.expect("the cache is still there").body, b"one");
}

#[tokio::test]
async fn files_are_served_with_validators_and_ranges() {
    let folder = tempfile::tempdir().expect("a folder is made");
    std::fs::write(folder.path().join("a"), "0123456789").expect("a file is written");
    let files = Nginx::files(folder.path()).await.expect("nginx starts");
    let whole = http::get(&format!("{}/a", files.url)).await.expect("nginx answers");
    assert!(whole.body == b"0123456789" && whole.header("etag").is_some(), "{whole:?}");
    let part =
        http::get_with(&format!("{}/a", files.url), "Range: bytes=3-4\r\n").await.expect("nginx answers");
    assert_eq!((part.status, part.body.as_slice()), (206, b"34".as_slice()));
    assert_eq!(http::get(&format!("{}/b", files.url)).await.expect("nginx answers").status, 404);
}
