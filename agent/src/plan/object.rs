//! Decides about wanted objects: leave alone, apply, or hold.

use std::collections::BTreeSet;

use cdn::document::{Health, HoldReason};
use cdn::{Digest, Object, ObjectId, ServiceName};
use serde_json::{Map, Value};

use super::claim::Claims;
use super::{Apply, Cause, Common, Input, Plan, Standing, Wish, phase, scale};
use crate::held::Held;
use crate::inventory::{Entry, Uid};
use crate::target::{ADOPTED, Address, Finish, Live, OWNER, OwnerMark, Prepared, Seen};

/// Plans the objects of one service.
pub(super) fn plan_service(
    input: &Input<'_>,
    service: &ServiceName,
    common: &Common,
    plan: &mut Plan,
) -> Standing {
    let (wanted, list) = (&input.wanted.services[service], &input.wishes.services[service]);
    if wanted.entry.options.suspend {
        let (synced, health) = (is_applied(input, service), Health::Suspended);
        return Standing { synced, held: false, waits: false, health, rest: health };
    }
    let mut held = list.held.clone();
    held.extend(wanted.held.clone());
    let mut standing = Standing {
        synced: wanted.is_current(),
        held: false,
        waits: false,
        health: Health::Unknown,
        rest: Health::Unknown,
    };
    let mut is_known = true;
    if !list.duplicate && !input.inventory.is_ahead(service, wanted) {
        for (id, wish) in &list.objects {
            let one = One { input, service, id, wish: *wish, targeted: common.scaled.contains(id) };
            let health = one.health();
            standing.health = standing.health.and(health);
            is_known &= one.finish() != Some(Finish::Unseen);
            let decision = one.decide(&common.claims);
            if !matches!(decision, Decision::Apply(_)) {
                standing.rest = standing.rest.and(health);
            }
            match decision {
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
    if !is_known {
        // What nobody can say counts here even beside what is well: others may wait for just this.
        standing.health = in_doubt(standing.health);
        standing.rest = in_doubt(standing.rest);
    }
    standing.held = !held.is_empty();
    standing.synced &= !standing.held;
    plan.held.append(&mut held);
    standing
}

fn in_doubt(health: Health) -> Health {
    match health {
        Health::Healthy | Health::Suspended | Health::Unknown => Health::Unknown,
        Health::Progressing | Health::Degraded => health,
    }
}

/// Whether the release that the set names was applied completely before.
pub(super) fn is_applied(input: &Input<'_>, service: &ServiceName) -> bool {
    let release = input.wanted.services.get(service).map(|wanted| wanted.entry.release);
    release.is_some() && input.inventory.owned(service).and_then(|owned| owned.release) == release
}

/// How a wanted Job ended that is gone and not run again.
pub(super) fn finish(input: &Input<'_>, service: &ServiceName, id: &ObjectId) -> Option<Finish> {
    let wish = *input.wishes.services.get(service)?.objects.get(id)?;
    One { input, service, id, wish, targeted: false }.finish()
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
            Seen::Missing => match self.finish() {
                Some(Finish::Completed) => Health::Healthy,
                Some(Finish::Failed) => Health::Degraded,
                Some(Finish::Unseen) => Health::Unknown,
                None => Health::Progressing,
            },
            Seen::Unknown(_) => Health::Unknown,
        }
    }

    /// How it ended, where it is a Job that ended, is gone, and says the same as then: that is not run again
    /// (FAULTS F7).
    fn finish(&self) -> Option<Finish> {
        if !self.is_job() || *self.seen() != Seen::Missing {
            return None;
        }
        let entry = self.known()?;
        // A Job with a time to live may have run and gone between two looks.
        let cleans_up = || self.wish.object.value().pointer("/spec/ttlSecondsAfterFinished").is_some();
        let unseen = || (!entry.uid.is_unconfirmed() && cleans_up()).then_some(Finish::Unseen);
        entry.finished.or_else(unseen)
    }

    /// What is known of this very Job: of this service, or of one that gives it up (FAULTS F14, F15).
    fn known(&self) -> Option<&'a Entry> {
        let wish = Some(self.wish_digest());
        let others = self.input.inventory.services.iter();
        let mut others = others.filter(|(other, _)| *other != self.service && self.may_take_from(other));
        let own = self.entry().filter(|entry| entry.wish == wish);
        own.or_else(|| others.find_map(|(_, owned)| owned.entries.get(self.id).filter(|e| e.wish == wish)))
    }

    fn is_job(&self) -> bool {
        self.id.group == "batch" && self.id.kind == "Job"
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
        if let (Some(finish), Some(known)) = (self.finish(), self.known()) {
            let ended = Entry { finished: Some(finish), ..known.clone() };
            return Decision::Leave((self.entry() != Some(&ended)).then_some(ended));
        }
        let was_there = self.entry().is_some_and(|entry| !entry.uid.is_unconfirmed());
        let cause = if was_there { Cause::Drift } else { Cause::Create };
        self.apply(self.prepare(None, BTreeSet::new()), cause)
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
                let news = live.finished.is_some() && entry.finished != live.finished;
                Decision::Leave(news.then(|| Entry { finished: live.finished, ..entry.clone() }))
            }
            // A write of the same object with another UID: somebody deleted it and brought it back.
            Some(entry) if entry.applied == Some(digest) => self.apply(prepared, Cause::Drift),
            Some(_) | None => self.apply(prepared, Cause::Change),
        }
    }

    /// Whether this is the very object that we applied.
    fn is_the_one(&self, live: &Live) -> bool {
        match self.entry().map(|entry| &entry.uid) {
            None | Some(Uid::Unconfirmed) => false,
            Some(Uid::Applied(uid)) if *uid == live.uid => true,
            Some(Uid::FoundByMark | Uid::Applied(_)) => self.input.rails.abilities.edits_change_uid,
        }
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

    /// What its source says, in the namespace that it has here.
    fn placed(&self) -> Value {
        let mut value = self.wish.object.value();
        if let Some(metadata) = value.get_mut("metadata").and_then(Value::as_object_mut) {
            match &self.id.namespace {
                Some(namespace) => metadata.insert("namespace".to_owned(), Value::from(namespace.as_str())),
                None => metadata.remove("namespace"),
            };
        }
        value
    }

    fn wish_digest(&self) -> Digest {
        Digest::of(&cdn::json::canonical(&self.placed()))
    }

    /// The object as it is to be applied: namespace and marks filled in, what an autoscaler owns left out.
    fn prepare(&self, live: Option<&Live>, former: BTreeSet<ServiceName>) -> Prepared {
        let mut value = self.placed();
        let mark = OwnerMark::new(self.input.wanted.fleet, self.service.clone(), self.id);
        if let Some(metadata) = value.get_mut("metadata").and_then(Value::as_object_mut) {
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
            wish: self.is_job().then(|| self.wish_digest()),
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
            before: self.health(),
        }))
    }

    fn hold(&self, reason: HoldReason, message: impl Into<String>) -> Decision {
        Decision::Hold(Held::object(reason, self.service, self.id, message))
    }
}
