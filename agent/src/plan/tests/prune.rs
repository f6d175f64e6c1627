//! What may go, and what may not (law L6).

use cdn::document::{HoldReason, RemovalMode};
use cdn::{Digest, ObjectId};
use serde_json::json;

use super::world::{named, reasons};
use super::{World, config, id, object};
use crate::held::Held;
use crate::inventory::Inventory;
use crate::plan::{Cause, How, Rails};
use crate::target::{OwnerMark, Served};

fn many(count: usize) -> impl Iterator<Item = cdn::Object> {
    (0..count).map(|n| config(&format!("c{n:03}"), "1"))
}

#[test]
fn what_left_the_bundle_is_deleted_with_the_uid_that_was_applied() {
    let mut world = World::new();
    world.set("web", many(20));
    world.settle();
    world.set("web", many(17));
    let plan = world.plan();
    assert_eq!(plan.prunes.len(), 3);
    assert!(plan.prunes.iter().all(|prune| prune.how == How::Delete));
    world.settle();
    assert_eq!((world.there.len(), world.inventory.len()), (17, 17));
}

#[test]
fn f18_more_than_the_budget_is_held_until_exactly_that_is_approved() {
    let mut world = World::new();
    world.set("web", many(500));
    world.settle();
    world.set("web", many(100));
    let plan = world.plan();
    assert!(plan.prunes.is_empty());
    assert_eq!(reasons(&plan), [HoldReason::PruneBudget]);
    let digest = plan.held[0].digest.unwrap();
    world.wanted.approved.insert(Digest::of(b"something else"));
    assert!(world.plan().prunes.is_empty());
    world.wanted.approved.insert(digest);
    world.set("web", many(99));
    assert!(world.plan().prunes.is_empty(), "one more object is another digest");
    world.set("web", many(100));
    world.settle();
    assert_eq!(world.there.len(), 100);
}

#[test]
fn f18_the_budget_is_for_all_services_together_too() {
    let mut world = World::new();
    for service in ["a", "b", "c", "d"] {
        world.set(service, many(6));
    }
    world.settle();
    for service in ["a", "b", "c", "d"] {
        world.set(service, many(3));
    }
    let plan = world.plan();
    assert!(plan.prunes.is_empty());
    assert_eq!(reasons(&plan), [HoldReason::PruneBudget; 4]);
    world.wanted.approved.extend(plan.held[..3].iter().filter_map(|held| held.digest));
    world.settle();
    assert_eq!(world.there.len(), 12);
}

#[test]
fn b9_an_empty_bundle_deletes_nothing() {
    let mut world = World::new();
    world.set("web", many(2));
    world.settle();
    world.set("web", []);
    let plan = world.settle();
    assert_eq!(reasons(&plan), [HoldReason::PruneBudget]);
    assert_eq!(world.there.len(), 2);
}

#[test]
fn f17_protected_kinds_need_a_yes() {
    let namespace = || object(&json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "web"}}));
    let mut world = World::new();
    world.set("web", many(3).chain([namespace()]));
    world.settle();
    world.set("web", many(2));
    let plan = world.settle();
    assert_eq!(reasons(&plan), [HoldReason::NeedsConfirm]);
    assert_eq!(world.there.len(), 3, "what is not protected goes all the same");
    world.wanted.approved.extend(plan.held[0].digest);
    world.settle();
    assert_eq!(world.there.len(), 2);
}

#[test]
fn a_service_that_is_only_missing_is_kept_and_said() {
    let mut world = World::new();
    world.set("web", many(3));
    world.settle();
    world.unset("web");
    let plan = world.settle();
    assert_eq!(reasons(&plan), [HoldReason::Unassigned]);
    assert_eq!((world.there.len(), world.inventory.len()), (3, 3));
}

#[test]
fn a_signed_removal_deletes_or_lets_go() {
    for (mode, left) in [(RemovalMode::Delete, 0), (RemovalMode::Orphan, 30)] {
        let mut world = World::new();
        world.set("web", many(30));
        world.settle();
        world.remove("web", mode);
        assert!(world.plan().removed.is_empty());
        let plan = world.settle();
        assert_eq!(plan.removed, [named("web")]);
        assert_eq!((world.there.len(), world.inventory.len()), (left, 0));
        assert!(world.there.values().all(|live| live.owner.is_none()));
    }
}

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
    let plan = world.settle();
    assert!(!plan.services[&named("web")].synced);
    assert_eq!(world.there.len(), 2);
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

#[test]
fn f1_a_kind_that_is_unknown_is_not_pruned_and_stops_nothing_else() {
    let gauge = json!({"apiVersion": "metrics.example/v1", "kind": "Gauge", "metadata": {"name": "g"}});
    let mut world = World::new();
    world.set("web", many(3).chain([object(&gauge)]));
    world.settle();
    world.odd.insert("Gauge".into(), Served::Unknown("503 from its APIService".into()));
    world.set("web", many(2));
    world.set("other", [config("a", "1")]);
    let plan = world.settle();
    assert_eq!(reasons(&plan), [HoldReason::KindUnknown]);
    assert_eq!(world.there.len(), 4);
    world.odd.clear();
    world.settle();
    assert_eq!(world.there.len(), 3);
}

