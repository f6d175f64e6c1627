//! Decides what may go (law L6): only on proof, inside the budget, and a whole service only by a signed removal.

use cdn::document::{HoldReason, RemovalMode};
use cdn::{Digest, ObjectId, ServiceName};

use super::claim::{self, Claims};
use super::{How, Input, Plan, Prune, digest_of, phase};
use crate::held::Held;
use crate::inventory::{Entry, Owned};
use crate::target::{Address, KindRef, Live, Seen, Served};

/// Plans what is ours and no longer wanted.
pub(super) fn plan_prunes(input: &Input<'_>, claims: &Claims, plan: &mut Plan) {
    let mut wishing: Vec<Going> = Vec::new();
    for (service, owned) in &input.inventory.services {
        let Some(leave) = leave(input, service, owned, plan) else { continue };
        let mut going = Going { service: service.clone(), leave, open: Vec::new(), protected: Vec::new() };
        for (id, entry) in owned.entries.iter().filter(|(id, _)| is_unwanted(input, service, id)) {
            match verdict(input, claims, (service, id, entry), leave) {
                Verdict::Forget => plan.forgets.push((service.clone(), id.clone())),
                Verdict::Note(entry) => plan.notes.push((service.clone(), id.clone(), *entry)),
                Verdict::Release(uid) => plan.prunes.push(prune(service, id, entry, (uid, How::Release))),
                Verdict::Delete(uid) if phase::is_protected(id) => going.protected.push((id.clone(), uid)),
                Verdict::Delete(uid) => going.open.push((id.clone(), uid)),
                Verdict::Confirm(uid, why) => confirm(input, (service, id, entry), (uid, why), plan),
                Verdict::Hold(held) => plan.held.push(held),
                Verdict::Wait => {}
            }
        }
        wishing.push(going);
    }
    let approved =
        |going: &&Going| input.wanted.approved.contains(&digest_of(input, &going.service, &going.open));
    let counted = wishing.iter().filter(|going| going.counts() && !approved(going));
    let total: usize = counted.map(|going| going.open.len()).sum();
    let overdrawn = total > input.rails.budget(input.inventory.len());
    for going in &wishing {
        delete(input, going, overdrawn, plan);
    }
    for service in input.wanted.removals.keys() {
        let left = input.inventory.owned(service).is_some_and(|owned| !owned.entries.is_empty());
        if !left && !input.wanted.services.contains_key(service) {
            plan.removed.push(service.clone());
        }
    }
}

/// Why objects of a service leave.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Leave {
    /// They left the bundle; not all applies of the service are through where `ready` is false.
    Bundle { ready: bool },
    /// The service is removed.
    Removed(RemovalMode),
}

/// What wants to go of one service, with the UIDs looked at.
struct Going {
    service: ServiceName,
    leave: Leave,
    open: Vec<(ObjectId, String)>,
    protected: Vec<(ObjectId, String)>,
}

impl Going {
    /// A removal is a person's own word for exactly this service; the budget is against accidents.
    fn counts(&self) -> bool {
        matches!(self.leave, Leave::Bundle { .. })
    }
}

/// Whether anything of a service may leave, or none of it is looked at.
fn leave(input: &Input<'_>, service: &ServiceName, owned: &Owned, plan: &mut Plan) -> Option<Leave> {
    let Some(wanted) = input.wanted.services.get(service) else {
        if let Some(mode) = input.wanted.removals.get(service) {
            return Some(Leave::Removed(*mode));
        }
        if !owned.entries.is_empty() {
            let message = format!("not in the set any more; its {} objects are kept", owned.entries.len());
            plan.held.push(Held::service(HoldReason::Unassigned, service, message));
        }
        // What another service has taken over by now is not this one's any more, in any case.
        forget_taken(input, service, owned, plan);
        return None;
    };
    wanted.loaded.as_ref()?;
    if wanted.entry.options.suspend || !wanted.entry.options.prune {
        return None;
    }
    let standing = plan.services.get(service).filter(|standing| !standing.waits)?;
    Some(Leave::Bundle { ready: !standing.held })
}

