//! What may go of a service, and what may not (law L6).

use cdn::document::{HoldReason, RemovalMode};
use cdn::{Digest, ObjectId};
use serde_json::json;

use super::world::{many, named, reasons};
use super::{World, id, object};
use crate::inventory::Uid;
use crate::plan::How;
use crate::target::Served;

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

/// Who is asked for a yes must see what it is to.
#[test]
fn l13_a_hold_names_as_many_objects_as_it_has_room_for() {
    for (before, named) in [(20, true), (200, false)] {
        let mut world = World::new();
        world.set("web", many(before));
        world.settle();
        world.set("web", many(3));
        let plan = world.plan();
        let [held] = &plan.held[..] else { panic!("{:?}", plan.held) };
        let names: Vec<String> = held.objects.iter().map(ToString::to_string).collect();
        assert_eq!(names.len(), before - 3, "the digest stands for all of them");
        let shown = names.iter().filter(|name| held.message.contains(*name)).count();
        assert_eq!(shown == names.len(), named, "{}", held.message);
        let chars = held.message.chars().count();
        assert!(chars <= cdn::limits::TEXT_CHARS, "{chars}");
        if !named {
            assert!(chars > cdn::limits::TEXT_CHARS - 30, "the room is used: {}", held.message);
            let rest = format!(" and {} more", names.len() - shown);
            assert!(held.message.ends_with(&rest), "{}", held.message);
        }
    }
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

/// A service that lost twenty of its 24 objects, of which five can go just now.
fn mostly_lost() -> World {
    let mut world = World::new();
    world.set("web", many(24));
    world.settle();
    for n in 4..24 {
        let key = id("web", &format!("c{n:03}"));
        match n % 4 {
            0 => {}
            1 => drop(world.dark.insert(key)),
            2 => world.there.get_mut(&key).unwrap().deleting = true,
            _ => {
                let mut entry = world.inventory.entry(&named("web"), &key).unwrap().clone();
                entry.uid = Uid::Unconfirmed;
                world.inventory.record(&named("web"), &key, entry);
            }
        }
    }
    world.set("web", many(4));
    world
}

#[test]
fn f18_what_cannot_go_just_now_counts_too() {
    for others in [0, 400] {
        let mut world = mostly_lost();
        // Beside many others it is not too much for the cluster, and still too much for the service.
        world.set("large", many(others));
        let first = world.plan();
        world.take(&first);
        let plan = world.plan();
        assert!(plan.prunes.is_empty(), "five of twenty now, and the others a few at a time");
        let held = plan.held.iter().find(|held| held.reason == HoldReason::PruneBudget).unwrap();
        assert!(held.message.contains("of 24") && held.message.contains("more"), "{}", held.message);
    }
}

#[test]
fn f18_what_cannot_go_just_now_counts_for_the_cluster_too() {
    let mut world = mostly_lost();
    // Enough for what can go just now, and not for all that is no longer wanted.
    world.rails.budget.objects = 12;
    world.set("other", many(3));
    let first = world.plan();
    world.take(&first);
    world.set("other", many(2));
    let plan = world.plan();
    assert!(plan.prunes.is_empty(), "one more, where twenty are too many");
}

#[test]
fn f18_what_another_service_takes_over_does_not_count() {
    let shared = |n: usize| {
        object(&json!({"apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": format!("m{n}"), "namespace": "x"}}))
    };
    let mut world = World::new();
    world.set("old", many(2).chain((0..20).map(shared)));
    world.set("new", many(1));
    world.settle();
    world.set("old", many(1));
    world.set("new", many(1).chain((0..20).map(shared)));
    let plan = world.plan();
    assert!(plan.held.is_empty(), "{:?}", plan.held);
    assert_eq!(plan.prunes.len(), 1);
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
fn f22_before_a_clean_pass_nothing_is_deleted() {
    let mut world = World::new();
    world.set("web", many(3));
    world.settle();
    world.set("web", many(2));
    world.rails.may_delete = false;
    let plan = world.settle();
    assert_eq!(reasons(&plan), [HoldReason::TrustLost]);
    assert_eq!(world.there.len(), 3);
}

#[test]
fn f22_before_a_clean_pass_nothing_is_let_go_and_no_removal_is_done() {
    let kept = json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "k", "annotations": {"windlass.dev/prune": "disabled"}}});
    let mut world = World::new();
    world.set("web", many(2).chain([object(&kept)]));
    world.settle();
    world.set("web", many(2));
    world.remove("gone", RemovalMode::Delete);
    world.rails.may_delete = false;
    let plan = world.settle();
    assert_eq!(reasons(&plan), [HoldReason::TrustLost]);
    assert!(plan.removed.is_empty(), "what was lost may have had something of it");
    assert!(world.there[&id("web", "k")].owner.is_some());
    world.rails.may_delete = true;
    assert_eq!(world.settle().removed, [named("gone")]);
    assert!(world.there[&id("web", "k")].owner.is_none());
}

#[test]
fn nothing_is_let_go_or_approved_away_while_anything_of_the_service_is_held() {
    let kept = json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "k", "annotations": {"windlass.dev/prune": "disabled"}}});
    let mut world = World::new();
    world.set("web", many(3).chain([object(&kept)]));
    world.settle();
    world.set("web", many(2));
    world.there.get_mut(&id("web", "c002")).unwrap().uid = "restored".into();
    let plan = world.plan();
    world.wanted.approved.extend(plan.held[0].digest);
    assert_eq!(world.plan().prunes.len(), 2, "one let go, one approved");
    world.dark.insert(id("web", "c000"));
    let plan = world.plan();
    assert_eq!(reasons(&plan), [HoldReason::ApplyFailed, HoldReason::PruneWaits]);
    assert!(plan.prunes.is_empty());
}

#[test]
fn what_is_wanted_and_has_no_identity_here_is_not_unwanted() {
    let gauge = json!({"apiVersion": "metrics.example/v1", "kind": "Gauge",
        "metadata": {"name": "g", "annotations": {"windlass.dev/prune": "disabled"}}});
    let mut world = World::new();
    world.set("web", many(3).chain([object(&gauge)]));
    world.settle();
    world.odd.insert("Gauge".into(), Served::Unknown("503 from its APIService".into()));
    let plan = world.settle();
    assert_eq!(reasons(&plan), [HoldReason::KindUnknown], "it is said once, as what is wanted");
    assert_eq!(world.inventory.len(), 4);
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
