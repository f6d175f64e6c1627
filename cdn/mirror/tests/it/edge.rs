//! A mirror as the origin behind a real CDN cache.

use std::time::{Duration, Instant};

use cdn::{Digest, Key};
use testbed::Nginx;

use crate::bench::{Bench, clients};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edge_keeps_objects_for_ever_and_asks_once() {
    let bench = Bench::start().await;
    let key = bench.object(b"content");
    let edge = Nginx::cdn(&bench.url).await.unwrap();
    let [client, _] = clients();
    for _ in 0..5 {
        let answer = client.get(format!("{}{key}", edge.url)).send().await.unwrap();
        assert_eq!(answer.headers()["etag"], format!("\"{}\"", Digest::of(b"content").hex()));
        assert_eq!(answer.bytes().await.unwrap(), "content");
    }
    assert_eq!(bench.served.figures().responses(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c9_an_edge_that_has_seen_nothing_sees_the_publication_within_seconds() {
    let bench = Bench::start().await;
    let edge = Nginx::cdn(&bench.url).await.unwrap();
    let [client, _] = clients();
    let key = Key::Object(Digest::of(b"content"));
    let ask = async || client.get(format!("{}{key}", edge.url)).send().await.unwrap().status().as_u16();
    assert_eq!(ask().await, 404);
    bench.object(b"content");
    let begun = Instant::now();
    while ask().await != 200 {
        assert!(begun.elapsed() < Duration::from_secs(15), "hidden by a cached 404");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edge_whose_mirror_is_gone_still_serves_what_it_has() {
    let mut bench = Bench::start().await;
    let head = Key::Head("default/web".parse().unwrap());
    bench.lay(&head, b"{}");
    let key = bench.object(b"content");
    let edge = Nginx::cdn(&bench.url).await.unwrap();
    let [client, _] = clients();
    let ask = async |key: &Key| client.get(format!("{}{key}", edge.url)).send().await.unwrap();
    for key in [&key, &head] {
        assert_eq!(ask(key).await.status(), 200);
    }
    bench.stopped().await;
    for key in [&key, &head] {
        assert_eq!(ask(key).await.status(), 200, "{key}");
    }
}
