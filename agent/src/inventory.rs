//! `Inventory`: the objects that are ours. Always a superset of what is there (law L7): an entry is written before its
//! object is first applied, and goes only when its object is proved to be gone or no longer ours.

mod shards;

use std::collections::BTreeMap;

use cdn::{Digest, ObjectId, ServiceName};
use serde::{Deserialize, Serialize};

use crate::target::{Address, Finish};
use crate::wanted::WantedService;

pub(crate) use shards::BadInventory;

/// What is ours, by service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Inventory {
    /// Grows with every change that is saved: of two copies the higher one is newer.
    pub number: u64,
    /// Whether state was lost since the last clean full pass: until there is one nothing goes (DESIGN 4.4). Kept with what
    /// it is about, so that a restart does not forget it.
    pub lost: bool,
    /// By service. A service without entries stands for one that is known and empty.
    pub services: BTreeMap<ServiceName, Owned>,
}

/// What is ours of one service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Owned {
    /// The release that was last applied completely.
    pub release: Option<Digest>,
    /// That release's bundle: T.
    pub bundle: Option<Digest>,
    /// The objects.
    pub entries: BTreeMap<ObjectId, Entry>,
}

/// One object of ours.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    /// The API version that it was applied in.
    pub version: String,
    /// Its UID, as far as it is known.
    #[serde(default, skip_serializing_if = "Uid::is_unconfirmed")]
    pub uid: Uid,
    /// The digest of what was applied last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub applied: Option<Digest>,
    /// What it looked like after that: another look now is drift.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<Digest>,
    /// Whether it was there before us: then it is let go, never deleted (FAULTS F16).
    #[serde(default, skip_serializing_if = "is_false")]
    pub adopted: bool,
    /// Whether its source asks that it be let go instead of deleted.
    #[serde(default, skip_serializing_if = "is_false")]
    pub keep: bool,
    /// How it ended, where it is a Job that did: not run again because something removed it (FAULTS F7).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished: Option<Finish>,
    /// Of a Job, the digest of what its source says, without any mark of ours: the same Job under another service, or
    /// adopted, is the same Job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wish: Option<Digest>,
}

/// What is known of the UID of an object of ours. Kept as a text: none, an empty one - which is no object's -, or the UID.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Option<String>", into = "Option<String>")]
pub(crate) enum Uid {
    /// Its first apply was not confirmed: it may be there, or not.
    #[default]
    Unconfirmed,
    /// It was only found by its mark, after the inventory was lost: nobody knows that it is what was applied, so it goes
    /// only with a yes.
    FoundByMark,
    /// It was applied, and had this one.
    Applied(String),
}

impl Uid {
    /// Whether nobody has seen it yet.
    pub(crate) fn is_unconfirmed(&self) -> bool {
        *self == Self::Unconfirmed
    }
}

impl From<Option<String>> for Uid {
    fn from(kept: Option<String>) -> Self {
        match kept {
            None => Self::Unconfirmed,
            Some(uid) if uid.is_empty() => Self::FoundByMark,
            Some(uid) => Self::Applied(uid),
        }
    }
}

