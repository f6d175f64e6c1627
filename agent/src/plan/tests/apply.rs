//! What is applied, and what is left alone.

use cdn::document::HoldReason;
use cdn::{Digest, ObjectId};
use serde_json::json;

use super::world::{named, reasons};
use super::{World, config, id, object};
use crate::plan::Cause;
use crate::target::{OWNER, OwnerMark, Served};

#[test]
fn what_is_new_is_made_in_the_services_namespace_with_our_mark() {
    let mut world = World::new();
    world.set("web", [config("settings", "1")]);
    let plan = world.plan();
    let prepared = &plan.applies[0].prepared;
    assert_eq!(prepared.object.id(), &id("web", "settings"));
    let mark = prepared.object.value()["metadata"]["annotations"][OWNER].as_str().unwrap().to_owned();
    assert_eq!(mark, OwnerMark::new(world.wanted.fleet, named("web"), &id("web", "settings")).to_string());
    assert_eq!(plan.applies[0].cause, Cause::Create);
    world.take(&plan);
    assert!(world.plan().is_empty());
    assert!(world.plan().services[&named("web")].synced);
}

#[test]
fn f33_the_discovered_scope_decides_about_the_namespace() {
    let mut world = World::new();
    let role = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
        "metadata": {"name": "reader", "namespace": "nonsense"}});
    let there = json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "c", "namespace": "elsewhere"}});
    world.set("web", [object(&role), object(&there)]);
    let plan = world.plan();
    let namespaces: Vec<_> =
        plan.applies.iter().map(|apply| apply.prepared.object.id().namespace.clone()).collect();
    assert_eq!(namespaces, [Some("elsewhere".to_owned()), None]);
    let role = plan.applies[1].prepared.object.value();
    assert!(role["metadata"].get("namespace").is_none());
}

#[test]
fn drift_is_repaired_and_a_status_that_moves_is_not_drift() {
    let mut world = World::new();
    world.set("web", [config("a", "1"), config("b", "1")]);
    world.settle();
    world.there.get_mut(&id("web", "a")).unwrap().resource_version = "later".into();
    assert!(world.plan().is_empty());
    world.there.get_mut(&id("web", "a")).unwrap().content = Digest::of(b"edited");
    world.there.remove(&id("web", "b"));
    let plan = world.plan();
    assert_eq!(plan.applies.iter().map(|apply| apply.cause).collect::<Vec<_>>(), [Cause::Drift; 2]);
    world.settle();
}

#[test]
fn duplicates_after_the_namespace_is_filled_in_hold_the_whole_service() {
    let mut world = World::new();
    let twin =
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "web"}});
    world.set("web", [config("a", "1"), object(&twin), config("b", "1")]);
    world.set("other", [config("a", "1")]);
    let plan = world.plan();
    assert_eq!(reasons(&plan), [HoldReason::DuplicateObject]);
    let services: Vec<_> = plan.applies.iter().map(|apply| apply.prepared.service.to_string()).collect();
    assert_eq!(services, ["default/other"]);
}

#[test]
fn f13_of_two_services_that_declare_an_object_one_has_it_and_the_other_is_held() {
    let shared = || {
        object(&json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "namespace": "x"}}))
    };
    let mut world = World::new();
    world.set("second", [shared()]);
    world.settle();
    world.set("first", [shared(), config("own", "1")]);
    let plan = world.settle();
    assert_eq!(reasons(&plan), [HoldReason::OwnedBy]);
    assert_eq!(plan.held[0].service, Some(named("first")));
    assert!(world.there.contains_key(&id("first", "own")));
    world.unset("second");
    world.settle();
    let shared = ObjectId { namespace: Some("x".into()), ..id("x", "c") };
    assert_eq!(world.there[&shared].owner.as_ref().unwrap().service, named("first"));
}

