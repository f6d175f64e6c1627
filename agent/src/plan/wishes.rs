//! `Wishes`: the wanted objects under the identity that they will have in this cluster. A namespace is filled in only
//! where the object names none and its kind, as discovered here, lies in namespaces.

use std::collections::{BTreeMap, BTreeSet};

use cdn::document::HoldReason;
use cdn::{Object, ObjectId, ServiceName};
use serde_json::Value;

use super::phase::{self, Phase};
use crate::held::Held;
use crate::inventory::Inventory;
use crate::target::{KindRef, Served};
use crate::wanted::{Loaded, Wanted};

/// What every service of the set wants.
#[derive(Debug, Default)]
pub(crate) struct Wishes<'a> {
    /// By service; those without content have an empty list.
    pub(crate) services: BTreeMap<ServiceName, Wishlist<'a>>,
}

/// What one service wants.
#[derive(Debug, Default)]
pub(crate) struct Wishlist<'a> {
    /// By identity here.
    pub(crate) objects: BTreeMap<ObjectId, Wish<'a>>,
    /// What has no identity here: its kind is not served, or nobody can say.
    pub(crate) held: Vec<Held>,
    /// Two objects of one identity: nothing of the service is touched.
    pub(crate) duplicate: bool,
}

/// One wanted object.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wish<'a> {
    /// As it was published.
    pub(crate) object: &'a Object,
    /// When its turn comes.
    pub(crate) phase: Phase,
    /// Whether its kind is not served yet, and a definition among the wishes promises it (FAULTS F4).
    pub(crate) promised: bool,
}

/// Every kind that must be asked about: of what is wanted, and of what is ours.
pub(crate) fn kinds(wanted: &Wanted, inventory: &Inventory) -> BTreeSet<KindRef> {
    let objects = loaded(wanted).flat_map(|(_, loaded)| loaded.bundle.objects());
    let ours = inventory.entries().map(|(_, id, entry)| KindRef::at(id, &entry.version));
    objects.map(KindRef::of).chain(ours).collect()
}

/// Gives every wanted object its identity here.
pub(crate) fn wishes<'a>(wanted: &'a Wanted, served: &BTreeMap<KindRef, Served>) -> Wishes<'a> {
    let promises = promises(wanted);
    let mut wishes = Wishes::default();
    for service in wanted.services.keys() {
        wishes.services.insert(service.clone(), Wishlist::default());
    }
    for (service, loaded) in loaded(wanted) {
        let list = wishes.services.entry(service.clone()).or_default();
        for object in loaded.bundle.objects() {
            match scope(object, served, &promises) {
                Ok(scope) => list.add(service, object, scope.place(object.id(), &loaded.record.namespace)),
                Err((reason, why)) => list.held.push(Held::object(reason, service, object.id(), why)),
            }
        }
    }
    wishes
}

fn loaded(wanted: &Wanted) -> impl Iterator<Item = (&ServiceName, &Loaded)> {
    wanted.services.iter().filter_map(|(service, wanted)| Some((service, wanted.loaded.as_ref()?)))
}

impl<'a> Wishlist<'a> {
    /// Whether the service declares it: as an object with an identity here, or as one that is held before it has one.
    pub(crate) fn wants(&self, id: &ObjectId) -> bool {
        let is_it = |held: &ObjectId| {
            (&held.group, &held.kind, &held.name) == (&id.group, &id.kind, &id.name)
                && (held.namespace.is_none() || id.namespace.is_none() || held.namespace == id.namespace)
        };
        self.objects.contains_key(id) || self.held.iter().filter_map(|held| held.object.as_ref()).any(is_it)
    }

    fn add(&mut self, service: &ServiceName, object: &'a Object, (id, promised): (ObjectId, bool)) {
        let wish = Wish { object, phase: phase::of(&id), promised };
        if let Some(twin) = self.objects.insert(id.clone(), wish) {
            let message = format!("{id} is there twice: as {} and as {}", twin.object.id(), object.id());
            self.held.push(Held::object(HoldReason::DuplicateObject, service, &id, message));
            self.duplicate = true;
        }
    }
}

/// Where objects of a kind lie.
#[derive(Clone, Copy)]
struct Scope {
    namespaced: bool,
    promised: bool,
}

impl Scope {
    /// The identity here; a namespace on a cluster-scoped object means nothing (FAULTS F33).
    fn place(self, id: &ObjectId, home: &str) -> (ObjectId, bool) {
        let filled = || Some(id.namespace.clone().unwrap_or_else(|| home.to_owned()));
        let namespace = if self.namespaced { filled() } else { None };
        (ObjectId { namespace, ..id.clone() }, self.promised)
    }
}

fn scope(
    object: &Object,
    served: &BTreeMap<KindRef, Served>,
    promises: &BTreeMap<KindRef, bool>,
) -> Result<Scope, (HoldReason, String)> {
    let kind = KindRef::of(object);
    let promise = promises.get(&kind).map(|namespaced| Scope { namespaced: *namespaced, promised: true });
    match served.get(&kind) {
        Some(Served::Yes { namespaced, version }) if *version == kind.version => {
            // A folder can only guess; a definition in the bundle knows.
            let namespaced = promise.map_or(*namespaced, |promise| promise.namespaced);
            Ok(Scope { namespaced, promised: false })
        }
        Some(Served::Yes { version, .. }) => promise.ok_or_else(|| {
            (HoldReason::KindNotServed, format!("{kind} is not served here, {version} of it is"))
        }),
        Some(Served::Absent) => {
            promise.ok_or_else(|| (HoldReason::KindNotServed, format!("{kind} is not served here")))
        }
        Some(Served::Unknown(why)) => Err((HoldReason::KindUnknown, format!("{kind}: {why}"))),
        None => Err((HoldReason::KindUnknown, format!("{kind}: nobody has asked"))),
    }
}

/// The kinds that wanted definitions will make, and whether their objects lie in namespaces.
fn promises(wanted: &Wanted) -> BTreeMap<KindRef, bool> {
    let objects = loaded(wanted).flat_map(|(_, loaded)| loaded.bundle.objects());
    let definitions = objects.filter(|object| phase::is_definition(object.id()));
    definitions.flat_map(|object| defined(&object.value())).collect()
}

fn defined(definition: &Value) -> Vec<(KindRef, bool)> {
    let text = |pointer: &str| definition.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let (group, kind) = (text("/spec/group"), text("/spec/names/kind"));
    let namespaced = text("/spec/scope") == "Namespaced";
    let versions = definition.pointer("/spec/versions").and_then(Value::as_array);
    let served = |version: &&Value| version.get("served").and_then(Value::as_bool) == Some(true);
    let name = |version: &Value| version.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
    let kinds = versions.into_iter().flatten().filter(served).map(name);
    kinds
        .map(|version| KindRef { group: group.to_owned(), version, kind: kind.to_owned() })
        .map(|kind| (kind, namespaced))
        .collect()
}