impl From<Uid> for Option<String> {
    fn from(uid: Uid) -> Self {
        match uid {
            Uid::Unconfirmed => None,
            Uid::FoundByMark => Some(String::new()),
            Uid::Applied(uid) => Some(uid),
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde calls")]
fn is_false(flag: &bool) -> bool {
    !flag
}

impl Inventory {
    /// What is ours of a service.
    pub(crate) fn owned(&self, service: &ServiceName) -> Option<&Owned> {
        self.services.get(service)
    }

    /// One object of a service.
    pub(crate) fn entry(&self, service: &ServiceName, id: &ObjectId) -> Option<&Entry> {
        self.services.get(service)?.entries.get(id)
    }

    /// Every object, with the service that it belongs to.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (&ServiceName, &ObjectId, &Entry)> {
        self.services
            .iter()
            .flat_map(|(service, owned)| owned.entries.iter().map(move |(id, entry)| (service, id, entry)))
    }

    /// How many objects are ours.
    pub(crate) fn len(&self) -> usize {
        self.services.values().map(|owned| owned.entries.len()).sum()
    }

    /// Whether nothing is ours.
    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Makes room for an object before it is first applied; says whether that is news.
    pub(crate) fn expect(&mut self, service: &ServiceName, address: &Address) -> bool {
        let entries = &mut self.services.entry(service.clone()).or_default().entries;
        if entries.contains_key(&address.id) {
            return false;
        }
        let entry = Entry { version: address.version.clone(), ..Entry::default() };
        entries.insert(address.id.clone(), entry);
        true
    }

    /// Takes in an object that carries our mark and is in no inventory (FAULTS F22).
    pub(crate) fn find(&mut self, service: &ServiceName, address: &Address) {
        let entry = Entry { version: address.version.clone(), uid: Uid::FoundByMark, ..Entry::default() };
        self.record(service, &address.id, entry);
    }

    /// Writes down an object after it was applied or looked at, and takes it from any other service: an object has
    /// one owner (FAULTS F14).
    pub(crate) fn record(&mut self, service: &ServiceName, id: &ObjectId, entry: Entry) {
        for (other, owned) in &mut self.services {
            if other != service {
                owned.entries.remove(id);
            }
        }
        self.services.entry(service.clone()).or_default().entries.insert(id.clone(), entry);
    }

    /// Drops an object that is proved to be gone, or no longer ours.
    pub(crate) fn forget(&mut self, service: &ServiceName, id: &ObjectId) {
        if let Some(owned) = self.services.get_mut(service) {
            owned.entries.remove(id);
        }
    }

    /// Takes in what only an older copy knows. Whether that is still there is seen by looking; a copy that a newer one did
    /// not know of may be the only one that noted it (law L7).
    pub(crate) fn widen(&mut self, older: &Self) {
        for (service, id, entry) in older.entries() {
            if !self.knows(id) {
                let owned = self.services.entry(service.clone()).or_default();
                owned.entries.insert(id.clone(), entry.clone());
            }
        }
    }

    /// Whether an object is some service's.
    pub(crate) fn knows(&self, id: &ObjectId) -> bool {
        self.services.values().any(|owned| owned.entries.contains_key(id))
    }

    /// Whether a service runs the release that the set names while only an older one is loaded: it was applied from
    /// memory, and is not on disk. What runs stays.
    pub(crate) fn is_ahead(&self, service: &ServiceName, wanted: &WantedService) -> bool {
        !wanted.is_current()
            && self.owned(service).and_then(|owned| owned.release) == Some(wanted.entry.release)
    }

    /// A service was applied completely at a release.
    pub(crate) fn complete(&mut self, service: &ServiceName, release: Digest, bundle: Digest) {
        let owned = self.services.entry(service.clone()).or_default();
        owned.release = Some(release);
        owned.bundle = Some(bundle);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f14_an_object_that_one_service_records_is_no_other_services() {
        let id = ObjectId {
            group: String::new(),
            kind: "ConfigMap".into(),
            namespace: Some("x".into()),
            name: "m".into(),
        };
        let [old, new]: [ServiceName; 2] = ["default/old", "default/new"].map(|name| name.parse().unwrap());
        let address = Address { id: id.clone(), version: "v1".into() };
        let mut inventory = Inventory::default();
        assert!(inventory.expect(&old, &address));
        assert!(!inventory.expect(&old, &address));
        // Room for the new owner takes nothing from the old one: the apply may fail.
        assert!(inventory.expect(&new, &address));
        assert_eq!(inventory.len(), 2);
        inventory.record(&new, &id, Entry::default());
        assert!(inventory.entry(&old, &id).is_none());
        assert!(inventory.entry(&new, &id).is_some());
    }
}
