//! Passes and their steps, on a folder.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cdn::document::{HoldReason, RemovalMode};
use tokio::sync::watch;

use super::applier::{Applier, Done};
use super::{Bounds, Parts, Syncer};
use crate::directory::Directory;
use crate::inventory::Inventory;
use crate::outcome::{Ended, Outcome};
use crate::plan::tests::world::{World, config, named};
use crate::plan::{Apply, Budget, How, Phase, Prune};
use crate::state::State;
use crate::status::{Shared, Status};
use crate::target::{Address, Live, Target};

const BOUNDS: Bounds = Bounds {
    interval: Duration::from_mins(2),
    concurrency: 4,
    definitions: Duration::from_secs(1),
    pass: Duration::from_mins(5),
};

/// A folder, and a loop that makes it so.
struct Bench {
    folder: tempfile::TempDir,
    target: Arc<Target>,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let directory = Directory::open(&folder.path().join("target"), true).unwrap();
        Self { folder, target: Arc::new(Target::Directory(directory)) }
    }

    /// A loop that had an assignment on disk, and has no inventory.
    async fn syncer(&self) -> Syncer {
        Syncer::new(Parts {
            target: Arc::clone(&self.target),
            budget: Budget::default(),
            bounds: BOUNDS,
            state: Arc::new(self.state()),
            home: self.target.home().await.unwrap(),
            holder: String::new(),
            trusted: true,
            status: Arc::new(Shared::new(watch::Sender::new(Status::default()))),
        })
    }

    fn state(&self) -> State {
        State::open(&self.folder.path().join("state"), 0).unwrap()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(format!("target/web_ConfigMap_{name}.json"))
    }
}

/// What there is to apply for a service of these objects.
fn applies(names: &[&str]) -> Vec<Apply> {
    let mut world = World::new();
    world.set("web", names.iter().map(|name| config(name, "1")));
    world.plan().applies
}

async fn pass(syncer: &mut Syncer, world: &World) -> Outcome {
    let (_sender, news) = watch::channel(None);
    Box::pin(syncer.pass(&Arc::new(world.wanted.clone()), news)).await
}

fn is_lost(outcome: &Outcome) -> bool {
    outcome.held.iter().any(|held| held.reason == HoldReason::TrustLost)
}

#[test]
fn l7_a_pass_that_begins_before_its_claim_is_renewed_ends_within_the_claim() {
    let second = Duration::from_secs(1);
    for (interval, pass) in [(1, 1), (1, 300), (120, 300), (3600, 1)] {
        let bounds = Bounds { interval: interval * second, pass: pass * second, ..BOUNDS };
        let third = bounds.claim() / 3;
        assert!(third + bounds.pass * super::WHOLE <= bounds.claim(), "{bounds:?}");
        assert!(third >= bounds.interval && bounds.claim() >= 60 * second, "{bounds:?}");
    }
}

#[tokio::test]
async fn f22_a_pass_that_looked_at_nothing_is_no_clean_one() {
    let bench = Bench::new();
    let mut syncer = bench.syncer().await;
    let mut world = World::new();
    world.set("web", [config("a", "1")]);
    world.wanted.services.get_mut(&named("web")).unwrap().loaded = None;
    world.remove("gone", RemovalMode::Delete);
    for _ in 0..3 {
        let outcome = pass(&mut syncer, &world).await;
        assert!(is_lost(&outcome), "its release is still on its way");
        assert!(outcome.removed.is_empty(), "what was lost may have had something of it");
    }
    world.set("web", [config("a", "1")]);
    pass(&mut syncer, &world).await;
    let outcome = pass(&mut syncer, &world).await;
    assert!(!is_lost(&outcome));
    assert_eq!(outcome.removed, [named("gone")]);
}

