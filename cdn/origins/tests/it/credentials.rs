//! Tokens go to their own host, and nowhere else (FAULTS C2, D6).

use std::fs;

use origins::Credentials;
use tempfile::TempDir;

use crate::far::{Far, answer};
use crate::site::with;

fn bound(folder: &TempDir, far: &Far) -> Credentials {
    let file = folder.path().join("token");
    fs::write(&file, "hunter2\n").unwrap();
    let mut credentials = Credentials::default();
    credentials.bind(&format!("{}={}", far.authority(), file.display())).unwrap();
    credentials
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c2_a_token_is_sent_to_its_own_host_alone_and_never_shown() {
    let folder = tempfile::tempdir().unwrap();
    let private = Far::start(|_, _| answer("503 Later", "", b"")).await;
    let public = Far::start(|_, _| answer("200 OK", "", b"content")).await;
    let origins = with(&[private.url(), public.url()], bound(&folder, &private));
    assert_eq!(origins.object(&cdn::Digest::of(b"content"), None).await.unwrap(), b"content");
    assert!(private.heads()[0].contains("authorization: bearer hunter2\r\n"));
    assert!(!public.heads()[0].contains("authorization"));
    assert!(!format!("{origins:?} {:?}", origins.status()).contains("hunter2"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c2_a_redirect_does_not_carry_the_token_to_another_host() {
    let folder = tempfile::tempdir().unwrap();
    let elsewhere = Far::start(|_, _| answer("200 OK", "", b"content")).await;
    let to = format!("Location: {}/moved\r\n", elsewhere.url());
    let private = Far::start(move |_, _| answer("302 Found", &to, b"")).await;
    let origins = with(&[private.url()], bound(&folder, &private));
    assert_eq!(origins.object(&cdn::Digest::of(b"content"), None).await.unwrap(), b"content");
    assert!(!elsewhere.heads()[0].contains("hunter2"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_was_renewed_on_disk_is_read_anew_after_a_refusal() {
    let folder = tempfile::tempdir().unwrap();
    let far = Far::start(|_, head| {
        let renewed = head.contains("bearer renewed");
        answer(if renewed { "200 OK" } else { "401 Unauthorized" }, "", b"content")
    })
    .await;
    let origins = with(&[far.url()], bound(&folder, &far));
    let digest = cdn::Digest::of(b"content");
    let refused = origins.object(&digest, None).await.unwrap_err();
    assert!(refused.to_string().contains("--origin-token-file"), "{refused}");
    fs::write(folder.path().join("token"), "renewed\n").unwrap();
    assert_eq!(origins.object(&digest, None).await.unwrap(), b"content");
}