#[test]
fn f3_objects_of_a_kind_that_is_proved_to_be_gone_are_forgotten() {
    let gauge = json!({"apiVersion": "metrics.example/v1", "kind": "Gauge", "metadata": {"name": "g"}});
    let mut world = World::new();
    world.set("web", many(3).chain([object(&gauge)]));
    world.settle();
    world.there.retain(|id, _| id.kind != "Gauge");
    world.odd.insert("Gauge".into(), Served::Absent);
    world.set("web", many(3));
    world.settle();
    assert_eq!(world.inventory.len(), 3);
}

#[test]
fn nothing_of_a_service_is_pruned_while_anything_of_it_is_held() {
    let mut world = World::new();
    world.set("web", many(3));
    world.settle();
    world.set("web", many(2));
    world.dark.insert(id("web", "c000"));
    let plan = world.settle();
    assert_eq!(reasons(&plan), [HoldReason::ApplyFailed, HoldReason::PruneWaits]);
    assert_eq!(world.there.len(), 3);
}

#[test]
fn f23_a_mark_that_was_copied_to_another_object_makes_it_nobodys() {
    let mut world = World::new();
    world.set("web", many(2));
    world.settle();
    let mark = world.there[&id("web", "c000")].owner.clone();
    world.foreign(id("web", "copy"));
    world.there.get_mut(&id("web", "copy")).unwrap().owner = mark;
    let entry = world.inventory.entry(&named("web"), &id("web", "c000")).unwrap().clone();
    world.inventory.record(&named("web"), &id("web", "copy"), entry);
    world.settle();
    assert!(world.there.contains_key(&id("web", "copy")));
    assert_eq!(world.inventory.len(), 2);
}

#[test]
fn f40_an_object_with_another_uid_goes_only_with_a_yes() {
    let mut world = World::new();
    world.set("web", many(3));
    world.settle();
    world.set("web", many(2));
    world.there.get_mut(&id("web", "c002")).unwrap().uid = "restored".into();
    let plan = world.settle();
    assert_eq!(reasons(&plan), [HoldReason::NeedsConfirm]);
    assert_eq!(world.there.len(), 3);
    world.wanted.approved.extend(plan.held[0].digest);
    world.settle();
    assert_eq!(world.there.len(), 2);
}

#[test]
fn f21_an_object_whose_uid_was_never_written_down_is_noted_first_and_pruned_then() {
    let mut world = World::new();
    world.set("web", many(3));
    world.settle();
    let key = id("web", "c002");
    let mut entry = world.inventory.entry(&named("web"), &key).unwrap().clone();
    entry.uid = None;
    world.inventory.record(&named("web"), &key, entry);
    world.set("web", many(2));
    let plan = world.plan();
    assert!(plan.prunes.is_empty());
    assert_eq!(plan.notes.len(), 1);
    world.settle();
    assert_eq!(world.there.len(), 2);
}

#[test]
fn f22_before_a_clean_pass_nothing_is_deleted() {
    let mut world = World::new();
    world.set("web", many(3));
    world.settle();
    world.set("web", many(2));
    world.rails = Rails { prune: false, ..Rails::default() };
    let plan = world.settle();
    assert_eq!(reasons(&plan), [HoldReason::TrustLost]);
    assert_eq!(world.there.len(), 3);
}

#[test]
fn f19_an_object_that_something_keeps_stays_ours_and_is_not_fought_with() {
    let mut world = World::new();
    world.set("web", many(3));
    world.settle();
    world.there.get_mut(&id("web", "c002")).unwrap().deleting = true;
    world.there.get_mut(&id("web", "c000")).unwrap().deleting = true;
    world.set("web", many(2));
    let plan = world.settle();
    assert_eq!(reasons(&plan), [HoldReason::Deleting; 2]);
    assert_eq!(world.inventory.len(), 3);
}

#[test]
fn a_source_and_an_option_can_ask_that_objects_be_kept() {
    let kept = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "k",
        "annotations": {"argocd.argoproj.io/sync-options": "Validate=false,Prune=false"}}});
    let mut world = World::new();
    world.set("web", many(2).chain([object(&kept)]));
    world.settle();
    world.set("web", many(2));
    world.settle();
    assert!(world.there[&id("web", "k")].owner.is_none());
    world.set("web", many(1));
    world.options("web").prune = false;
    world.settle();
    assert_eq!((world.there.len(), world.inventory.len()), (3, 2));
}

#[test]
fn deleting_goes_through_the_phases_backwards() {
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "web"}});
    let hook = json!({"apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration", "metadata": {"name": "h"}});
    let web = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}});
    let mut world = World::new();
    world.set("web", many(1).chain([&namespace, &hook, &web].map(object)));
    let kinds = |ids: Vec<&ObjectId>| ids.into_iter().map(|id| id.kind.clone()).collect::<Vec<_>>();
    let order = ["Namespace", "ConfigMap", "Deployment", "ValidatingWebhookConfiguration"];
    let plan = world.plan();
    assert_eq!(kinds(plan.applies.iter().map(|apply| &apply.address.id).collect()), order);
    world.settle();
    world.remove("web", RemovalMode::Delete);
    let plan = world.plan();
    let backwards: Vec<_> = order[1..].iter().rev().map(ToString::to_string).collect();
    assert_eq!(kinds(plan.prunes.iter().map(|prune| &prune.address.id).collect()), backwards);
}
