//! What waits for what.

use cdn::Digest;
use cdn::document::{Health, HoldReason};
use serde_json::json;

use super::world::{named, reasons};
use super::{World, config, id, object};
use crate::plan::Cause;

#[test]
fn a_service_waits_until_what_it_depends_on_is_applied_and_healthy() {
    let mut world = World::new();
    world.set("base", [config("a", "1")]);
    world.set("web", [config("b", "1")]).depends_on.push(named("base"));
    let plan = world.plan();
    assert_eq!(reasons(&plan), [HoldReason::DependencyNotReady]);
    assert_eq!(plan.applies.len(), 1);
    world.take(&plan);
    world.there.get_mut(&id("base", "a")).unwrap().health = Health::Progressing;
    assert_eq!(reasons(&world.plan()), [HoldReason::DependencyNotReady]);
    world.there.get_mut(&id("base", "a")).unwrap().health = Health::Healthy;
    assert!(world.settle().held.is_empty());
    assert!(world.there.contains_key(&id("web", "b")));
}

#[test]
fn what_already_runs_is_repaired_while_what_it_depends_on_is_ill() {
    let mut world = World::new();
    world.set("base", [config("a", "1")]);
    world.set("web", [config("b", "1")]).depends_on.push(named("base"));
    world.settle();
    world.there.get_mut(&id("base", "a")).unwrap().health = Health::Degraded;
    world.there.remove(&id("web", "b"));
    assert!(world.settle().held.is_empty(), "what runs waits for nothing");
    assert!(world.there.contains_key(&id("web", "b")));
    // Also while a newer release of it waits: what did not change in it is repaired.
    world.set("web", [config("b", "1"), config("new", "1")]).depends_on.push(named("base"));
    world.there.remove(&id("web", "b"));
    let plan = world.plan();
    assert_eq!(plan.applies.iter().map(|apply| apply.cause).collect::<Vec<_>>(), [Cause::Drift]);
    world.take(&plan);
    assert_eq!(reasons(&world.plan()), [HoldReason::DependencyNotReady]);
}

fn wave(name: &str, wave: &str, text: &str) -> cdn::Object {
    object(&json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"a": text},
        "metadata": {"name": name, "annotations": {"argocd.argoproj.io/sync-wave": wave}}}))
}

#[test]
fn a_wave_waits_until_the_one_before_it_is_healthy() {
    let mut world = World::new();
    let objects = |text| [wave("first", "-1", text), config("second", text), wave("third", "2", text)];
    world.set("web", objects("1"));
    for (name, made) in [("first", 1), ("second", 2), ("third", 3)] {
        let plan = world.plan();
        assert_eq!(plan.applies.len(), 1);
        assert!(!plan.services[&named("web")].synced);
        world.take(&plan);
        assert_eq!(world.there.len(), made);
        world.there.get_mut(&id("web", name)).unwrap().health = Health::Progressing;
        assert!(world.plan().applies.is_empty() || made == 3);
        world.there.get_mut(&id("web", name)).unwrap().health = Health::Healthy;
    }
    assert!(world.settle().services[&named("web")].synced);
    // A repair of a later wave waits for nothing.
    world.there.get_mut(&id("web", "first")).unwrap().health = Health::Degraded;
    world.there.get_mut(&id("web", "third")).unwrap().content = Digest::of(b"edited");
    assert_eq!(world.plan().applies.len(), 1);
}

#[test]
fn a_wave_below_zero_that_is_not_healthy_holds_the_usual_one_back() {
    let mut world = World::new();
    world.set("web", [wave("first", "-1", "1"), config("second", "1")]);
    let plan = world.plan();
    world.take(&plan);
    world.there.get_mut(&id("web", "first")).unwrap().health = Health::Progressing;
    let plan = world.plan();
    assert!(plan.applies.is_empty() && plan.services[&named("web")].waits);
    world.there.get_mut(&id("web", "first")).unwrap().health = Health::Healthy;
    assert!(world.settle().services[&named("web")].synced);
}

#[test]
fn f38_what_is_not_applied_in_a_pass_counts_as_it_is() {
    let mut world = World::new();
    world.set("web", [config("a", "1"), config("stuck", "1")]);
    world.settle();
    world.there.get_mut(&id("web", "stuck")).unwrap().health = Health::Progressing;
    world.there.get_mut(&id("web", "a")).unwrap().content = Digest::of(b"edited");
    let plan = world.plan();
    assert_eq!(plan.applies.len(), 1);
    assert_eq!(plan.services[&named("web")].rest, Health::Progressing, "a repair makes nothing else healthy");
    // Nor does what was put off.
    let mut world = World::new();
    world.set("web", [wave("first", "-1", "1"), wave("second", "0", "1")]);
    let plan = world.plan();
    assert_eq!((plan.applies.len(), plan.services[&named("web")].rest), (1, Health::Progressing));
}

#[test]
fn where_health_is_unknown_waves_are_an_order_in_one_pass() {
    let mut world = World::new();
    world.rails.abilities.knows_health = false;
    world.set("web", [wave("b", "-1", "1"), config("a", "1"), wave("c", "2", "1")]);
    let plan = world.plan();
    let names: Vec<_> = plan.applies.iter().map(|apply| apply.address.id.name.as_str()).collect();
    assert_eq!(names, ["b", "a", "c"]);
}

#[test]
fn services_that_wait_for_each_other_say_so_and_break_nothing() {
    let mut world = World::new();
    world.set("a", [config("a", "1")]).depends_on.push(named("b"));
    world.set("b", [config("b", "1")]).depends_on.push(named("a"));
    let plan = world.settle();
    assert_eq!(reasons(&plan), [HoldReason::DependencyNotReady; 2]);
    assert!(world.there.is_empty());
}