fn forget_taken(input: &Input<'_>, service: &ServiceName, owned: &Owned, plan: &mut Plan) {
    let taken = |id: &&ObjectId| claim::owner(input, id).is_some_and(|owner| owner != service);
    plan.forgets.extend(owned.entries.keys().filter(taken).map(|id| (service.clone(), id.clone())));
}

fn is_unwanted(input: &Input<'_>, service: &ServiceName, id: &ObjectId) -> bool {
    input.wishes.services.get(service).is_none_or(|list| !list.objects.contains_key(id))
}

enum Verdict {
    Forget,
    Note(Box<Entry>),
    Release(String),
    Delete(String),
    /// Only with a person's yes to exactly this object.
    Confirm(String, &'static str),
    Hold(Held),
    /// Another service takes it over in this pass, or something has to be known first.
    Wait,
}

fn verdict(
    input: &Input<'_>,
    claims: &Claims,
    (service, id, entry): (&ServiceName, &ObjectId, &Entry),
    leave: Leave,
) -> Verdict {
    let hold = |reason, why: String| Verdict::Hold(Held::object(reason, service, id, why));
    let kind = KindRef::at(id, &entry.version);
    match input.served.get(&kind) {
        Some(Served::Yes { .. }) => {}
        // Its kind is proved to be gone, and the object with it (FAULTS F3).
        Some(Served::Absent) => return Verdict::Forget,
        Some(Served::Unknown(why)) => return hold(HoldReason::KindUnknown, format!("{kind}: {why}")),
        None => return Verdict::Wait,
    }
    let live = match input.observed.get(id) {
        Some(Seen::Live(live)) => live,
        Some(Seen::Missing) => return Verdict::Forget,
        Some(Seen::Unknown(why)) => {
            return hold(HoldReason::PruneWaits, format!("cannot be looked at: {why}"));
        }
        None => return Verdict::Wait,
    };
    match claim::owner(input, id) {
        Some(owner) if owner == service => {}
        // Whoever owns it now, it is not this service (FAULTS F13, F14, F23).
        Some(_) | None => return Verdict::Forget,
    }
    if claims.contains_key(id) {
        return Verdict::Wait;
    }
    if live.deleting {
        return hold(HoldReason::Deleting, "it is being deleted and something keeps it".to_owned());
    }
    ours(live, entry, leave)
}

/// It is there, served, and carries our mark.
fn ours(live: &Live, entry: &Entry, leave: Leave) -> Verdict {
    let uid = live.uid.clone();
    match &entry.uid {
        // Applied by a pass that ended before it could write the UID down; now it is known, the next pass decides.
        None => {
            let adopted = entry.adopted || live.adopted;
            Verdict::Note(Box::new(Entry { uid: Some(uid), adopted, ..entry.clone() }))
        }
        Some(_) if entry.adopted || live.adopted || entry.keep => Verdict::Release(uid),
        Some(_) if leave == Leave::Removed(RemovalMode::Orphan) => Verdict::Release(uid),
        Some(known) if *known == uid => Verdict::Delete(uid),
        Some(_) => Verdict::Confirm(uid, "it is not the one that was applied, though it carries our mark"),
    }
}

fn confirm(
    input: &Input<'_>,
    (service, id, entry): (&ServiceName, &ObjectId, &Entry),
    (uid, why): (String, &'static str),
    plan: &mut Plan,
) {
    let digest = digest_of(input, service, &[(id.clone(), uid.clone())]);
    if input.wanted.approved.contains(&digest) && input.rails.prune {
        plan.prunes.push(prune(service, id, entry, (uid, How::Delete)));
    } else {
        let held = Held::object(HoldReason::NeedsConfirm, service, id, why).until_approved(digest);
        plan.held.push(held);
    }
}

fn delete(input: &Input<'_>, going: &Going, overdrawn: bool, plan: &mut Plan) {
    let Going { service, open, protected, .. } = going;
    if open.is_empty() && protected.is_empty() {
        return;
    }
    match may_delete(input, going) {
        Ok(true) => {}
        Ok(false) => return,
        Err(held) => return plan.held.push(*held),
    }
    let owned = &input.inventory.services[service].entries;
    let mut go = |(id, uid): &(ObjectId, String)| {
        plan.prunes.push(prune(service, id, &owned[id], (uid.clone(), How::Delete)));
    };
    let approved = |digest: &Digest| input.wanted.approved.contains(digest);
    let mut held = Vec::new();
    if let Some(digest) = over_budget(input, going, overdrawn).filter(|digest| !approved(digest)) {
        let message = format!("{} of {} objects would be deleted{}", open.len(), owned.len(), names(open));
        held.push(Held::service(HoldReason::PruneBudget, service, message).until_approved(digest));
    } else {
        open.iter().for_each(&mut go);
    }
    if !protected.is_empty() {
        let digest = digest_of(input, service, protected);
        if approved(&digest) {
            protected.iter().for_each(&mut go);
        } else {
            let message = format!("these are deleted only with a yes{}", names(protected));
            held.push(Held::service(HoldReason::NeedsConfirm, service, message).until_approved(digest));
        }
    }
    plan.held.append(&mut held);
}

/// Whether anything of a service may be deleted now, whatever a person says; false: not yet, and nothing is wrong.
fn may_delete(input: &Input<'_>, going: &Going) -> Result<bool, Box<Held>> {
    let count = going.open.len() + going.protected.len();
    let held = |reason, why: &str| {
        Err(Box::new(Held::service(reason, &going.service, format!("{count} objects should go, {why}"))))
    };
    if !input.rails.deletes {
        return held(HoldReason::PruneUnsupported, "and this target ignores a removal");
    }
    if !input.rails.prune {
        return held(HoldReason::TrustLost, "but not before one clean full pass");
    }
    if going.leave == (Leave::Bundle { ready: false }) {
        return held(HoldReason::PruneWaits, "once the rest of the service is applied");
    }
    match unseen(input, &going.service) {
        Some((_, true)) => Ok(false),
        Some((other, false)) => {
            held(HoldReason::PruneWaits, &format!("unless {other} has them now: its release is not here"))
        }
        None => Ok(true),
    }
}

/// A service that may have taken objects over, in a release that is not here yet (FAULTS F14): deleting them now and
/// making them anew then would not be a move. The flag: it is on its way, nothing is wrong with it.
fn unseen<'a>(input: &Input<'a>, service: &ServiceName) -> Option<(&'a ServiceName, bool)> {
    let may_take = |other: &ServiceName, formerly: &[ServiceName]| {
        other.project() == service.project() || formerly.contains(service)
    };
    let mut others = input.wanted.services.iter();
    let unseen = others
        .find(|(other, wanted)| !wanted.is_current() && may_take(other, &wanted.entry.options.formerly));
    unseen.map(|(other, wanted)| (other, wanted.held.is_none()))
}

/// The digest to approve, where the budget does not cover what wants to go. An empty bundle is never within it
/// (FAULTS B9).
fn over_budget(input: &Input<'_>, going: &Going, overdrawn: bool) -> Option<Digest> {
    if !going.counts() || going.open.is_empty() {
        return None;
    }
    let empty = input.wishes.services.get(&going.service).is_none_or(|list| list.objects.is_empty());
    let owned = input.inventory.services[&going.service].entries.len();
    let over = empty || overdrawn || going.open.len() > input.rails.budget(owned);
    over.then(|| digest_of(input, &going.service, &going.open))
}

fn names(objects: &[(ObjectId, String)]) -> String {
    let first: Vec<String> = objects.iter().take(3).map(|(id, _)| id.to_string()).collect();
    let more = if objects.len() > 3 { format!(" and {} more", objects.len() - 3) } else { String::new() };
    format!(": {}{more}", first.join(", "))
}

fn prune(service: &ServiceName, id: &ObjectId, entry: &Entry, (uid, how): (String, How)) -> Prune {
    Prune {
        service: service.clone(),
        address: Address { id: id.clone(), version: entry.version.clone() },
        uid,
        how,
        phase: phase::of(id),
    }
}
