//! A world to plan in: objects that are there, an inventory, an assignment; and steps that are taken as they are said.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cdn::document::{Health, HoldReason, RemovalMode, ServiceEntry, ServiceOptions};
use cdn::trust::Record;
use cdn::{Bundle, ClusterId, Digest, Object, ObjectId, ServiceName};
use serde_json::{Value, json};

use crate::held::Held;
use crate::inventory::{Entry, Inventory, Uid};
use crate::plan::{self, How, Input, Plan, Rails};
use crate::target::{ADOPTED, KindRef, Live, OWNER, OwnerMark, Prepared, Seen, Served, Uses};
use crate::wanted::{Loaded, Wanted, WantedService};

pub(crate) struct World {
    pub(crate) there: BTreeMap<ObjectId, Live>,
    pub(crate) inventory: Inventory,
    pub(crate) wanted: Wanted,
    pub(crate) rails: Rails,
    pub(crate) uses: BTreeMap<ObjectId, Uses>,
    /// Kinds that are not simply served.
    pub(crate) odd: BTreeMap<String, Served>,
    /// Objects that cannot be looked at.
    pub(crate) dark: BTreeSet<ObjectId>,
    made: u64,
}

pub(crate) fn object(value: &Value) -> Object {
    Object::from_value(value).unwrap()
}

/// So many `ConfigMap`s.
pub(crate) fn many(count: usize) -> impl Iterator<Item = Object> {
    (0..count).map(|n| config(&format!("c{n:03}"), "1"))
}

/// A `ConfigMap` without a namespace.
pub(crate) fn config(name: &str, text: &str) -> Object {
    object(&json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"a": text}}))
}

/// Its identity in the namespace of the service.
pub(crate) fn id(service: &str, name: &str) -> ObjectId {
    ObjectId {
        group: String::new(),
        kind: "ConfigMap".into(),
        namespace: Some(service.into()),
        name: name.into(),
    }
}

pub(crate) fn named(service: &str) -> ServiceName {
    if service.contains('/') { service.parse() } else { format!("default/{service}").parse() }.unwrap()
}

impl World {
    pub(crate) fn new() -> Self {
        let wanted = Wanted {
            cluster: ClusterId::random(),
            fleet: Digest::of(b"fleet"),
            seq: 1,
            services: BTreeMap::new(),
            removals: BTreeMap::new(),
            approved: BTreeSet::new(),
        };
        Self {
            there: BTreeMap::new(),
            inventory: Inventory::default(),
            wanted,
            rails: Rails::default(),
            uses: BTreeMap::new(),
            odd: BTreeMap::new(),
            dark: BTreeSet::new(),
            made: 0,
        }
    }

    /// The set has this service with these objects, in a namespace of its own name.
    pub(crate) fn set(
        &mut self,
        service: &str,
        objects: impl IntoIterator<Item = Object>,
    ) -> &mut ServiceEntry {
        let name = named(service);
        let bundle = Bundle::new(objects).unwrap();
        let digest = Digest::of(&bundle.pack().unwrap());
        let release = Digest::of(format!("{service} {digest}").as_bytes());
        let record = Record {
            service: name.clone(),
            release,
            bundle: digest,
            length: 0,
            namespace: name.name().to_owned(),
            revision: String::new(),
            seq: 0,
            signers: Vec::new(),
        };
        let options = self.wanted.services.get(&name).map(|wanted| wanted.entry.options.clone());
        let options = options.unwrap_or_default();
        let entry = ServiceEntry { name: name.clone(), release, options, depends_on: Vec::new() };
        let loaded = Some(Loaded { record, bundle: Arc::new(bundle) });
        self.wanted.services.insert(name.clone(), WantedService { entry, loaded, held: None });
        &mut self.wanted.services.get_mut(&name).unwrap().entry
    }

    /// The set names a release of this service that is not here, for a reason or because it is on its way.
    pub(crate) fn assign(&mut self, service: &str, held: Option<Held>) {
        let wanted = self.wanted.services.get_mut(&named(service)).unwrap();
        wanted.entry.release = Digest::of(b"not here");
        wanted.held = held;
    }

    pub(crate) fn options(&mut self, service: &str) -> &mut ServiceOptions {
        &mut self.wanted.services.get_mut(&named(service)).unwrap().entry.options
    }

    /// The set no longer has this service.
    pub(crate) fn unset(&mut self, service: &str) {
        self.wanted.services.remove(&named(service));
    }

    pub(crate) fn remove(&mut self, service: &str, mode: RemovalMode) {
        self.unset(service);
        self.wanted.removals.insert(named(service), mode);
    }

    /// Somebody else makes an object.
    pub(crate) fn foreign(&mut self, id: ObjectId) {
        let live = self.live(Digest::of(b"foreign"), None, false);
        self.there.insert(id, live);
    }