/// Whoever reads an older copy of its own, and the newer one not, must not write over that (law L7).
#[tokio::test]
async fn l7_an_inventory_that_cannot_be_read_just_now_is_neither_guessed_nor_written_over() {
    let bench = Bench::new();
    let mut world = World::new();
    let mut syncer = bench.syncer().await;
    world.set("web", [config("a", "1")]);
    pass(&mut syncer, &world).await;
    let older = bench.folder.path().join("state/inventory.json");
    let kept = std::fs::read(&older).unwrap();
    world.set("web", [config("a", "1"), config("b", "1")]);
    pass(&mut syncer, &world).await;
    drop(syncer);
    std::fs::write(&older, kept).unwrap();
    let index = bench.folder.path().join("target/.windlass/inventory");
    let newer = std::fs::read(&index).unwrap();
    std::fs::remove_file(&index).unwrap();
    std::fs::create_dir(&index).unwrap();

    let mut syncer = bench.syncer().await;
    world.set("web", [config("a", "1"), config("c", "1")]);
    std::fs::write(bench.path("a"), "damaged").unwrap();
    let outcome = pass(&mut syncer, &world).await;
    assert!(outcome.held.iter().any(|held| held.message.contains("inventory cannot be read")), "{outcome:?}");
    assert_ne!(std::fs::read(bench.path("a")).unwrap(), b"damaged", "what runs is repaired all the same");
    assert!(bench.path("b").exists(), "nothing goes before all that is ours is known");
    assert!(bench.path("c").exists(), "the copy on disk has noted it");
    assert!(index.is_dir());

    std::fs::remove_dir(&index).unwrap();
    std::fs::write(&index, newer).unwrap();
    world.set("web", [config("a", "1")]);
    let outcome = pass(&mut syncer, &world).await;
    assert!(outcome.held.is_empty(), "{outcome:?}");
    assert!(!bench.path("b").exists(), "the copy in the target knew that it is ours");
    assert!(!bench.path("c").exists(), "and the one on disk what was made meanwhile");
}

#[tokio::test]
async fn l7_a_copy_on_disk_that_cannot_be_read_just_now_is_not_written_over_either() {
    let bench = Bench::new();
    let mut world = World::new();
    world.set("web", [config("a", "1"), config("b", "1")]);
    pass(&mut bench.syncer().await, &world).await;
    let copy = bench.folder.path().join("state/inventory.json");
    let kept = std::fs::read(&copy).unwrap();
    std::fs::remove_file(&copy).unwrap();
    // Whoever follows it gets nowhere.
    std::os::unix::fs::symlink(&copy, &copy).unwrap();

    let mut syncer = bench.syncer().await;
    world.set("web", [config("a", "1"), config("c", "1")]);
    std::fs::write(bench.path("a"), "damaged").unwrap();
    let outcome = pass(&mut syncer, &world).await;
    assert!(outcome.held.iter().any(|held| held.reason == HoldReason::StateUnwritable), "{outcome:?}");
    assert_ne!(std::fs::read(bench.path("a")).unwrap(), b"damaged");
    assert!(bench.path("b").exists() && bench.path("c").exists());
    assert!(std::fs::read(&copy).is_err());

    std::fs::remove_file(&copy).unwrap();
    std::fs::write(&copy, kept).unwrap();
    let outcome = pass(&mut syncer, &world).await;
    assert!(outcome.held.is_empty(), "{outcome:?}");
    assert!(!bench.path("b").exists());
}

/// With nothing to go on, what the target holds has to be known first: Jobs that have run would run again.
#[tokio::test]
async fn f7_a_start_from_nothing_makes_nothing_before_the_targets_inventory_is_read() {
    let bench = Bench::new();
    let mut world = World::new();
    world.set("web", [config("a", "1")]);
    let index = bench.folder.path().join("target/.windlass/inventory");
    std::fs::create_dir(&index).unwrap();
    bench.state().note_lost().unwrap();
    let mut syncer = bench.syncer().await;
    let outcome = pass(&mut syncer, &world).await;
    assert_eq!(outcome.result, Ended::Failed, "{outcome:?}");
    assert!(!bench.path("a").exists());
    std::fs::remove_dir(&index).unwrap();
    pass(&mut syncer, &world).await;
    assert!(bench.path("a").exists());
}

#[tokio::test]
async fn l7_what_a_pass_expected_that_broke_off_is_noted_before_it_is_made() {
    let bench = Bench::new();
    let mut world = World::new();
    let mut syncer = bench.syncer().await;
    world.set("web", [config("a", "1")]);
    pass(&mut syncer, &world).await;
    world.set("web", [config("a", "1"), config("b", "1")]);
    let address = world.plan().applies.into_iter().map(|apply| apply.address).find(|at| at.id.name == "b");
    syncer.books.inventory.expect(&named("web"), &address.unwrap());
    let copies =
        ["state/inventory.json", "target/.windlass/inventory"].map(|at| bench.folder.path().join(at));
    for copy in &copies {
        std::fs::remove_file(copy).unwrap();
        std::fs::create_dir_all(copy.join("in the way")).unwrap();
    }
    std::fs::write(bench.path("a"), "damaged").unwrap();
    let outcome = pass(&mut syncer, &world).await;
    assert!(!bench.path("b").exists(), "{outcome:?}");
    assert_ne!(
        std::fs::read(bench.path("a")).unwrap(),
        b"damaged",
        "what was made once is repaired from memory"
    );
    for copy in &copies {
        std::fs::remove_dir_all(copy).unwrap();
    }
    pass(&mut syncer, &world).await;
    assert!(bench.path("b").exists());
}

