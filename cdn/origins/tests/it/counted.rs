//! What an operator sees in the metrics of a program that reads.

use std::time::Duration;

use cdn::document::HoldReason;
use cdn::{Digest, Key};
use program::http::{Bounds, Request};
use program::observe::{Listen, Observe, Readiness};
use program::shutdown::Shutdown;

use crate::site::{Site, client, origins};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a1_other_bytes_are_counted_by_the_code_of_the_hold_that_they_lead_to() {
    let at = Listen::At("127.0.0.1:0".parse().unwrap());
    let observe = Observe::bind(at, Readiness::new()).await.unwrap();
    let url = format!("http://{}/metrics", observe.address().unwrap());
    let stop = Shutdown::listen().unwrap().token();
    let mut serving = tokio::task::JoinSet::new();
    serving.spawn(observe.serve(stop.clone()));

    let site = Site::new();
    let digest = Digest::of(b"original");
    site.lay(&Key::Object(digest), b"tampered");
    origins(&[site.url()]).object(&digest, None).await.unwrap_err();

    let bounds = Bounds::new(1 << 20, Duration::from_secs(10));
    let shown = client().fetch(Request::get(url), bounds).await.unwrap();
    let shown = String::from_utf8(shown.body.to_vec()).unwrap();
    assert!(shown.contains("# HELP windlass_verify_failures_total "), "{shown}");
    let counted: Vec<_> =
        shown.lines().filter(|line| line.starts_with("windlass_verify_failures_total{")).collect();
    let code = HoldReason::ContentMismatch.code();
    assert!(counted.iter().any(|line| line.contains(&format!("reason=\"{code}\""))), "{counted:?}");
    assert_eq!(counted.len(), 1, "one vocabulary: {counted:?}");
    stop.cancel();
    serving.join_all().await;
}