    fn live(&mut self, content: Digest, owner: Option<OwnerMark>, adopted: bool) -> Live {
        self.made += 1;
        Live {
            uid: format!("uid-{}", self.made),
            resource_version: self.made.to_string(),
            content,
            owner,
            adopted,
            deleting: false,
            scaler: None,
            finished: None,
            health: Health::Healthy,
        }
    }

    pub(crate) fn plan(&self) -> Plan {
        let kinds = plan::kinds(&self.wanted, &self.inventory);
        let served: BTreeMap<KindRef, Served> = kinds.into_iter().map(|kind| self.served(kind)).collect();
        let wishes = plan::wishes(&self.wanted, &served);
        let addresses = plan::addresses(&wishes, &self.inventory, &served);
        let observed = addresses.into_iter().map(|address| (address.id.clone(), self.seen(&address.id)));
        plan::plan(&Input {
            wanted: &self.wanted,
            wishes: &wishes,
            inventory: &self.inventory,
            served: &served,
            observed: &observed.collect(),
            uses: &self.uses,
            rails: self.rails,
        })
    }

    fn served(&self, kind: KindRef) -> (KindRef, Served) {
        let of_the_cluster =
            ["Namespace", "ClusterRole", "CustomResourceDefinition"].contains(&kind.kind.as_str());
        let usual = Served::Yes { namespaced: !of_the_cluster, version: kind.version.clone() };
        let served = self.odd.get(&kind.kind).cloned().unwrap_or(usual);
        (kind, served)
    }

    fn seen(&self, id: &ObjectId) -> Seen {
        if self.dark.contains(id) {
            return Seen::Unknown("timed out".into());
        }
        self.there.get(id).cloned().map_or(Seen::Missing, Seen::Live)
    }

    /// Takes every step of a plan, as a target that does as it is told.
    pub(crate) fn take(&mut self, plan: &Plan) {
        for (service, id) in &plan.forgets {
            self.inventory.forget(service, id);
        }
        for (service, id, entry) in &plan.notes {
            self.inventory.record(service, id, entry.clone());
        }
        for apply in &plan.applies {
            self.inventory.expect(&apply.prepared.service, &apply.address);
        }
        for apply in &plan.applies {
            let live = self.make(&apply.prepared);
            let entry =
                Entry { uid: Uid::Applied(live.uid), content: Some(live.content), ..apply.entry.clone() };
            self.inventory.record(&apply.prepared.service, &apply.address.id, entry);
        }
        for prune in &plan.prunes {
            let live = self.there.get_mut(&prune.address.id).unwrap();
            assert_eq!(live.uid, prune.uid, "a prune names the UID that it was decided on");
            assert_eq!(live.resource_version, prune.resource_version, "and the version");
            match prune.how {
                How::Delete => drop(self.there.remove(&prune.address.id)),
                How::Release => (live.owner, live.adopted) = (None, false),
            }
            self.inventory.forget(&prune.service, &prune.address.id);
        }
        for (service, standing) in &plan.services {
            if self.inventory.is_ahead(service, &self.wanted.services[service]) {
                continue;
            }
            if let Some(loaded) = &self.wanted.services[service].loaded
                && !standing.held
                && !standing.waits
            {
                let (release, bundle) = (loaded.record.release, loaded.record.bundle);
                self.inventory.complete(service, release, bundle);
            }
        }
    }

    fn make(&mut self, prepared: &Prepared) -> Live {
        let value = prepared.object.value();
        let annotations = &value["metadata"]["annotations"];
        let owner: OwnerMark = annotations[OWNER].as_str().unwrap().parse().unwrap();
        let adopted = annotations[ADOPTED] == "true";
        let mut live = self.live(prepared.object.digest(), Some(owner), adopted);
        if let Some(before) = self.there.get(prepared.object.id()) {
            assert_eq!(prepared.seen.as_ref(), Some(&before.uid));
            (live.uid, live.scaler) = (before.uid.clone(), before.scaler.clone());
        }
        self.there.insert(prepared.object.id().clone(), live.clone());
        live
    }

    /// Plans and takes steps until nothing follows; the plan that said so.
    pub(crate) fn settle(&mut self) -> Plan {
        for _ in 0..20 {
            let plan = self.plan();
            if plan.is_empty() {
                return plan;
            }
            self.take(&plan);
        }
        panic!("there is always something more to do: {:?}", self.plan());
    }

    pub(crate) fn uid(&self, id: &ObjectId) -> String {
        self.there[id].uid.clone()
    }
}

impl Plan {
    /// Whether there is nothing to do.
    pub(crate) fn is_empty(&self) -> bool {
        self.applies.is_empty() && self.prunes.is_empty() && self.forgets.is_empty() && self.notes.is_empty()
    }
}

/// The reasons of a plan's holds, sorted.
pub(crate) fn reasons(plan: &Plan) -> Vec<HoldReason> {
    let mut reasons: Vec<HoldReason> = plan.held.iter().map(|held| held.reason).collect();
    reasons.sort();
    reasons
}
