//! Decides about wanted objects: leave alone, apply, or hold.

use std::collections::BTreeSet;

use cdn::document::{Health, HoldReason};
use cdn::{Object, ObjectId, ServiceName};
use serde_json::{Map, Value};

use super::claim::Claims;
use super::{Apply, Cause, Input, Plan, Standing, Wish, Wishlist, phase, scale};
use crate::held::Held;
use crate::inventory::Entry;
use crate::target::{ADOPTED, Address, Live, OWNER, OwnerMark, Prepared, Seen};

/// Who gets what, and what an autoscaler targets.
type Shared<'a> = (&'a Claims, &'a BTreeSet<ObjectId>);

/// Plans the objects of one service.
pub(super) fn plan_service(
    input: &Input<'_>,
    (service, list): (&ServiceName, &Wishlist<'_>),
    (claims, scaled): Shared<'_>,
    plan: &mut Plan,
) -> Standing {
    let wanted = &input.wanted.services[service];
    if wanted.entry.options.suspend {
        let synced = is_applied(input, service);
        return Standing { synced, held: false, waits: false, health: Health::Suspended };
    }
    let mut held = list.held.clone();
    held.extend(wanted.held.clone());
    // What runs is newer than what is loaded: its bundle was applied from memory and is not on disk. It stays.
    let is_behind = !wanted.is_current() && is_applied(input, service);
    let mut standing =
        Standing { synced: wanted.is_current(), held: false, waits: false, health: Health::Unknown };
    if !list.duplicate && !is_behind {
        for (id, wish) in &list.objects {
            let one = One { input, service, id, wish: *wish, targeted: scaled.contains(id) };
            standing.health = standing.health.and(one.health());
            match one.decide(claims) {
                Decision::Leave(None) => {}
                Decision::Leave(Some(entry)) => plan.notes.push((service.clone(), id.clone(), entry)),
                Decision::Apply(apply) => {
                    standing.synced = false;
                    plan.applies.push(*apply);
                }
                Decision::Hold(found) => held.push(found),
            }
        }
    }
    standing.held = !held.is_empty();
    standing.synced &= !standing.held;
    plan.held.append(&mut held);
    standing
}

/// Whether the release that the set names was applied completely before.
pub(super) fn is_applied(input: &Input<'_>, service: &ServiceName) -> bool {
    let release = input.wanted.services.get(service).map(|wanted| wanted.entry.release);
    release.is_some() && input.inventory.owned(service).and_then(|owned| owned.release) == release
}

enum Decision {
    /// It is as it should be; the inventory may have to learn something.
    Leave(Option<Entry>),
    Apply(Box<Apply>),
    Hold(Held),
}

/// One wanted object, and all that is known of it.
struct One<'a> {
    input: &'a Input<'a>,
    service: &'a ServiceName,
    id: &'a ObjectId,
    wish: Wish<'a>,
    targeted: bool,
}

