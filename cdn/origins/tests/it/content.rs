//! Other bytes than were wanted: refused, whoever serves them (FAULTS A1, A6, A16, G4).

use cdn::Key;
use origins::{Origin, Origins, Why};
use testbed::{Fault, FaultProxy, Nginx};

use crate::far::{Far, answer};
use crate::site::{Site, bytes, client, mismatch, origins};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a1_other_bytes_are_dropped_and_the_next_origin_is_used() {
    let (bad, good) = (Site::new(), Site::new());
    let content = bytes(50_000);
    let digest = good.object(&content);
    let mut tampered = content.clone();
    tampered[20_000] ^= 1;
    bad.lay(&Key::Object(digest), &tampered);
    let (tampered, honest) =
        (Nginx::files(bad.path()).await.unwrap(), Nginx::files(good.path()).await.unwrap());
    let origins = origins(&[&tampered.url, &honest.url]);
    assert_eq!(origins.object(&digest, Some(50_000)).await.unwrap(), content);
    assert_eq!(tampered.served().await.unwrap().len(), 2, "once, and once past the caches");
    let status = &origins.status()[0];
    assert_eq!((status.mismatches, status.avoided, status.fetched), (1, 1, 0));
    assert!(status.last_error.as_ref().is_some_and(|error| error.contains("other bytes came")), "{status:?}");
    assert_eq!(origins.object(&digest, Some(50_000)).await.unwrap(), content);
    assert_eq!(tampered.served().await.unwrap().len(), 2, "not asked for this object again");
    let other = good.object(b"another");
    bad.object(b"another");
    origins.object(&other, None).await.unwrap();
    assert_eq!(tampered.served().await.unwrap().len(), 3, "but for others");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a1_alone_it_is_refused_by_host_expected_and_actual() {
    let far = Far::start(|_, _| answer("200 OK", "", b"tampered")).await;
    let origins = origins(&[far.url()]);
    let digest = cdn::Digest::of(b"original");
    let refused = origins.object(&digest, Some(8)).await.unwrap_err();
    let found = mismatch(&refused).expect("a mismatch");
    assert_eq!((found.host.as_str(), found.expected), ("127.0.0.1", digest));
    assert_eq!(found.actual, Some(cdn::Digest::of(b"tampered")));
    let text = refused.to_string();
    for part in [far.url(), digest.to_string(), cdn::Digest::of(b"tampered").to_string()] {
        assert!(text.contains(&part), "{text}");
    }
    let again = origins.object(&digest, Some(8)).await.unwrap_err();
    assert!(matches!(again.tried[0].why, Why::Avoided { .. }) && again.is_content_mismatch(), "{again}");
    assert!(again.to_string().contains(&cdn::Digest::of(b"tampered").to_string()), "{again}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a1_a_poisoned_cache_is_passed_by_asking_past_it() {
    let far = Far::start(|_, head| {
        let fresh = head.contains("cache-control: no-cache");
        answer("200 OK", "", if fresh { b"original" } else { b"poisoned" })
    })
    .await;
    let origins = origins(&[far.url()]);
    assert_eq!(origins.object(&cdn::Digest::of(b"original"), None).await.unwrap(), b"original");
    assert_eq!(origins.status()[0].avoided, 0);
    assert_eq!(far.heads().len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a1_no_flipped_bit_gets_through() {
    let site = Site::new();
    let content = bytes(40);
    let (digest, client) = (cdn::Digest::of(&content), client());
    for bit in 0..content.len() * 8 {
        let mut flipped = content.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        site.lay(&Key::Object(digest), &flipped);
        let origins = Origins::new(vec![Origin::parse(&site.url()).unwrap()], client.clone());
        let refused = origins.object(&digest, Some(40)).await.unwrap_err();
        assert!(mismatch(&refused).is_some(), "bit {bit}: {refused}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a6_a_body_without_end_is_cut_at_the_signed_length() {
    let site = Site::new();
    let digest = site.object(&bytes(10_000));
    let endless = FaultProxy::start("127.0.0.1:1").await.unwrap();
    endless.set(Fault::Endless).await.unwrap();
    let origins = origins(&[endless.url(), site.url()]);
    assert_eq!(origins.object(&digest, Some(10_000)).await.unwrap(), bytes(10_000));
    let status = &origins.status()[0];
    assert_eq!(status.avoided, 1);
    // Twice, each time what came along with the last byte that was wanted.
    assert!(status.bytes < 2_000_000, "{} bytes were read", status.bytes);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a6_a_body_without_end_is_cut_at_what_its_kind_may_have() {
    let site = Site::new();
    let digest = site.object(&bytes(10_000));
    let endless = FaultProxy::start("127.0.0.1:1").await.unwrap();
    endless.set(Fault::Endless).await.unwrap();
    let origins = origins(&[endless.url(), site.url()]);
    assert_eq!(origins.object_at_most(&digest, 16_000).await.unwrap(), bytes(10_000));
    let status = &origins.status()[0];
    assert_eq!(status.avoided, 1);
    assert!(status.bytes < 2_000_000, "{} bytes were read", status.bytes);
    let longer = origins.object_at_most(&digest, 9_999).await.unwrap_err();
    assert!(longer.is_content_mismatch(), "{longer}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a6_a_claim_of_enormous_length_is_refused_before_reading() {
    let far =
        Far::start(|_, _| b"HTTP/1.1 200 OK\r\nContent-Length: 9223372036854775807\r\n\r\nx".to_vec()).await;
    let origins = origins(&[far.url()]);
    for length in [Some(10), None] {
        let refused = origins.object(&cdn::Digest::of(b"0123456789"), length).await.unwrap_err();
        assert!(refused.is_content_mismatch(), "{refused}");
    }
    assert_eq!(origins.bytes_read(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a6_a_signed_length_beyond_the_bound_is_not_even_asked_for() {
    let site = Site::new();
    let digest = site.object(b"x");
    let refused = origins(&[site.url()]).object(&digest, Some(u64::MAX)).await.unwrap_err();
    assert!(matches!(refused.tried[0].why, Why::TooLong { .. }), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a16_the_whole_digest_and_the_length_must_both_hold() {
    let site = Site::new();
    let digest = site.object(b"content");
    assert_eq!(origins(&[site.url()]).object(&digest, Some(7)).await.unwrap(), b"content");
    for length in [0, 6, 8] {
        let refused = origins(&[site.url()]).object(&digest, Some(length)).await.unwrap_err();
        assert!(mismatch(&refused).is_some(), "{length}: {refused}");
    }
    // All but the last of 64 digits.
    let mut almost = *digest.as_bytes();
    almost[31] ^= 1;
    let almost = cdn::Digest::from_bytes(almost);
    site.lay(&Key::Object(almost), b"content");
    assert!(mismatch(&origins(&[site.url()]).object(&almost, Some(7)).await.unwrap_err()).is_some());
}

async fn refusal_of(headers: &'static str, body: &'static [u8]) -> (String, Vec<String>) {
    let far = Far::start(move |_, _| answer("200 OK", headers, body)).await;
    let origins = origins(&[far.url()]);
    let refused = origins.object(&cdn::Digest::of(b"content"), Some(4_000)).await.unwrap_err();
    (refused.to_string(), far.heads())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g4_a_captive_portal_is_called_what_it_is() {
    let portals: [(&str, &[u8]); 4] = [
        ("", b"<!DOCTYPE html><title>Please log in</title>"),
        ("Content-Type: text/html; charset=utf-8\r\n", b"Please log in"),
        ("", b"\n  <HTML>"),
        ("", b"\xEF\xBB\xBF<html>"),
    ];
    for (headers, body) in portals {
        let (text, _) = refusal_of(headers, body).await;
        assert!(text.contains("looks like HTML from 127.0.0.1"), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g4_nobody_on_the_way_is_invited_to_compress_and_who_does_is_named() {
    let (text, heads) = refusal_of("Content-Encoding: gzip\r\n", b"\x1f\x8b\x08 and so on").await;
    assert!(text.contains("gzip compressed on the way from 127.0.0.1"), "{text}");
    assert!(heads[0].contains("accept-encoding: identity\r\n"), "{}", heads[0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g4_a_byte_order_mark_that_was_added_is_caught() {
    let far = Far::start(|_, _| answer("200 OK", "", b"\xEF\xBB\xBFcontent")).await;
    for length in [None, Some(7), Some(10)] {
        let refused = origins(&[far.url()]).object(&cdn::Digest::of(b"content"), length).await.unwrap_err();
        assert!(mismatch(&refused).is_some(), "{refused}");
    }
}
