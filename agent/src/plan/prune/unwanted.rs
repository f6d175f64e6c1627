//! Decides what becomes of one object that its service no longer wants (law L6).

use cdn::document::{HoldReason, RemovalMode};
use cdn::{ObjectId, ServiceName};

use super::{Leave, objects};
use crate::held::Held;
use crate::inventory::{Entry, Uid};
use crate::plan::claim::{self, Claims};
use crate::plan::{How, Input, Prune, phase};
use crate::target::{Address, KindRef, Live, Seen, Served, Uses};

/// One entry that its service no longer wants.
pub(super) struct Unwanted<'a> {
    pub(super) input: &'a Input<'a>,
    pub(super) claims: &'a Claims,
    pub(super) service: &'a ServiceName,
    pub(super) id: &'a ObjectId,
    pub(super) entry: &'a Entry,
}

pub(super) enum Verdict {
    Forget,
    Note(Box<Entry>),
    Release(Box<Prune>),
    Delete(Box<Prune>),
    /// Only with a person's yes to exactly this object.
    Confirm(Box<Prune>),
    Hold(Box<Held>),
    /// Something has to be known first.
    Wait,
    /// Nothing goes: another service takes it over, or its end is to be remembered for one that may.
    Stay,
}

impl Unwanted<'_> {
    pub(super) fn verdict(&self, leave: Leave) -> Verdict {
        let kind = KindRef::at(self.id, &self.entry.version);
        let version = match self.input.served.get(&kind) {
            Some(Served::Yes { version, .. }) => version,
            // Its kind is proved to be gone, and the object with it (FAULTS F3).
            Some(Served::Absent) => return Verdict::Forget,
            Some(Served::Unknown(why)) => {
                return self.hold(HoldReason::KindUnknown, format!("{kind}: {why}"));
            }
            None => return Verdict::Wait,
        };
        let live = match self.input.observed.get(self.id) {
            Some(Seen::Live(live)) => live,
            Some(Seen::Missing) => return self.missing(),
            Some(Seen::Unknown(why)) => {
                return self.hold(HoldReason::CannotLook, format!("cannot be looked at: {why}"));
            }
            None => return Verdict::Wait,
        };
        match claim::owner(self.input, self.id) {
            Some(owner) if owner == self.service => {}
            // Whoever owns it now, it is not this service (FAULTS F13, F14, F23).
            Some(_) | None => return Verdict::Forget,
        }
        if self.claims.contains_key(self.id) {
            return Verdict::Stay;
        }
        if live.deleting {
            return self.hold(HoldReason::Deleting, "it is being deleted and something keeps it");
        }
        self.ours(live, version, leave)
    }

    /// A Job that has ended may be another service's in a release that is not here yet, and not run again (FAULTS F7).
    fn missing(&self) -> Verdict {
        let is_remembered = self.entry.finished.is_some() && unseen(self.input, self.service).is_some();
        if is_remembered { Verdict::Stay } else { Verdict::Forget }
    }

    /// It is there, served, and carries our mark.
    fn ours(&self, live: &Live, version: &str, leave: Leave) -> Verdict {
        let (entry, uid) = (self.entry, live.uid.clone());
        let prune = |how| {
            Box::new(Prune {
                service: self.service.clone(),
                address: Address { id: self.id.clone(), version: version.to_owned() },
                uid: uid.clone(),
                resource_version: live.resource_version.clone(),
                how,
                phase: phase::of(self.id),
            })
        };
        match &entry.uid {
            // Applied by a pass that ended before it could write the UID down; now it is known, the next pass decides.
            Uid::Unconfirmed => {
                let adopted = entry.adopted || live.adopted;
                Verdict::Note(Box::new(Entry { uid: Uid::Applied(uid), adopted, ..entry.clone() }))
            }
            Uid::FoundByMark | Uid::Applied(_)
                if entry.adopted
                    || live.adopted
                    || entry.keep
                    || leave == Leave::Removed(RemovalMode::Orphan) =>
            {
                Verdict::Release(prune(How::Release))
            }
            Uid::Applied(known) if *known == uid => match self.used() {
                Some(held) => Verdict::Hold(Box::new(held)),
                None => Verdict::Delete(prune(How::Delete)),
            },
            Uid::FoundByMark | Uid::Applied(_) => Verdict::Confirm(prune(How::Delete)),
        }
    }

    /// What is in the way of deleting a definition: with it goes every object of its kind, also what others made
    /// (FAULTS F17).
    fn used(&self) -> Option<Held> {
        let held = |reason, why: String| Some(Held::object(reason, self.service, self.id, why));
        match self.input.uses.get(self.id)? {
            Uses::Unknown(why) => held(HoldReason::CannotLook, format!("nobody can say who uses it: {why}")),
            Uses::Known { kind, owners } => {
                let group = self.id.name.split_once('.').map_or("", |(_, group)| group);
                let is_of_it = |id: &ObjectId| id.kind == *kind && id.group == group;
                let mut lists = self.input.wishes.services.values();
                let is_wanted = lists.any(|list| list.objects.keys().any(is_of_it));
                let counts = |owner: &Option<ServiceName>| is_wanted || owner.as_ref() != Some(self.service);
                let others: usize =
                    owners.iter().filter(|(owner, _)| counts(owner)).map(|(_, count)| count).sum();
                if others == 0 {
                    return None;
                }
                held(
                    HoldReason::InUse,
                    format!("{} of kind {kind} would be deleted with it", objects(others)),
                )
            }
        }
    }

    fn hold(&self, reason: HoldReason, why: impl Into<String>) -> Verdict {
        Verdict::Hold(Box::new(Held::object(reason, self.service, self.id, why)))
    }
}

/// A service that may have taken objects over, in a release that is not here yet (FAULTS F14): deleting them now and
/// making them anew then would not be a move.
pub(super) struct Unseen<'a> {
    pub(super) service: &'a ServiceName,
    /// It is on its way, nothing is wrong with it.
    pub(super) is_coming: bool,
}

pub(super) fn unseen<'a>(input: &Input<'a>, service: &ServiceName) -> Option<Unseen<'a>> {
    let may_take = |other: &ServiceName, formerly: &[ServiceName]| {
        other.project() == service.project() || formerly.contains(service)
    };
    let mut others = input.wanted.services.iter();
    let unseen = others
        .find(|(other, wanted)| !wanted.is_current() && may_take(other, &wanted.entry.options.formerly));
    unseen.map(|(service, wanted)| Unseen { service, is_coming: wanted.held.is_none() })
}

#[cfg(test)]
mod tests;
