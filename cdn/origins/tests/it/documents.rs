//! Documents: found, absent, or unknown; accepted by the caller's proof.

use cdn::Key;
use testbed::{Fault, FaultProxy, Nginx};

use crate::far::{Far, answer};
use crate::site::{Site, origins};

/// A proof that takes numbers only.
fn number(bytes: &[u8]) -> Result<u32, String> {
    let text = std::str::from_utf8(bytes).map_err(|error| error.to_string())?;
    text.parse().map_err(|_| format!("`{text}` is no number"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_document_is_found_absent_or_unknown() {
    let (empty, site) = (Site::new(), Site::new());
    site.lay(&Key::Root(1), b"42");
    let nginx = Nginx::files(empty.path()).await.unwrap();
    let dead = FaultProxy::start("127.0.0.1:1").await.unwrap();
    dead.set(Fault::Refuse).await.unwrap();
    let found = origins(&[nginx.url.clone(), site.url()]);
    assert_eq!(found.document(&Key::Root(1), number).await, Ok(Some(42)));
    assert_eq!(found.document(&Key::Root(2), number).await, Ok(None));
    let unknown =
        origins(&[nginx.url.clone(), dead.url()]).document(&Key::Root(1), number).await.unwrap_err();
    assert!(!unknown.is_absent() && unknown.tried.len() == 2, "{unknown}");
    assert_eq!(origins(&[dead.url(), site.url()]).document(&Key::Root(1), number).await, Ok(Some(42)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a1_a_document_that_is_not_accepted_is_asked_for_elsewhere() {
    let (forged, site) = (Site::new(), Site::new());
    forged.lay(&Key::Root(1), b"forged");
    site.lay(&Key::Root(1), b"42");
    let nginx = Nginx::files(forged.path()).await.unwrap();
    let found = origins(&[nginx.url.clone(), site.url()]);
    assert_eq!(found.document(&Key::Root(1), number).await, Ok(Some(42)));
    assert_eq!(found.status()[0].mismatches, 1);
    let refused = origins(&[&nginx.url]).document(&Key::Root(1), number).await.unwrap_err();
    assert!(refused.to_string().contains("not accepted: `forged` is no number"), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stale_document_in_a_cache_is_passed_by_asking_past_it() {
    let far = Far::start(|_, head| {
        let fresh = head.contains("cache-control: no-cache");
        answer("200 OK", "", if fresh { b"42" } else { b"stale" })
    })
    .await;
    assert_eq!(origins(&[far.url()]).document(&Key::Root(1), number).await, Ok(Some(42)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g4_a_captive_portal_in_place_of_a_document_is_called_what_it_is() {
    let far = Far::start(|_, _| answer("200 OK", "", b"<!DOCTYPE html>Log in")).await;
    let refused = origins(&[far.url()]).document(&Key::Root(1), number).await.unwrap_err();
    assert!(refused.to_string().contains("it looks like HTML from 127.0.0.1"), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a6_a_document_without_end_is_cut_and_never_shown_to_its_proof() {
    let site = Site::new();
    let too_long = vec![b'1'; usize::try_from(Key::Root(1).max_bytes()).unwrap() + 1];
    site.lay(&Key::Root(1), &too_long);
    let endless = FaultProxy::start("127.0.0.1:1").await.unwrap();
    endless.set(Fault::Endless).await.unwrap();
    let mut shown = 0;
    let refused = origins(&[endless.url(), site.url()])
        .document(&Key::Root(1), |_| {
            shown += 1;
            Err::<(), _>("shown")
        })
        .await
        .unwrap_err();
    assert_eq!(shown, 0);
    assert!(refused.to_string().contains("larger than the 131072 bytes"), "{refused}");
}
