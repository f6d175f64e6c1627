//! From a commit to a head: what is put, what is not, and what a killed publisher leaves behind.

use cdn::document::{Head, Release, Revision};
use cdn::envelope::Envelope;
use cdn::trust::{MinSeqs, Trust, Verified};
use cdn::wire::Outcome;
use cdn::{Digest, Key, Limits, SigningKey};
use program::progress::Silent;
use publisher::release::{NewRelease, ReleaseError, Releases};
use publisher::{PublishError, Publisher};

use crate::api::{Api, TOKEN};
use crate::bench::{Bench, from_folder, from_git};
use crate::repo::{Repo, map, write};

fn service() -> cdn::ServiceName {
    "default/web".parse().unwrap()
}

async fn head_of(bench: &Bench) -> Head {
    let found = bench.store().await.get(&Key::Head(service())).await.unwrap().unwrap();
    Envelope::claim(&found.bytes).unwrap()
}

#[tokio::test]
async fn a_commit_becomes_content_a_signed_release_and_a_head_that_a_reader_believes() {
    let bench = Bench::new();
    let repo = Repo::new();
    repo.write("web/a.yaml", map("a", "1"));
    let commit = repo.commit("web: begin");
    let publisher = bench.publisher().await;
    let done = publisher.publish(&from_git(&repo.url(), "web"), &Silent).await.unwrap();
    assert_eq!((done.outcome, done.commit.as_str()), (Outcome::Published, commit.as_str()));
    let root = std::fs::read(bench.path("root.json")).unwrap();
    let trust = Trust::begin(bench.root, &root).unwrap();
    let store = bench.store().await;
    let envelope = store.get(&Key::Object(done.release)).await.unwrap().unwrap();
    let verified = Verified::check(&trust, &service(), &envelope.bytes, &MinSeqs::default()).unwrap();
    assert_eq!(verified.encodings().len(), 2);
    for stored in verified.encodings() {
        let bytes = store.get(&Key::Object(stored.digest)).await.unwrap().unwrap();
        let content = verified.open(stored, &bytes.bytes, Limits::DEFAULT).unwrap();
        assert_eq!(content.bundle().len(), 1);
    }
    let release: Release = Envelope::claim(&envelope.bytes).unwrap();
    assert_eq!((release.revision.subject.as_str(), release.namespace.as_str()), ("web: begin", "web"));
    let head = head_of(&bench).await;
    assert_eq!((head.release, head.bundle, head.seq), (done.release, done.bundle, release.seq));
}

#[tokio::test]
async fn a_commit_of_comments_formatting_or_a_readme_moves_the_commit_and_no_byte_of_content() {
    let bench = Bench::new();
    let repo = Repo::new();
    repo.write("web/a.yaml", map("a", "1"));
    repo.commit("begin");
    let publisher = bench.publisher().await;
    let wanted = from_git(&repo.url(), "web");
    let first = publisher.publish(&wanted, &Silent).await.unwrap();
    let stored = bench.stored();
    for (path, text) in [
        ("web/a.yaml", format!("# a comment\n{}", map("a", "1"))),
        ("web/README.md", "read me".to_owned()),
        ("elsewhere.yaml", map("b", "1")),
        (
            "web/a.yaml",
            "{apiVersion: v1, kind: ConfigMap, data: {value: '1'}, metadata: {name: a}}".to_owned(),
        ),
    ] {
        repo.write(path, text);
        let commit = repo.commit("no news");
        let next = publisher.publish(&wanted, &Silent).await.unwrap();
        assert_eq!((next.outcome, next.put_bytes), (Outcome::Unchanged, 0), "{path}");
        assert_eq!((next.bundle, next.release), (first.bundle, first.release), "{path}");
        assert_eq!(bench.stored(), stored, "{path}");
        let head = head_of(&bench).await;
        assert_eq!((head.commit, head.release), (commit, first.release), "{path}");
    }
}

#[tokio::test]
async fn what_has_not_changed_is_not_rendered_and_what_has_is() {
    let bench = Bench::new();
    let repo = Repo::new();
    repo.write("web/a.yaml", map("a", "1"));
    repo.commit("begin");
    let wanted = from_git(&repo.url(), "web");
    assert!(bench.publisher().await.publish(&wanted, &Silent).await.unwrap().rendered);
    repo.write("other/b.yaml", map("b", "1"));
    repo.commit("elsewhere");
    // A new process remembers.
    let publisher = bench.publisher().await;
    assert!(!publisher.publish(&wanted, &Silent).await.unwrap().rendered);
    repo.write("web/a.yaml", map("a", "2"));
    repo.commit("here");
    let next = publisher.publish(&wanted, &Silent).await.unwrap();
    assert!(next.rendered && next.outcome == Outcome::Published && next.put_bytes > 0);
    // The namespace is part of the release, though not of the bundle.
    let mut moved = wanted.clone();
    moved.namespace = "elsewhere".to_owned();
    let moved = publisher.publish(&moved, &Silent).await.unwrap();
    assert_eq!((moved.outcome, moved.bundle, moved.put_bytes), (Outcome::Published, next.bundle, 0));
    drop(publisher);
    // And so is what the allow list says about secrets.
    bench.allow(
        "[[allow]]\nservices = [\"*/*\"]\nrepository = \"**\"\nlocal = true\nplain_secrets = [\"x\"]\n",
    );
    let publisher = bench.publisher().await;
    assert!(publisher.publish(&wanted, &Silent).await.unwrap().rendered);
}

