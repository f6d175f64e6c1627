//! What is released is read as everybody reads it before its head moves: through an nginx that caches as a CDN does, in
//! front of an nginx that serves the store (FAULTS C9).

use cdn::document::Release;
use cdn::envelope::Envelope;
use cdn::wire::{Outcome, WantedService};
use cdn::{Digest, Key};
use program::progress::Silent;
use publisher::release::ReleaseError;
use publisher::{PublishError, Publisher, Settings};
use tempfile::TempDir;
use testbed::Nginx;

use crate::bench::{Bench, from_folder};
use crate::repo::{map, write};

/// A store, what serves it, and an edge before that.
struct Served {
    bench: Bench,
    folder: TempDir,
    origin: Nginx,
    edge: Nginx,
}

impl Served {
    async fn new() -> Self {
        let (bench, folder) = (Bench::new(), tempfile::tempdir().unwrap());
        bench.store().await;
        let origin = Nginx::files(&bench.path("store")).await.unwrap();
        let edge = Nginx::cdn(&origin.url).await.unwrap();
        let served = Self { bench, folder, origin, edge };
        served.say("1");
        served
    }

    fn say(&self, value: &str) {
        write(self.folder.path(), "a.yaml", map("a", value));
    }

    fn wanted(&self) -> WantedService {
        from_folder(self.folder.path(), "")
    }

    async fn publisher(&self) -> Publisher {
        let public_origin = Some(format!("{}/", self.edge.url));
        let settings = Settings { public_origin, ..self.bench.settings("cache") };
        settings.check().unwrap();
        Publisher::open(&settings).await.unwrap()
    }

    async fn head(&self) -> Option<Vec<u8>> {
        let key = Key::Head("default/web".parse().unwrap());
        self.bench.store().await.get(&key).await.unwrap().map(|found| found.bytes.to_vec())
    }
}

#[tokio::test]
async fn c9_a_release_and_its_content_are_read_through_the_edge_before_the_head_moves() {
    let served = Served::new().await;
    let done = served.publisher().await.publish(&served.wanted(), &Silent).await.unwrap();
    assert_eq!(done.outcome, Outcome::Published);
    let asked: Vec<String> =
        served.origin.served().await.unwrap().into_iter().map(|served| served.path).collect();
    let mut objects: Vec<String> =
        served.bench.stored().into_iter().filter(|path| path.starts_with("v1/o/")).collect();
    assert_eq!(objects.len(), 3, "two encodings and the release");
    assert!(asked.contains(&Key::Object(done.release).to_string()), "{asked:?}");
    objects.retain(|object| !asked.contains(&format!("/{object}")));
    assert!(objects.is_empty(), "{objects:?} of {asked:?}");
}

#[tokio::test]
async fn c9_what_the_edge_does_not_give_stays_without_a_head_until_it_does() {
    let mut served = Served::new().await;
    let publisher = served.publisher().await;
    served.origin.stop().await.unwrap();
    served.edge.stop().await.unwrap();
    let refused = publisher.publish(&served.wanted(), &Silent).await.unwrap_err();
    assert!(matches!(&refused, PublishError::Release(ReleaseError::NotPublic(_))), "{refused}");
    assert!(
        refused.to_string().contains("--public-origin") && refused.outcome() == Outcome::Failed,
        "{refused}"
    );
    assert_eq!(served.head().await, None);
    // While it comes back, the same look is patient enough.
    let back = async {
        served.origin.start_again().await.unwrap();
        served.edge.start_again().await.unwrap();
    };
    let wanted = from_folder(served.folder.path(), "");
    let (done, ()) = tokio::join!(publisher.publish(&wanted, &Silent), back);
    assert_eq!(done.unwrap().outcome, Outcome::Published);
    assert!(served.head().await.is_some());
}

#[tokio::test]
async fn c9_other_bytes_at_the_edge_are_not_what_was_put() {
    let served = Served::new().await;
    // The same content from another fleet tells what it is stored as.
    let another = Bench::new();
    let known = another.publisher().await.publish(&served.wanted(), &Silent).await.unwrap();
    let envelope = another.store().await.get(&Key::Object(known.release)).await.unwrap().unwrap().bytes;
    let release: Release = Envelope::claim(&envelope).unwrap();
    let spoiled = tempfile::tempdir().unwrap();
    write(spoiled.path(), &Key::Object(release.encodings[0].digest).path(), "other bytes");
    let edge = Nginx::files(spoiled.path()).await.unwrap();
    let settings = Settings { public_origin: Some(edge.url.clone()), ..served.bench.settings("cache") };
    let publisher = Publisher::open(&settings).await.unwrap();
    let refused = publisher.publish(&served.wanted(), &Silent).await.unwrap_err();
    assert!(matches!(&refused, PublishError::Release(ReleaseError::NotPublic(_))), "{refused}");
    assert!(refused.to_string().contains(&Digest::of(b"other bytes").to_string()), "{refused}");
    assert_eq!(served.head().await, None);
}