impl<'a> One<'a> {
    fn seen(&self) -> &'a Seen {
        static NOT_LOOKED_AT: Seen = Seen::Unknown(String::new());
        // A kind that is only promised was proved to be absent, and its objects with it.
        let otherwise = if self.wish.promised { &Seen::Missing } else { &NOT_LOOKED_AT };
        self.input.observed.get(self.id).unwrap_or(otherwise)
    }

    fn entry(&self) -> Option<&'a Entry> {
        self.input.inventory.entry(self.service, self.id)
    }

    fn health(&self) -> Health {
        match self.seen() {
            Seen::Live(live) => live.health,
            Seen::Missing if self.entry().is_some_and(|entry| entry.finished) => Health::Healthy,
            Seen::Missing => Health::Progressing,
            Seen::Unknown(_) => Health::Unknown,
        }
    }

    fn decide(&self, claims: &Claims) -> Decision {
        if let Some(other) = claims.get(self.id).filter(|other| *other != self.service) {
            return self.hold(HoldReason::OwnedBy, format!("{other} declares it too, and has it"));
        }
        match self.seen() {
            Seen::Unknown(why) => self.hold(HoldReason::ApplyFailed, format!("cannot be looked at: {why}")),
            Seen::Missing => self.missing(),
            Seen::Live(live) if live.deleting => {
                self.hold(HoldReason::Deleting, "it is being deleted and something keeps it")
            }
            Seen::Live(live) => self.live(live),
        }
    }

    fn missing(&self) -> Decision {
        let prepared = self.prepare(None, BTreeSet::new());
        let known = self.entry();
        let was_there = known.is_some_and(|entry| entry.uid.is_some());
        if let Some(entry) = known.filter(|entry| entry.applied == Some(prepared.object.digest()))
            && (entry.finished || (was_there && self.cleans_up_after_itself()))
        {
            let news = !entry.finished;
            return Decision::Leave(news.then(|| Entry { finished: true, ..entry.clone() }));
        }
        self.apply(prepared, if was_there { Cause::Drift } else { Cause::Create })
    }

    /// A Job with a time to live may have run and gone between two looks (FAULTS F7).
    fn cleans_up_after_itself(&self) -> bool {
        self.id.group == "batch"
            && self.id.kind == "Job"
            && self.wish.object.value().pointer("/spec/ttlSecondsAfterFinished").is_some()
    }

    fn live(&self, live: &Live) -> Decision {
        let fleet = self.input.wanted.fleet;
        let mark = live.owner.as_ref().filter(|mark| mark.names(self.id));
        match mark {
            Some(mark) if mark.fleet != fleet => {
                self.hold(HoldReason::OwnedBy, format!("{} of another fleet owns it", mark.service))
            }
            Some(mark) if mark.service == *self.service => self.ours(live),
            Some(mark) if self.may_take_from(&mark.service) => {
                let former = BTreeSet::from([mark.service.clone()]);
                self.apply(self.prepare(Some(live), former), Cause::Transfer)
            }
            Some(mark) => self.hold(HoldReason::OwnedBy, format!("{} owns it", mark.service)),
            None if self.is_the_one(live) => {
                self.apply(self.prepare(Some(live), BTreeSet::new()), Cause::Drift)
            }
            None => self.apply(self.prepare(Some(live), BTreeSet::new()), Cause::Adopt),
        }
    }

    fn ours(&self, live: &Live) -> Decision {
        let prepared = self.prepare(Some(live), BTreeSet::new());
        let digest = prepared.object.digest();
        match self.entry() {
            Some(entry) if entry.applied == Some(digest) && self.is_the_one(live) => {
                if entry.content != Some(live.content) {
                    return self.apply(prepared, Cause::Drift);
                }
                let news = live.finished && !entry.finished;
                Decision::Leave(news.then(|| Entry { finished: true, ..entry.clone() }))
            }
            // A write of the same object with another UID: somebody deleted it and brought it back.
            Some(entry) if entry.applied == Some(digest) => self.apply(prepared, Cause::Drift),
            Some(_) | None => self.apply(prepared, Cause::Change),
        }
    }

    /// Whether this is the very object that we applied.
    fn is_the_one(&self, live: &Live) -> bool {
        let uid = self.entry().and_then(|entry| entry.uid.as_deref());
        uid == Some(live.uid.as_str()) || (uid.is_some() && self.input.rails.edits_change_uid)
    }

    /// A former name gives its objects up; so does a service of the same project that no longer declares the object
    /// (FAULTS F14), or is no longer in the set (FAULTS F15).
    fn may_take_from(&self, owner: &ServiceName) -> bool {
        let formerly = &self.input.wanted.services[self.service].entry.options.formerly;
        if formerly.contains(owner) {
            return true;
        }
        let gave_up = match (self.input.wanted.services.get(owner), self.input.wishes.services.get(owner)) {
            (Some(wanted), Some(list)) => {
                wanted.loaded.is_some()
                    && !wanted.entry.options.suspend
                    && !list.objects.contains_key(self.id)
            }
            (Some(_), None) => false,
            (None, _) => true,
        };
        gave_up && owner.project() == self.service.project()
    }

    /// The object as it is to be applied: namespace and marks filled in, what an autoscaler owns left out.
    fn prepare(&self, live: Option<&Live>, former: BTreeSet<ServiceName>) -> Prepared {
        let mut value = self.wish.object.value();
        let mark = OwnerMark::new(self.input.wanted.fleet, self.service.clone(), self.id);
        if let Some(metadata) = value.get_mut("metadata").and_then(Value::as_object_mut) {
            match &self.id.namespace {
                Some(namespace) => metadata.insert("namespace".to_owned(), Value::from(namespace.as_str())),
                None => metadata.remove("namespace"),
            };
            let annotations = metadata.entry("annotations").or_insert_with(|| Value::Object(Map::default()));
            if !annotations.is_object() {
                *annotations = Value::Object(Map::default());
            }
            annotations[OWNER] = Value::from(mark.to_string());
            if live.is_some_and(|live| self.is_adopted(live)) {
                annotations[ADOPTED] = Value::from("true");
            }
        }
        if live.is_some_and(|live| scale::is_scaled(live, self.targeted))
            && let Some(spec) = value.get_mut("spec").and_then(Value::as_object_mut)
        {
            spec.remove("replicas");
        }
        let object =
            Object::from_value(&value).expect("a bundle's object stays one with a namespace and marks");
        let seen = live.map(|live| live.uid.clone());
        Prepared { service: self.service.clone(), object, former, seen }
    }

    /// Whether it was there before us: by its own annotation, by what we wrote down, or because it has no owner yet.
    fn is_adopted(&self, live: &Live) -> bool {
        let noted = self.entry().is_some_and(|entry| entry.adopted) && self.is_the_one(live);
        let unowned = live.owner.as_ref().is_none_or(|mark| !mark.names(self.id));
        noted || (live.adopted && !unowned) || (unowned && !self.is_the_one(live))
    }

    fn apply(&self, prepared: Prepared, cause: Cause) -> Decision {
        let value = self.wish.object.value();
        let live = match self.seen() {
            Seen::Live(live) => Some(live),
            Seen::Missing | Seen::Unknown(_) => None,
        };
        let entry = Entry {
            version: self.wish.object.version().to_owned(),
            applied: Some(prepared.object.digest()),
            adopted: live.is_some_and(|live| self.is_adopted(live)),
            keep: phase::asks_to_be_kept(&value),
            ..Entry::default()
        };
        Decision::Apply(Box::new(Apply {
            address: Address { id: self.id.clone(), version: self.wish.object.version().to_owned() },
            phase: self.wish.phase,
            wave: phase::wave(&value),
            promised: self.wish.promised,
            prepared,
            cause,
            entry,
        }))
    }

    fn hold(&self, reason: HoldReason, message: impl Into<String>) -> Decision {
        Decision::Hold(Held::object(reason, self.service, self.id, message))
    }
}