#[tokio::test]
async fn sequences_only_go_up_also_past_a_clock_that_was_wrong() {
    let bench = Bench::new();
    let (store, releases) = (bench.store().await, releases(&bench).await);
    let (encodings, _) = releases.put_content(b"tar").await.unwrap();
    let head = releases.put_release(new(&encodings, "1"), None).await.unwrap();
    let future = Head { seq: 1 << 52, ..head };
    let bytes = Envelope::sign(&future, &[&bench.release_key]).to_bytes();
    store.swap(&Key::Head(service()), bytes, None).await.unwrap();
    let standing = releases.standing(&service()).await.unwrap().unwrap();
    let next = releases
        .put_release(NewRelease { bundle: Digest::of(b"tar"), ..new(&encodings, "2") }, Some(&standing))
        .await
        .unwrap();
    assert_eq!(next.seq, future.seq + 1);
}

async fn releases(bench: &Bench) -> Releases {
    let root = std::fs::read(bench.path("root.json")).unwrap();
    let trust = Trust::begin(bench.root, &root).unwrap();
    let key = SigningKey::from_text(&bench.release_key.to_text()).unwrap();
    Releases::new(bench.store().await, trust, vec![key])
}

fn new(encodings: &[cdn::document::Stored], commit: &str) -> NewRelease {
    NewRelease {
        service: service(),
        namespace: "web".to_owned(),
        revision: Revision { id: commit.to_owned(), subject: String::new(), time: None },
        bundle: Digest::of(b"tar"),
        length: 3,
        objects: 1,
        encodings: encodings.to_vec(),
    }
}

/// Every prefix of the steps, as a kill leaves it: readers see the old head or the new one, and a new run ends the work.
#[tokio::test]
async fn c6_a_publisher_killed_between_two_steps_leaves_no_pointer_to_nothing() {
    for steps in 0..=3 {
        let bench = Bench::new();
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), "a.yaml", map("a", "1"));
        let wanted = from_folder(folder.path(), "");
        let before = bench.publisher().await.publish(&wanted, &Silent).await.unwrap();
        write(folder.path(), "a.yaml", map("a", "2"));
        let rendered = crate::bench::Bay::new().await.render(wanted.clone()).await.unwrap();
        let releases = releases(&bench).await;
        let standing = releases.standing(&service()).await.unwrap();
        if steps > 0 {
            let (encodings, _) = releases.put_content(&rendered.tar).await.unwrap();
            if steps > 1 {
                let new = NewRelease {
                    bundle: rendered.digest,
                    length: rendered.tar.len() as u64,
                    revision: rendered.revision.clone(),
                    ..new(&encodings, "")
                };
                let head = releases.put_release(new, standing.as_ref()).await.unwrap();
                if steps > 2 {
                    releases.move_head(head, standing.as_ref()).await.unwrap();
                }
            }
        }
        // Whatever the head says can be read in full.
        let standing = releases.standing(&service()).await.unwrap().unwrap();
        assert_eq!(standing.head().bundle, if steps < 3 { before.bundle } else { rendered.digest });
        let (verified, _) = releases.release_of(&standing).await.unwrap().unwrap();
        for stored in verified.encodings() {
            releases.store().get(&Key::Object(stored.digest)).await.unwrap().unwrap();
        }
        // A new run ends the work, and a further one has nothing to do.
        let publisher = bench.publisher().await;
        let after = publisher.publish(&wanted, &Silent).await.unwrap();
        assert_eq!(after.bundle, rendered.digest, "after {steps} steps");
        let stored = bench.stored();
        publisher.publish(&wanted, &Silent).await.unwrap();
        assert_eq!(bench.stored(), stored);
    }
}

#[tokio::test]
async fn c6_a_release_that_the_api_has_not_heard_of_is_registered_by_the_next_run() {
    let bench = Bench::new();
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "a.yaml", map("a", "1"));
    let wanted = from_folder(folder.path(), "");
    bench.publisher().await.publish(&wanted, &Silent).await.unwrap();
    let api = Api::start().await;
    let token = bench.path("token");
    std::fs::write(&token, TOKEN).unwrap();
    let settings = publisher::Settings {
        api: Some(api.url.clone()),
        token_file: Some(token),
        ..bench.settings("cache")
    };
    api.away(true);
    let publisher = Publisher::open(&settings).await.unwrap();
    let done = publisher.publish(&wanted, &Silent).await.unwrap();
    assert_eq!((done.outcome, done.registered), (Outcome::Unchanged, Some(false)));
    api.away(false);
    let done = publisher.publish(&wanted, &Silent).await.unwrap();
    assert_eq!(done.registered, Some(true));
    assert_eq!(api.releases().keys().collect::<Vec<_>>(), [&done.release]);
}

