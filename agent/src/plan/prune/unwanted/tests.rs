//! What becomes of one object that is no longer wanted.

use cdn::ObjectId;
use cdn::document::HoldReason;
use serde_json::json;

use crate::inventory::Uid;
use crate::plan::tests::world::{World, config, id, many, named, object, reasons};
use crate::target::{Served, Uses};

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
    entry.uid = Uid::Unconfirmed;
    world.inventory.record(&named("web"), &key, entry);
    world.set("web", many(2));
    let plan = world.plan();
    assert!(plan.prunes.is_empty());
    assert_eq!(plan.notes.len(), 1);
    world.settle();
    assert_eq!(world.there.len(), 2);
}

#[test]
fn f17_a_definition_does_not_go_while_others_use_its_kind() {
    let definition = json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "berths.harbour.example"}});
    let key = ObjectId {
        group: "apiextensions.k8s.io".into(),
        kind: "CustomResourceDefinition".into(),
        namespace: None,
        name: "berths.harbour.example".into(),
    };
    let mut world = World::new();
    world.set("web", many(3).chain([object(&definition)]));
    world.settle();
    world.set("web", many(3));
    let plan = world.plan();
    assert_eq!(reasons(&plan), [HoldReason::NeedsConfirm]);
    world.wanted.approved.extend(plan.held[0].digest);
    assert_eq!(world.plan().prunes.len(), 1, "approved, and nobody uses it");
    let used = |owner: Option<&str>, count: usize| Uses::Known {
        kind: "Berth".into(),
        owners: [(owner.map(named), count), (Some(named("web")), 2)].into(),
    };
    for owner in [None, Some("other")] {
        world.uses.insert(key.clone(), used(owner, 3));
        let plan = world.plan();
        assert!(plan.prunes.is_empty());
        assert_eq!(reasons(&plan), [HoldReason::InUse]);
        assert!(plan.held[0].message.starts_with("3 objects of kind Berth"), "{}", plan.held[0].message);
    }
    world.uses.insert(key.clone(), Uses::Unknown("503".into()));
    assert_eq!(reasons(&world.plan()), [HoldReason::CannotLook]);
    // Those of the service itself are in the way as long as they are wanted.
    world.uses.insert(key, Uses::Known { kind: "Berth".into(), owners: [(Some(named("web")), 2)].into() });
    assert_eq!(world.plan().prunes.len(), 1);
    let berth = json!({"apiVersion": "harbour.example/v1", "kind": "Berth", "metadata": {"name": "b"}});
    world.set("web", many(3).chain([object(&berth)]));
    world.settle();
    assert_eq!(reasons(&world.plan()), [HoldReason::InUse]);
}

#[test]
fn f26_what_is_no_longer_served_in_its_version_goes_in_another() {
    let gauge = json!({"apiVersion": "metrics.example/v1alpha1", "kind": "Gauge", "metadata": {"name": "g"}});
    let mut world = World::new();
    world.set("web", many(3).chain([object(&gauge)]));
    world.settle();
    world.odd.insert("Gauge".into(), Served::Yes { namespaced: true, version: "v1".into() });
    world.set("web", many(3));
    let plan = world.plan();
    assert_eq!(plan.prunes[0].address.version, "v1");
    world.settle();
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
