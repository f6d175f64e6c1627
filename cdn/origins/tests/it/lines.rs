//! Bad lines: cut, slow, dead (FAULTS A7, G2).

use std::time::{Duration, Instant};

use testbed::{Fault, FaultProxy, Nginx};

use crate::far::{Far, answer, cut, range};
use crate::site::{Site, bytes, mismatch, origins};

async fn proxied(nginx: &Nginx, fault: Fault) -> FaultProxy {
    let proxy = FaultProxy::start(nginx.url.trim_start_matches("http://")).await.unwrap();
    proxy.set(fault).await.unwrap();
    proxy
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g2_a_body_that_is_cut_again_and_again_is_resumed_where_it_ended() {
    let site = Site::new();
    let content = bytes(300_000);
    let digest = site.object(&content);
    let nginx = Nginx::files(site.path()).await.unwrap();
    for each in [10_000, 16_384, 70_001] {
        let proxy = proxied(&nginx, Fault::CutAfter(each)).await;
        let origins = origins(&[proxy.url()]);
        assert_eq!(origins.object(&digest, Some(300_000)).await.unwrap(), content, "cut after {each}");
        assert_eq!(origins.bytes_read(), 300_000, "no byte came twice");
    }
    let parts = nginx.served().await.unwrap().iter().filter(|served| served.status == 206).count();
    assert!(parts > 40, "{parts} parts");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g2_a_line_that_brings_nothing_is_given_up_for_the_next_origin() {
    let site = Site::new();
    let digest = site.object(&bytes(1_000));
    let nginx = Nginx::files(site.path()).await.unwrap();
    let dead = proxied(&nginx, Fault::CutAfter(20)).await;
    let origins = origins(&[&dead.url(), &nginx.url]);
    assert_eq!(origins.object(&digest, None).await.unwrap(), bytes(1_000));
    assert!(dead.traffic().connections <= 4, "{:?}", dead.traffic());
    assert!(origins.status()[0].resting.is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g2_an_end_without_a_word_is_resumed_too() {
    let content = bytes(5_000);
    let served = content.clone();
    let far = Far::start(move |_, head| match range(head) {
        // No length, and the connection's end is the body's: a proxy that lost its upstream.
        None => [b"HTTP/1.1 200 OK\r\nETag: \"x\"\r\nConnection: close\r\n\r\n", &served[..2_000]].concat(),
        Some(start) => {
            let headers = format!("ETag: \"x\"\r\nContent-Range: bytes {start}-4999/5000\r\n");
            answer("206 Partial Content", &headers, &served[start..])
        }
    })
    .await;
    let origins = origins(&[far.url()]);
    assert_eq!(origins.object(&cdn::Digest::of(&content), Some(5_000)).await.unwrap(), content);
    assert!(
        far.heads()[1].contains("range: bytes=2000-\r\n") && far.heads()[1].contains("if-range: \"x\"\r\n")
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g2_a_short_body_with_a_matching_length_header_is_a_mismatch() {
    let content = bytes(5_000);
    let short = content[..4_000].to_vec();
    let far = Far::start(move |_, head| match range(head) {
        None => answer("200 OK", "", &short),
        Some(_) => answer("416 Range Not Satisfiable", "Content-Range: bytes */4000\r\n", b""),
    })
    .await;
    let refused = origins(&[far.url()]).object(&cdn::Digest::of(&content), Some(5_000)).await.unwrap_err();
    assert_eq!(mismatch(&refused).expect("a mismatch").bytes, 4_000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g2_damage_in_a_resumed_body_is_found_over_the_whole() {
    let content = bytes(5_000);
    let served = content.clone();
    let far = Far::start(move |_, head| match range(head) {
        None => cut("ETag: \"x\"\r\n", &bytes(5_001), 2_000),
        Some(start) => {
            let headers = format!("Content-Range: bytes {start}-4999/5000\r\n");
            let mut rest = served[start..].to_vec();
            rest[0] ^= 1;
            answer("206 Partial Content", &headers, &rest)
        }
    })
    .await;
    let refused = origins(&[far.url()]).object(&cdn::Digest::of(&content), Some(5_000)).await.unwrap_err();
    assert!(mismatch(&refused).is_some(), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a7_an_origin_that_drips_is_left_for_the_next_one() {
    let site = Site::new();
    let digest = site.object(&bytes(200_000));
    let nginx = Nginx::files(site.path()).await.unwrap();
    let dripping = proxied(&nginx, Fault::Drip(500)).await;
    let origins = origins(&[&dripping.url(), &nginx.url]);
    let begun = Instant::now();
    assert_eq!(origins.object(&digest, Some(200_000)).await.unwrap(), bytes(200_000));
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    let status = origins.status();
    assert!(status[0].last_error.as_ref().is_some_and(|error| error.contains("too slowly")), "{status:?}");
    origins.object(&digest, Some(200_000)).await.unwrap();
    assert_eq!(dripping.traffic().connections, 1, "it stands behind the others now");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a7_an_honest_slow_line_succeeds() {
    let site = Site::new();
    let digest = site.object(&bytes(80_000));
    let nginx = Nginx::files(site.path()).await.unwrap();
    let slow = proxied(&nginx, Fault::Drip(30_000)).await;
    assert_eq!(origins(&[slow.url()]).object(&digest, Some(80_000)).await.unwrap(), bytes(80_000));
}