#[tokio::test]
async fn i12_the_loop_stops_at_once_though_nobody_brings_news_any_more() {
    let bench = Bench::new();
    let (sender, news) = watch::channel(None);
    let stop = tokio_util::sync::CancellationToken::new();
    let running = bench.syncer().await.run(news, stop.clone());
    let stopping = async move {
        drop(sender);
        // It has noticed by now.
        tokio::time::sleep(Duration::from_millis(100)).await;
        stop.cancel();
    };
    let both = async { tokio::join!(Box::pin(running), stopping).0 };
    let ended = tokio::time::timeout(Duration::from_secs(20), both).await;
    ended.expect("not after an interval").unwrap();
}

#[tokio::test]
async fn l1_what_runs_is_not_taken_back_by_passes_that_have_only_an_older_release() {
    let bench = Bench::new();
    let mut syncer = bench.syncer().await;
    let mut world = World::new();
    world.set("web", [config("a", "1")]);
    let old = world.wanted.services[&named("web")].loaded.clone();
    world.set("web", [config("a", "2"), config("b", "2")]);
    pass(&mut syncer, &world).await;
    let runs = std::fs::read(bench.path("a")).unwrap();
    let release = world.wanted.services[&named("web")].entry.release;
    world.wanted.services.get_mut(&named("web")).unwrap().loaded = old;
    for _ in 0..3 {
        let outcome = pass(&mut syncer, &world).await;
        assert_eq!(outcome.services[&named("web")].release, Some(release));
        assert_eq!(std::fs::read(bench.path("a")).unwrap(), runs);
        assert!(bench.path("b").exists());
    }
}

#[tokio::test]
async fn f40_nothing_is_deleted_for_an_assignment_that_is_no_longer_the_newest() {
    let bench = Bench::new();
    let apply = &applies(&["a"])[0];
    let Live { uid, resource_version, .. } = bench.target.apply(&apply.prepared).await.unwrap().live;
    let prune = Prune {
        service: named("web"),
        address: Address { id: apply.address.id.clone(), version: "v1".into() },
        uid,
        resource_version,
        how: How::Delete,
        phase: Phase::Config,
    };
    for is_newest in [false, true] {
        let (sender, news) = watch::channel(None);
        if !is_newest {
            sender.send_replace(None);
        }
        let mut inventory = Inventory::default();
        let mut hands = Applier {
            target: &bench.target,
            inventory: &mut inventory,
            bounds: BOUNDS,
            until: Instant::now() + BOUNDS.pass,
            later: BTreeSet::new(),
            news,
            done: Done::default(),
        };
        hands.prune(vec![prune.clone()]).await;
        assert_eq!(hands.done.superseded, !is_newest);
        assert_eq!(bench.path("a").exists(), !is_newest);
    }
}

#[tokio::test]
async fn f9_what_there_is_no_time_for_is_said_and_comes_before_what_was_refused() {
    let bench = Bench::new();
    let applies = applies(&["a", "b"]);
    let refused = applies[0].address.id.clone();
    let mut inventory = Inventory::default();
    let (_sender, news) = watch::channel(None);
    let mut hands = Applier {
        target: &bench.target,
        inventory: &mut inventory,
        bounds: BOUNDS,
        until: Instant::now(),
        later: BTreeSet::from([refused.clone()]),
        news,
        done: Done::default(),
    };
    hands.apply(applies).await;
    let held: Vec<_> = hands.done.held.iter().map(|held| (held.reason, held.object.as_ref())).collect();
    assert_eq!(held.len(), 2);
    assert!(held.iter().all(|(reason, _)| *reason == HoldReason::ApplyFailed));
    assert_eq!(held[1].1, Some(&refused), "what was refused in the last pass goes last");
    assert!(hands.done.retry && hands.done.failed.contains(&named("web")));
    assert!(hands.done.refused.is_empty(), "it was not tried");
    assert!(!bench.path("a").exists() && !bench.path("b").exists());
}
