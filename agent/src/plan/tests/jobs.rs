//! Jobs that have run, and are not run again (FAULTS F7).

use cdn::ObjectId;
use cdn::document::{Health, HoldReason};
use serde_json::{Value, json};

use super::world::{named, reasons};
use super::{World, config, id, object};
use crate::target::Finish;

fn job(image: &str) -> Value {
    json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "migrate", "namespace": "x"},
        "spec": {"template": {"spec": {"containers": [{"image": image}]}}}})
}

fn with_ttl(image: &str) -> Value {
    let mut job = job(image);
    job["spec"]["ttlSecondsAfterFinished"] = json!(60);
    job
}

fn key() -> ObjectId {
    ObjectId { group: "batch".into(), kind: "Job".into(), ..id("x", "migrate") }
}

/// The Job ends, an agent sees it, and it is removed.
fn ends(world: &mut World, finish: Finish) {
    let live = world.there.get_mut(&key()).unwrap();
    live.finished = Some(finish);
    live.health = if finish == Finish::Failed { Health::Degraded } else { Health::Healthy };
    world.settle();
    world.there.remove(&key());
}

#[test]
fn f7_a_finished_job_that_is_gone_is_not_run_again_until_it_changes() {
    for (of, seen) in [(job as fn(&str) -> Value, true), (with_ttl, true), (with_ttl, false)] {
        let mut world = World::new();
        world.set("web", [object(&of("a"))]);
        world.settle();
        if seen {
            ends(&mut world, Finish::Completed);
        }
        world.there.remove(&key());
        for _ in 0..20 {
            world.settle();
        }
        assert!(!world.there.contains_key(&key()), "seen: {seen}");
        world.set("web", [object(&of("b"))]);
        world.settle();
        assert!(world.there.contains_key(&key()));
    }
}

#[test]
fn a_job_that_somebody_deletes_before_it_finished_is_made_again() {
    let mut world = World::new();
    world.set("web", [object(&job("a"))]);
    world.settle();
    world.there.remove(&key());
    world.settle();
    assert!(world.there.contains_key(&key()));
}

#[test]
fn f7_a_job_that_was_adopted_is_not_run_again_either() {
    let mut world = World::new();
    world.foreign(key());
    world.set("web", [object(&job("a"))]);
    world.settle();
    ends(&mut world, Finish::Completed);
    world.settle();
    assert!(!world.there.contains_key(&key()));
}

#[test]
fn f15_a_job_that_has_run_is_not_run_again_by_a_service_that_takes_it_over() {
    for ttl in [false, true] {
        let of = if ttl { with_ttl } else { job };
        for renamed in [false, true] {
            let mut world = World::new();
            world.set("old", [object(&of("a")), config("own", "1")]);
            world.settle();
            ends(&mut world, Finish::Completed);
            if renamed {
                world.unset("old");
                world.set("team/new", [object(&of("a"))]).options.formerly.push(named("old"));
            } else {
                world.set("old", [config("own", "1")]);
                world.set("new", [object(&of("a"))]);
            }
            world.settle();
            assert!(!world.there.contains_key(&key()), "renamed: {renamed}");
            let new = named(if renamed { "team/new" } else { "new" });
            assert!(world.inventory.entry(&new, &key()).is_some(), "and who has it now remembers");
            assert!(world.inventory.entry(&named("old"), &key()).is_none());
        }
    }
}

#[test]
fn f14_a_job_that_has_run_is_remembered_until_the_release_that_may_take_it_over_is_here() {
    let mut world = World::new();
    world.set("old", [object(&job("a")), config("own", "1")]);
    world.set("new", [config("own", "1")]);
    world.settle();
    ends(&mut world, Finish::Completed);
    world.set("old", [config("own", "1")]);
    world.assign("new", None);
    world.settle();
    world.set("new", [config("own", "1"), object(&job("a"))]);
    world.settle();
    assert!(!world.there.contains_key(&key()));
}

#[test]
fn f7_another_projects_job_of_the_same_name_is_another_job() {
    let mut world = World::new();
    world.set("old", [object(&job("a"))]);
    world.settle();
    ends(&mut world, Finish::Completed);
    world.unset("old");
    world.set("team/new", [object(&job("a"))]);
    world.settle();
    assert!(world.there.contains_key(&key()));
}

/// What becomes of a service that depends on one whose Job ended so, and was removed then.
fn dependent(of: fn(&str) -> Value, finish: Option<Finish>) -> (World, Vec<HoldReason>) {
    let mut world = World::new();
    world.set("base", [object(&of("a")), config("own", "1")]);
    world.set("web", [config("b", "1")]).depends_on.push(named("base"));
    let plan = world.plan();
    world.take(&plan);
    world.there.get_mut(&key()).unwrap().health = Health::Progressing;
    world.settle();
    if let Some(finish) = finish {
        ends(&mut world, finish);
    }
    world.there.remove(&key());
    // The first look at its absence is as good as any later one.
    let first = world.plan();
    world.take(&first);
    assert!(!world.there.contains_key(&key()));
    let plan = world.settle();
    (world, reasons(&plan))
}

#[test]
fn f7_what_depends_on_a_job_goes_on_only_once_it_was_seen_to_complete() {
    let (world, held) = dependent(job, Some(Finish::Completed));
    assert!(held.is_empty() && world.there.contains_key(&id("web", "b")));
    for (of, finish, health) in [
        (job as fn(&str) -> Value, Some(Finish::Failed), Health::Degraded),
        (with_ttl, Some(Finish::Failed), Health::Degraded),
        (with_ttl, None, Health::Unknown),
    ] {
        let (world, held) = dependent(of, finish);
        assert_eq!(held, [HoldReason::DependencyNotReady], "{finish:?}");
        assert!(!world.there.contains_key(&id("web", "b")));
        assert_eq!(world.plan().services[&named("base")].health, health);
    }
}

#[test]
fn f7_a_later_wave_goes_on_only_once_a_job_was_seen_to_complete() {
    for (finish, goes_on) in [(Some(Finish::Completed), true), (Some(Finish::Failed), false), (None, false)] {
        let mut first = with_ttl("a");
        first["metadata"]["annotations"] = json!({"windlass.dev/wave": "-1"});
        let deployment = json!({"apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "web", "namespace": "x"}});
        let mut world = World::new();
        world.set("web", [object(&first), object(&deployment)]);
        let plan = world.plan();
        world.take(&plan);
        world.there.get_mut(&key()).unwrap().health = Health::Progressing;
        assert!(world.plan().applies.is_empty(), "the wave before is not done");
        if let Some(finish) = finish {
            let live = world.there.get_mut(&key()).unwrap();
            live.finished = Some(finish);
            live.health = Health::Degraded;
            let plan = world.plan();
            world.take(&plan);
        }
        world.there.remove(&key());
        world.settle();
        let is_there = world.there.keys().any(|id| id.kind == "Deployment");
        assert_eq!(is_there, goes_on, "{finish:?}");
    }
}
