//! What holds for every history: a plan that was taken leaves an empty plan; the inventory contains what is ours; and
//! nothing is ever deleted that was not in the inventory, with its UID and our mark.

use std::collections::BTreeSet;

use cdn::document::RemovalMode;
use cdn::{Digest, ObjectId};
use proptest::prelude::*;

use super::{World, config, id};
use crate::inventory::{Inventory, Uid};
use crate::plan::How;
use crate::target::Served;

/// Something that happens to a cluster.
#[derive(Clone, Debug)]
enum Event {
    /// The set has this service with these objects, of this text.
    Set(usize, BTreeSet<usize>, u8),
    Unset(usize),
    /// The set names a release of this service that is not here yet.
    Assign(usize),
    Remove(usize, bool),
    /// Somebody else makes, edits, strips or deletes an object.
    Foreign(usize, usize),
    Edit(usize, usize),
    Strip(usize, usize),
    Delete(usize, usize),
    /// The agent dies, and its inventory forgets what the last pass learned.
    LoseUids,
    LoseInventory,
    KindUnknown(bool),
    /// A pass, cut off after so many of its steps.
    Pass(usize),
}

const SERVICES: [&str; 3] = ["a", "b", "c"];

fn event() -> impl Strategy<Value = Event> {
    let objects = || prop::collection::btree_set(0..8_usize, 0..8);
    prop_oneof![
        4 => (0..3_usize, objects(), 0..3_u8).prop_map(|(s, o, t)| Event::Set(s, o, t)),
        1 => (0..3_usize).prop_map(Event::Unset),
        1 => (0..3_usize).prop_map(Event::Assign),
        1 => (0..3_usize, any::<bool>()).prop_map(|(s, d)| Event::Remove(s, d)),
        1 => (0..3_usize, 0..8_usize).prop_map(|(s, o)| Event::Foreign(s, o)),
        1 => (0..3_usize, 0..8_usize).prop_map(|(s, o)| Event::Edit(s, o)),
        1 => (0..3_usize, 0..8_usize).prop_map(|(s, o)| Event::Strip(s, o)),
        1 => (0..3_usize, 0..8_usize).prop_map(|(s, o)| Event::Delete(s, o)),
        1 => Just(Event::LoseUids),
        1 => Just(Event::LoseInventory),
        1 => any::<bool>().prop_map(Event::KindUnknown),
        4 => (0..20_usize).prop_map(Event::Pass),
    ]
}

fn place(service: usize, object: usize) -> ObjectId {
    id(SERVICES[service], &format!("o{object}"))
}

/// Objects 6 and 7 lie in one namespace for all services, so that they move and clash.
fn wanted(object: usize, text: u8) -> cdn::Object {
    let text = text.to_string();
    if object < 6 {
        return config(&format!("o{object}"), &text);
    }
    super::object(&serde_json::json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"a": text},
        "metadata": {"name": format!("o{object}"), "namespace": SERVICES[0]}}))
}

fn happen(world: &mut World, event: &Event) {
    let live = |service: &usize, object: &usize| place(*service, *object);
    match event {
        Event::Set(service, objects, text) => {
            let name = SERVICES[*service];
            world.wanted.removals.remove(&super::world::named(name));
            world.set(name, objects.iter().map(|object| wanted(*object, *text)));
        }
        Event::Unset(service) => world.unset(SERVICES[*service]),
        Event::Assign(service) => {
            if world.wanted.services.contains_key(&super::world::named(SERVICES[*service])) {
                world.assign(SERVICES[*service], None);
            }
        }
        Event::Remove(service, delete) => {
            let mode = if *delete { RemovalMode::Delete } else { RemovalMode::Orphan };
            world.remove(SERVICES[*service], mode);
        }
        Event::Foreign(service, object) => {
            if !world.there.contains_key(&live(service, object)) {
                world.foreign(live(service, object));
            }
        }
        Event::Edit(service, object) => {
            if let Some(live) = world.there.get_mut(&live(service, object)) {
                live.content = Digest::of(b"edited");
            }
        }
        Event::Strip(service, object) => {
            if let Some(live) = world.there.get_mut(&live(service, object)) {
                live.owner = None;
            }
        }
        Event::Delete(service, object) => drop(world.there.remove(&live(service, object))),
        Event::LoseUids => {
            let entries = world.inventory.services.values_mut().flat_map(|owned| owned.entries.values_mut());
            entries.for_each(|entry| entry.uid = Uid::Unconfirmed);
        }
        Event::LoseInventory => world.inventory = Inventory::default(),
        Event::KindUnknown(unknown) => {
            world.odd.clear();
            if *unknown {
                world.odd.insert("ConfigMap".into(), Served::Unknown("away".into()));
            }
        }
        Event::Pass(steps) => pass(world, *steps),
    }
}

/// Takes a plan, cut off after so many steps; and checks that what it deletes may go.
fn pass(world: &mut World, steps: usize) {
    let mut plan = world.plan();
    for prune in plan.prunes.iter().filter(|prune| prune.how == How::Delete) {
        let entry = world.inventory.entry(&prune.service, &prune.address.id).expect("in the inventory");
        let live = &world.there[&prune.address.id];
        assert_eq!(entry.uid, Uid::Applied(live.uid.clone()), "with the UID that was applied");
        let owner = live.owner.as_ref().and_then(|mark| mark.owner_of(&prune.address.id, world.wanted.fleet));
        assert_eq!(owner, Some(&prune.service), "and with our mark");
        assert!(!entry.adopted && !live.adopted);
        let removed = world.wanted.removals.contains_key(&prune.service);
        assert!(removed || world.wanted.services.contains_key(&prune.service), "never because it is missing");
    }
    if steps < plan.applies.len() {
        // The wider inventory is written before the first apply, in any case.
        for apply in &plan.applies {
            world.inventory.expect(&apply.prepared.service, &apply.address);
        }
        plan.applies.truncate(steps);
        plan.prunes.clear();
        plan.services.clear();
    }
    world.take(&plan);
}

fn foreigners(world: &World) -> BTreeSet<(ObjectId, String)> {
    let foreign = world.there.iter().filter(|(_, live)| live.owner.is_none());
    foreign.map(|(id, live)| (id.clone(), live.uid.clone())).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn every_history_settles_and_deletes_only_on_proof(events in prop::collection::vec(event(), 1..40)) {
        let mut world = World::new();
        let mut lost = false;
        for event in &events {
            let foreign = foreigners(&world);
            happen(&mut world, event);
            lost |= matches!(event, Event::LoseInventory);
            if matches!(event, Event::Pass(_)) {
                let still: BTreeSet<_> =
                    world.there.iter().map(|(id, live)| (id.clone(), live.uid.clone())).collect();
                prop_assert!(foreign.is_subset(&still), "what nobody marked as ours is still there");
            }
            if !lost {
                for (id, live) in &world.there {
                    let owner = live.owner.as_ref().map(|mark| &mark.service);
                    let known = world.inventory.entries().any(|(_, known, _)| known == id);
                    prop_assert!(owner.is_none() || known, "{id} is ours and not in the inventory");
                }
            }
        }
        world.settle();
        prop_assert!(world.plan().is_empty());
    }
}
