//! Objects that change hands: between services, from whoever had them before us, and back.

use cdn::document::{HoldReason, RemovalMode};
use serde_json::json;

use super::world::{named, reasons};
use super::{World, config, id, object};
use crate::held::Held;
use crate::inventory::Inventory;
use crate::plan::Cause;
use crate::target::OwnerMark;

#[test]
fn f14_an_object_moves_between_services_and_stays_the_same_object() {
    let moving = || {
        object(&json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "m", "namespace": "x"}}))
    };
    let key = id("x", "m");
    for (from, to) in [("a", "b"), ("b", "a")] {
        let mut world = World::new();
        world.set(from, [moving(), config("stays", "1")]);
        world.set(to, [config("own", "1")]);
        world.settle();
        let uid = world.uid(&key);
        world.set(from, [config("stays", "1")]);
        world.set(to, [moving(), config("own", "1")]);
        let plan = world.plan();
        assert!(plan.prunes.is_empty());
        assert_eq!(plan.applies[0].cause, Cause::Transfer);
        assert_eq!(plan.applies[0].prepared.former, [named(from)].into());
        world.settle();
        assert_eq!(world.uid(&key), uid);
        assert_eq!(world.there[&key].owner.as_ref().unwrap().service, named(to));
        assert!(world.inventory.entry(&named(from), &key).is_none());
    }
}

#[test]
fn f14_what_may_be_moving_to_a_release_that_is_not_here_yet_is_not_deleted() {
    let mut world = World::new();
    let moving = || {
        object(&json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "m", "namespace": "x"}}))
    };
    world.set("a", [moving(), config("stays", "1")]);
    world.set("b", [config("own", "1")]);
    world.settle();
    let uid = world.uid(&id("x", "m"));
    world.set("a", [config("stays", "1")]);
    world.assign("b", None);
    assert!(world.plan().prunes.is_empty());
    assert!(world.plan().held.is_empty(), "it is on its way, and nothing is wrong");
    world.assign("b", Some(Held::cluster(HoldReason::ContentUnavailable, "404")));
    assert_eq!(reasons(&world.settle()), [HoldReason::ContentUnavailable, HoldReason::PruneWaits]);
    world.set("b", [config("own", "1"), moving()]);
    world.settle();
    assert_eq!(world.uid(&id("x", "m")), uid);
}

#[test]
fn what_runs_is_not_taken_back_to_an_older_release_that_is_all_there_is() {
    let mut world = World::new();
    world.set("web", [config("a", "1")]);
    let old = world.wanted.services[&named("web")].loaded.clone();
    world.set("web", [config("a", "2"), config("b", "2")]);
    world.settle();
    world.wanted.services.get_mut(&named("web")).unwrap().loaded = old;
    for _ in 0..3 {
        // Each pass notes what it brought about, also one that had nothing to do.
        let plan = world.plan();
        assert!(plan.is_empty() && !plan.services[&named("web")].synced);
        world.take(&plan);
    }
    let text = world.there[&id("web", "a")].content;
    world.set("web", [config("a", "2"), config("b", "2")]);
    assert!(world.plan().is_empty(), "and it is still the release that is assigned");
    assert_eq!((world.there.len(), world.there[&id("web", "a")].content), (2, text));
}

#[test]
fn f14_an_agent_that_died_after_the_transfer_forgets_instead_of_deleting() {
    let mut world = World::new();
    world.set("a", [config("m", "1"), config("stays", "1")]);
    world.settle();
    world.set("a", [config("stays", "1")]);
    // The transfer was made; the inventory that says so was not written.
    let key = id("a", "m");
    let mark = OwnerMark::new(world.wanted.fleet, named("b"), &key);
    world.there.get_mut(&key).unwrap().owner = Some(mark);
    let plan = world.plan();
    assert!(plan.prunes.is_empty());
    assert_eq!(plan.forgets, [(named("a"), key)]);
}

#[test]
fn f15_a_renamed_service_takes_its_objects_along() {
    for said in [true, false] {
        let mut world = World::new();
        world.set("old", [config("a", "1")]);
        world.settle();
        let key = id("old", "a");
        let uid = world.uid(&key);
        world.unset("old");
        let value = json!({"apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "a", "namespace": "old"}, "data": {"a": "1"}});
        let entry = world.set(if said { "team/new" } else { "new" }, [object(&value)]);
        if said {
            // Another project's objects only by the set's own word.
            entry.options.formerly.push(named("old"));
        }
        world.settle();
        assert_eq!(world.uid(&key), uid);
        assert_eq!((world.there.len(), world.inventory.len()), (1, 1));
    }
}

#[test]
fn another_projects_object_is_not_taken_without_a_word() {
    let mut world = World::new();
    world.set("old", [config("a", "1")]);
    world.settle();
    world.unset("old");
    let value =
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "old"}});
    world.set("team/new", [object(&value)]);
    let plan = world.settle();
    assert_eq!(reasons(&plan), [HoldReason::OwnedBy, HoldReason::Unassigned]);
}

#[test]
fn f16_what_was_there_before_us_is_adopted_and_let_go_not_deleted() {
    for lost in [false, true] {
        let mut world = World::new();
        world.foreign(id("web", "a"));
        let uid = world.uid(&id("web", "a"));
        world.set("web", [config("a", "1"), config("b", "1")]);
        assert_eq!(world.plan().applies[0].cause, Cause::Adopt);
        world.settle();
        if lost {
            // The mark on the object says it, even if the inventory cannot.
            world.inventory = Inventory::default();
            world.settle();
        }
        world.remove("web", RemovalMode::Delete);
        world.settle();
        assert_eq!(world.there.keys().collect::<Vec<_>>(), [&id("web", "a")]);
        assert_eq!(world.uid(&id("web", "a")), uid);
        assert_eq!(world.there[&id("web", "a")].owner, None);
    }
}

#[test]
fn f16_an_adopted_object_that_we_made_again_is_ours() {
    let mut world = World::new();
    world.foreign(id("web", "a"));
    world.set("web", [config("a", "1"), config("b", "1")]);
    world.settle();
    world.there.remove(&id("web", "a"));
    world.settle();
    world.remove("web", RemovalMode::Delete);
    world.settle();
    assert!(world.there.is_empty());
}