#[tokio::test]
async fn a11_a_next_root_that_is_none_stops_no_publisher() {
    let bench = Bench::new();
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "a.yaml", map("a", "1"));
    let wanted = from_folder(folder.path(), "");
    let stranger = std::fs::read(Bench::new().path("root.json")).unwrap();
    for garbage in [b"{}".to_vec(), stranger, vec![b' '; 10 << 20]] {
        write(&bench.path("store"), &Key::Root(2).path(), garbage);
        let publisher = bench.publisher().await;
        publisher.follow_roots().await.unwrap();
        publisher.publish(&wanted, &Silent).await.unwrap();
    }
    assert_eq!(head_of(&bench).await.service, service());
}

#[tokio::test]
async fn a_head_that_no_publisher_has_signed_is_refused_and_left_alone() {
    let bench = Bench::new();
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "a.yaml", map("a", "1"));
    let wanted = from_folder(folder.path(), "");
    let publisher = bench.publisher().await;
    publisher.publish(&wanted, &Silent).await.unwrap();
    let store = bench.store().await;
    let key = Key::Head(service());
    let found = store.get(&key).await.unwrap().unwrap();
    let head: Head = Envelope::claim(&found.bytes).unwrap();
    let forged =
        Envelope::sign(&Head { commit: "forged".to_owned(), ..head }, &[&SigningKey::random()]).to_bytes();
    store.swap(&key, forged.clone(), Some(&found.version)).await.unwrap();
    write(folder.path(), "a.yaml", map("a", "2"));
    let refused = publisher.publish(&wanted, &Silent).await.unwrap_err();
    assert!(matches!(&refused, PublishError::Release(ReleaseError::Untrusted { .. })), "{refused}");
    assert_eq!(refused.outcome(), Outcome::Refused);
    assert_eq!(store.get(&key).await.unwrap().unwrap().bytes, forged);
}

#[tokio::test]
async fn whoever_has_another_fleet_s_root_is_told_of_its_own_key_and_not_of_the_store_s_heads() {
    let (bench, other) = (Bench::new(), Bench::new());
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "a.yaml", map("a", "1"));
    let wanted = from_folder(folder.path(), "");
    let publisher = bench.publisher().await;
    publisher.publish(&wanted, &Silent).await.unwrap();
    std::fs::copy(other.path("root.json"), bench.path("root.json")).unwrap();
    write(folder.path(), "a.yaml", map("a", "2"));
    let stranger = Publisher::open(&bench.settings("cache-of-the-stranger")).await.unwrap();
    let refused = stranger.publish(&wanted, &Silent).await.unwrap_err();
    assert!(matches!(&refused, PublishError::Release(ReleaseError::Keys(_))), "{refused}");
    assert!(refused.to_string().contains(&bench.release_key.public().to_string()), "{refused}");
}

#[tokio::test]
async fn a_key_that_root_does_not_list_signs_nothing_and_says_which_project() {
    let bench = Bench::new();
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "a.yaml", map("a", "1"));
    std::fs::write(bench.path("release.key"), SigningKey::random().to_text().expose()).unwrap();
    let refused = bench
        .publisher()
        .await
        .publish(&from_folder(folder.path(), ""), &Silent)
        .await
        .unwrap_err()
        .to_string();
    assert!(refused.contains("0 of our release keys count for the project `default`"), "{refused}");
    assert!(!bench.stored().iter().any(|path| path.starts_with("v1/head")), "{:?}", bench.stored());
}

/// The same way into a bucket.
#[tokio::test]
async fn a_bucket_holds_what_a_folder_holds() {
    let s3 = testbed::S3::shared().await.unwrap();
    let bucket = s3.create_bucket("publisher").await.unwrap();
    let bench = Bench::new();
    let credentials = format!(
        "[default]\naws_access_key_id = {}\naws_secret_access_key = {}\n",
        s3.access_key, s3.secret_key
    );
    std::fs::write(bench.path("aws"), credentials).unwrap();
    let store = store::StoreArgs {
        store: format!("s3://{bucket}/fleet").parse().unwrap(),
        s3_endpoint: Some(s3.endpoint.clone()),
        s3_region: Some(s3.region.clone()),
        s3_credentials_file: Some(bench.path("aws")),
        s3_ca_file: None,
    };
    let settings = publisher::Settings { store, ..bench.settings("cache-of-the-bucket") };
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "a.yaml", map("a", "1"));
    let wanted = from_folder(folder.path(), "");
    let publisher = Publisher::open(&settings).await.unwrap();
    let first = publisher.publish(&wanted, &Silent).await.unwrap();
    assert!(first.put_bytes > 0);
    write(folder.path(), "a.yaml", map("a", "2"));
    let second = publisher.publish(&wanted, &Silent).await.unwrap();
    assert_eq!(second.outcome, Outcome::Published);
    let in_folder = bench.publisher().await.publish(&wanted, &Silent).await.unwrap();
    assert_eq!(in_folder.bundle, second.bundle);
    publisher.close().await;
}