#[test]
fn f13_an_object_of_another_fleet_is_not_touched() {
    let mut world = World::new();
    world.set("web", [config("a", "1")]);
    world.foreign(id("web", "a"));
    let mark = OwnerMark::new(Digest::of(b"another fleet"), named("web"), &id("web", "a"));
    world.there.get_mut(&id("web", "a")).unwrap().owner = Some(mark);
    let plan = world.plan();
    assert!(plan.applies.is_empty());
    assert_eq!(reasons(&plan), [HoldReason::OwnedBy]);
}

#[test]
fn f4_custom_resources_wait_for_the_definition_that_promises_them() {
    let definition = json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "berths.harbour.example"},
        "spec": {"group": "harbour.example", "names": {"kind": "Berth"}, "scope": "Cluster",
            "versions": [{"name": "v1", "served": true}]}});
    let berth = json!({"apiVersion": "harbour.example/v1", "kind": "Berth", "metadata": {"name": "b1"}});
    let ship = json!({"apiVersion": "harbour.example/v1", "kind": "Ship", "metadata": {"name": "s1"}});
    let mut world = World::new();
    world.odd.insert("Berth".into(), Served::Absent);
    world.odd.insert("Ship".into(), Served::Absent);
    world.set("berths", [object(&berth), object(&definition), object(&ship)]);
    let plan = world.plan();
    let kinds: Vec<_> =
        plan.applies.iter().map(|apply| (apply.address.id.kind.as_str(), apply.promised)).collect();
    assert_eq!(kinds, [("CustomResourceDefinition", false), ("Berth", true)]);
    assert_eq!(plan.applies[1].address.id.namespace, None);
    assert_eq!(reasons(&plan), [HoldReason::KindNotServed]);
}

#[test]
fn f11_replicas_that_somebody_scales_are_left_alone() {
    let web = || {
        object(&json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
            "spec": {"replicas": 2, "paused": false}}))
    };
    let scaler = || {
        object(&json!({"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler",
            "metadata": {"name": "web"},
            "spec": {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}}}))
    };
    let key = ObjectId { group: "apps".into(), kind: "Deployment".into(), ..id("web", "web") };
    let check = |targeted: bool, manager: Option<&str>, left_out: bool| {
        let mut world = World::new();
        world.set("web", std::iter::once(web()).chain(targeted.then(scaler)));
        let first = world.plan();
        let made = first.applies.iter().find(|apply| apply.address.id == key).unwrap();
        assert_eq!(
            made.prepared.object.value()["spec"]["replicas"],
            2,
            "a new one begins as its source says"
        );
        world.settle();
        let live = world.there.get_mut(&key).unwrap();
        (live.scaler, live.content) = (manager.map(Into::into), Digest::of(b"scaled"));
        let plan = world.plan();
        let spec = plan.applies[0].prepared.object.value()["spec"].clone();
        assert_eq!(spec.get("replicas").is_none(), left_out, "targeted {targeted}, by {manager:?}");
        assert_eq!(spec["paused"], false);
        world.settle();
    };
    check(true, Some("kube-controller-manager"), true);
    check(true, Some("kubectl"), true);
    check(true, None, false);
    check(false, Some("kubectl"), false);
    check(false, Some("kube-controller-manager"), true);
}

#[test]
fn a_suspended_service_is_left_as_it_is() {
    let mut world = World::new();
    world.set("web", [config("a", "1"), config("b", "1")]);
    world.settle();
    world.set("web", [config("a", "2")]);
    world.options("web").suspend = true;
    world.there.get_mut(&id("web", "a")).unwrap().content = Digest::of(b"edited");
    assert!(world.plan().is_empty());
    assert!(!world.plan().services[&named("web")].synced);
}

#[test]
fn an_object_that_cannot_be_looked_at_does_not_stop_the_others() {
    let mut world = World::new();
    world.set("web", [config("a", "1"), config("b", "1")]);
    world.dark.insert(id("web", "a"));
    let plan = world.settle();
    assert_eq!(reasons(&plan), [HoldReason::ApplyFailed]);
    assert!(world.there.contains_key(&id("web", "b")));
}
