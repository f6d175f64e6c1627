//! A release key that leaves root: what it has signed is signed anew, and locks nobody out (FAULTS A3, A9).

use cdn::document::Head;
use cdn::envelope::Envelope;
use cdn::trust::{MinSeqs, Trust, Verified};
use cdn::wire::{Outcome, WantedService};
use cdn::{Key, ServiceName, SigningKey};
use program::progress::Silent;
use publisher::release::ReleaseError;
use publisher::{PublishError, Published, Publisher};

use crate::bench::{Bench, from_git};
use crate::repo::{Repo, map};

fn service() -> ServiceName {
    "default/web".parse().unwrap()
}

/// A fleet, and one service of it in a repository.
fn begin() -> (Bench, Repo, WantedService) {
    let (bench, repo) = (Bench::new(), Repo::new());
    repo.write("web/a.yaml", map("a", "1"));
    repo.commit("begin");
    let wanted = from_git(&repo.url(), "web");
    (bench, repo, wanted)
}

async fn publish(bench: &Bench, wanted: &WantedService) -> Result<Published, PublishError> {
    bench.publisher().await.publish(wanted, &Silent).await
}

async fn head_of(bench: &Bench) -> Head {
    let found = bench.store().await.get(&Key::Head(service())).await.unwrap().unwrap();
    Envelope::claim(&found.bytes).unwrap()
}

/// Puts a head as whoever has the key may.
async fn overwrite(bench: &Bench, head: &Head, key: &SigningKey) {
    let store = bench.store().await;
    let found = store.get(&Key::Head(service())).await.unwrap().unwrap();
    let bytes = Envelope::sign(head, &[key]).to_bytes();
    store.swap(&Key::Head(service()), bytes, Some(&found.version)).await.unwrap();
}

/// Whether those who know the roots up to this one believe the head, and the release that it names.
async fn is_believed(bench: &Bench, roots: &[Vec<u8>]) -> bool {
    let first = std::fs::read(bench.path("root.json")).unwrap();
    let mut trust = Trust::begin(bench.root, &first).unwrap();
    for root in roots {
        trust = trust.advance(root).unwrap();
    }
    let store = bench.store().await;
    let head = store.get(&Key::Head(service())).await.unwrap().unwrap();
    let role = trust.release_role(service().project()).unwrap();
    let Ok(head) = Envelope::verify::<Head>(&head.bytes, role) else { return false };
    let release = store.get(&Key::Object(head.document().release)).await.unwrap().unwrap();
    Verified::check(&trust, &service(), &release.bytes, &MinSeqs::default()).is_ok()
}

#[tokio::test]
async fn a9_what_a_key_that_has_left_root_signed_is_signed_anew_by_the_next_one() {
    let (bench, _repo, wanted) = begin();
    let first = publish(&bench, &wanted).await.unwrap();
    let before = head_of(&bench).await;
    let new_key = SigningKey::random();
    let roots = [bench.rotate(2, &[&new_key])];
    bench.sign_with(&new_key);
    assert!(!is_believed(&bench, &roots).await);
    let publisher = bench.publisher().await;
    let second = publisher.publish(&wanted, &Silent).await.unwrap();
    assert_eq!((second.outcome, second.bundle), (Outcome::Published, first.bundle));
    assert!(is_believed(&bench, &roots).await);
    assert!(head_of(&bench).await.seq > before.seq);
    let third = publisher.publish(&wanted, &Silent).await.unwrap();
    assert_eq!((third.outcome, third.release), (Outcome::Unchanged, second.release));
}

#[tokio::test]
async fn a9_a_release_is_signed_anew_though_its_head_was_moved_by_the_next_key() {
    let (bench, repo, wanted) = begin();
    publish(&bench, &wanted).await.unwrap();
    let new_key = SigningKey::random();
    let second = bench.rotate(2, &[&bench.release_key, &new_key]);
    bench.sign_with(&new_key);
    let publisher = bench.publisher().await;
    repo.write("README.md", "read me");
    repo.commit("no news");
    let moved = publisher.publish(&wanted, &Silent).await.unwrap();
    assert_eq!(moved.outcome, Outcome::Unchanged);
    let roots = [second, bench.rotate(3, &[&new_key])];
    publisher.follow_roots().await.unwrap();
    assert!(!is_believed(&bench, &roots).await);
    let anew = publisher.publish(&wanted, &Silent).await.unwrap();
    assert_eq!((anew.outcome, anew.bundle), (Outcome::Published, moved.bundle));
    assert!(is_believed(&bench, &roots).await);
}

#[tokio::test]
async fn a9_a_head_that_no_root_s_key_has_signed_stays_refused_after_a_rotation() {
    let (bench, _repo, wanted) = begin();
    publish(&bench, &wanted).await.unwrap();
    let new_key = SigningKey::random();
    bench.rotate(2, &[&new_key]);
    bench.sign_with(&new_key);
    overwrite(&bench, &head_of(&bench).await, &SigningKey::random()).await;
    let refused = publish(&bench, &wanted).await.unwrap_err();
    assert!(matches!(&refused, PublishError::Release(ReleaseError::Untrusted { .. })), "{refused}");
    assert!(refused.to_string().contains("or remove this one"), "{refused}");
}

#[tokio::test]
async fn a3_a_sequence_out_of_reach_is_refused_until_a_root_drops_the_key_that_set_it() {
    let (bench, repo, wanted) = begin();
    publish(&bench, &wanted).await.unwrap();
    repo.write("web/a.yaml", map("a", "2"));
    repo.commit("go on");
    for seq in [u64::MAX, (1 << 53) - 1] {
        overwrite(&bench, &Head { seq, ..head_of(&bench).await }, &bench.release_key).await;
        let refused = publish(&bench, &wanted).await.unwrap_err();
        assert!(matches!(&refused, PublishError::Release(ReleaseError::OutOfReach { .. })), "{refused}");
        assert_eq!(refused.outcome(), Outcome::Refused);
        assert_eq!(head_of(&bench).await.seq, seq);
    }
    // Almost out of reach would be the end of the next key, a few releases later.
    overwrite(&bench, &Head { seq: (1 << 53) - 3, ..head_of(&bench).await }, &bench.release_key).await;
    let new_key = SigningKey::random();
    let roots = [bench.rotate(2, &[&new_key])];
    bench.sign_with(&new_key);
    let publisher: Publisher = bench.publisher().await;
    assert_eq!(publisher.publish(&wanted, &Silent).await.unwrap().outcome, Outcome::Published);
    assert!(is_believed(&bench, &roots).await);
    assert!(head_of(&bench).await.seq < 1 << 52);
}

/// Two keys, one of a machine whose clock was a day ahead; the other one, which published last, is dropped.
#[tokio::test]
async fn a9_near_the_clock_a_sequence_goes_on_also_past_a_key_that_was_dropped() {
    let (bench, repo, wanted) = begin();
    publish(&bench, &wanted).await.unwrap();
    let ahead = head_of(&bench).await.seq + 86_400_000;
    overwrite(&bench, &Head { seq: ahead, ..head_of(&bench).await }, &bench.release_key).await;
    let new_key = SigningKey::random();
    let roots = [bench.rotate(2, &[&new_key])];
    bench.sign_with(&new_key);
    repo.write("web/a.yaml", map("a", "2"));
    repo.commit("go on");
    assert_eq!(publish(&bench, &wanted).await.unwrap().outcome, Outcome::Published);
    assert!(is_believed(&bench, &roots).await);
    assert_eq!(head_of(&bench).await.seq, ahead + 1);
}
