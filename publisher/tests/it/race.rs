//! Two publishers at once (FAULTS C7): the head is moved by compare-and-set, and who loses is told both revisions.

use std::collections::BTreeMap;

use cdn::Key;
use cdn::document::{Head, Release};
use cdn::envelope::Envelope;
use cdn::wire::Outcome;
use program::progress::Silent;
use publisher::release::ReleaseError;
use publisher::{PublishError, Publisher};
use tokio::task::JoinSet;

use crate::bench::{Bench, from_folder};
use crate::repo::{map, write};

#[tokio::test(flavor = "multi_thread")]
async fn c7_of_many_publishers_at_once_each_wins_or_is_told_who_did() {
    let bench = Bench::new();
    let folders = tempfile::tempdir().unwrap();
    let mut tasks = JoinSet::new();
    for index in 0..50 {
        let folder = folders.path().join(index.to_string());
        write(&folder, "a.yaml", map("a", &index.to_string()));
        let settings = bench.settings(&format!("cache-{index}"));
        tasks.spawn(async move {
            let publisher = Publisher::open(&settings).await.unwrap();
            publisher.publish(&from_folder(&folder, ""), &Silent).await
        });
    }
    let (mut won, mut lost) = (Vec::new(), 0);
    while let Some(result) = tasks.join_next().await {
        match result.unwrap() {
            Ok(published) => {
                assert_eq!(published.outcome, Outcome::Published);
                won.push(published.release);
            }
            Err(PublishError::Release(ReleaseError::Conflict { ours, theirs, .. })) => {
                assert_ne!(ours, theirs);
                assert!(ours.starts_with("sha256:") && theirs.starts_with("sha256:"), "{ours} {theirs}");
                lost += 1;
            }
            Err(other) => panic!("{other}"),
        }
    }
    assert!(!won.is_empty());
    assert_eq!(won.len() + lost, 50);
    // No two winners have one sequence, and the head is the highest of them: nobody undid another's.
    let store = bench.store().await;
    let mut seqs = BTreeMap::new();
    for release in &won {
        let envelope = store.get(&Key::Object(*release)).await.unwrap().unwrap().bytes;
        seqs.insert(Envelope::claim::<Release>(&envelope).unwrap().seq, *release);
    }
    assert_eq!(seqs.len(), won.len(), "{seqs:?}");
    let head = store.get(&Key::Head("default/web".parse().unwrap())).await.unwrap().unwrap().bytes;
    let head: Head = Envelope::claim(&head).unwrap();
    assert_eq!(seqs.last_key_value(), Some((&head.seq, &head.release)));
}

#[tokio::test(flavor = "multi_thread")]
async fn c7_publishers_of_the_same_content_do_not_fight() {
    let bench = Bench::new();
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "a.yaml", map("a", "1"));
    let mut tasks = JoinSet::new();
    for index in 0..8 {
        let (settings, wanted) = (bench.settings(&format!("cache-{index}")), from_folder(folder.path(), ""));
        tasks.spawn(async move {
            let publisher = Publisher::open(&settings).await.unwrap();
            publisher.publish(&wanted, &Silent).await.unwrap().bundle
        });
    }
    let bundles = tasks.join_all().await;
    assert!(bundles.iter().all(|bundle| *bundle == bundles[0]));
}
