//! Decides what may go (law L6): only on proof, inside the budget, and a whole service only by a signed removal.

mod unwanted;

use cdn::document::{HoldReason, RemovalMode};
use cdn::limits::TEXT_CHARS;
use cdn::{Digest, ObjectId, ServiceName};
use program::progress;

use self::unwanted::{Unseen, Unwanted, Verdict, unseen};
use super::claim::{self, Claims};
use super::{Input, Plan, Prune, digest_of};
use crate::held::Held;
use crate::inventory::Owned;

/// Plans what is ours and no longer wanted.
pub(super) fn plan_prunes(input: &Input<'_>, claims: &Claims, plan: &mut Plan) {
    let mut wishing: Vec<Going<'_>> = Vec::new();
    for (service, owned) in &input.inventory.services {
        let Some(leave) = leave(input, service, owned, plan) else { continue };
        let mut going = Going::new(service, leave);
        for (id, entry) in owned.entries.iter().filter(|(id, _)| is_unwanted(input, service, id)) {
            let unwanted = Unwanted { input, claims, service, id, entry };
            going.take(&unwanted, plan);
        }
        wishing.push(going);
    }
    let approved =
        |going: &&Going<'_>| input.wanted.approved.contains(&digest_of(input, going.service, &going.open));
    let counted = wishing.iter().filter(|going| going.counts() && !approved(going));
    let total: usize = counted.map(|going| going.unwanted).sum();
    let overdrawn = total > input.rails.budget.of(input.inventory.len());
    for going in wishing {
        going.plan(input, overdrawn, plan);
    }
    // What was lost may hold something of a service that looks empty.
    for service in input.wanted.removals.keys().filter(|_| input.rails.may_delete) {
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

/// Whether anything of a service may leave, or none of it is looked at.
fn leave(input: &Input<'_>, service: &ServiceName, owned: &Owned, plan: &mut Plan) -> Option<Leave> {
    let Some(wanted) = input.wanted.services.get(service) else {
        if let Some(mode) = input.wanted.removals.get(service) {
            return Some(Leave::Removed(*mode));
        }
        if !owned.entries.is_empty() {
            let message = format!("not in the set any more; it keeps its {}", objects(owned.entries.len()));
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
    input.wishes.services.get(service).is_none_or(|list| !list.wants(id))
}

/// What wants to go of one service.
struct Going<'a> {
    service: &'a ServiceName,
    leave: Leave,
    /// What is no longer wanted and may still be there, whether it can go now or not: the budget counts all of it, or a
    /// render that lost most objects would delete them a few at a time.
    unwanted: usize,
    released: Vec<Prune>,
    open: Vec<Prune>,
    protected: Vec<Prune>,
    /// With a yes to each one.
    doubtful: Vec<Prune>,
}

impl<'a> Going<'a> {
    fn new(service: &'a ServiceName, leave: Leave) -> Self {
        let none = Vec::new;
        Self {
            service,
            leave,
            unwanted: 0,
            released: none(),
            open: none(),
            protected: none(),
            doubtful: none(),
        }
    }

    fn take(&mut self, one: &Unwanted<'_>, plan: &mut Plan) {
        let verdict = one.verdict(self.leave);
        self.unwanted += usize::from(!matches!(verdict, Verdict::Forget | Verdict::Stay));
        match verdict {
            Verdict::Forget => plan.forgets.push((one.service.clone(), one.id.clone())),
            Verdict::Note(entry) => plan.notes.push((one.service.clone(), one.id.clone(), *entry)),
            Verdict::Release(prune) => self.released.push(*prune),
            Verdict::Delete(prune) if is_protected(one.id) => self.protected.push(*prune),
            Verdict::Delete(prune) => self.open.push(*prune),
            Verdict::Confirm(prune) => self.doubtful.push(*prune),
            Verdict::Hold(held) => plan.held.push(*held),
            Verdict::Wait | Verdict::Stay => {}
        }
    }

    /// A removal is a person's own word for exactly this service; the budget is against accidents.
    fn counts(&self) -> bool {
        matches!(self.leave, Leave::Bundle { .. })
    }

    fn plan(mut self, input: &Input<'_>, overdrawn: bool, plan: &mut Plan) {
        self.release(input, plan);
        if self.open.is_empty() && self.protected.is_empty() && self.doubtful.is_empty() {
            return;
        }
        if !input.rails.abilities.deletes {
            let count = self.open.len() + self.protected.len() + self.doubtful.len();
            let message = format!("{} should go, and this target ignores a removal", objects(count));
            plan.held.push(Held::service(HoldReason::PruneUnsupported, self.service, message));
            return;
        }
        match self.gate(input) {
            Gate::Open => self.delete(input, overdrawn, plan),
            Gate::NotYet => {}
            Gate::Shut(held) => plan.held.push(*held),
        }
    }

    /// Letting go is not deleting, but it takes our mark away: not in a pass that may delete nothing.
    fn release(&mut self, input: &Input<'_>, plan: &mut Plan) {
        if self.released.is_empty() {
            return;
        }
        match self.gate(input) {
            Gate::Open => plan.prunes.append(&mut self.released),
            Gate::Shut(held) if self.released.len() == self.all() => plan.held.push(*held),
            // What else should go says so itself.
            Gate::NotYet | Gate::Shut(_) => {}
        }
    }

    fn all(&self) -> usize {
        self.released.len() + self.open.len() + self.protected.len() + self.doubtful.len()
    }

    fn delete(self, input: &Input<'_>, overdrawn: bool, plan: &mut Plan) {
        let is_approved = |digest: &Digest| input.wanted.approved.contains(digest);
        if let Some(digest) = self.over_budget(input, overdrawn).filter(|digest| !is_approved(digest)) {
            let held = Held::service(HoldReason::PruneBudget, self.service, self.over_budget_by(input));
            plan.held.push(held.until_approved(digest, ids(&self.open)));
        } else {
            plan.prunes.extend(self.open);
        }
        if !self.protected.is_empty() {
            let digest = digest_of(input, self.service, &self.protected);
            let message = with_names("these are deleted only with a yes", &self.protected, "");
            if is_approved(&digest) {
                plan.prunes.extend(self.protected);
            } else {
                let held = Held::service(HoldReason::NeedsConfirm, self.service, message);
                plan.held.push(held.until_approved(digest, ids(&self.protected)));
            }
        }
        for prune in self.doubtful {
            let digest = digest_of(input, self.service, std::slice::from_ref(&prune));
            if is_approved(&digest) {
                plan.prunes.push(prune);
            } else {
                let why = "it carries our mark, and is not known to be the one that was applied";
                let held = Held::object(HoldReason::NeedsConfirm, self.service, &prune.address.id, why);
                plan.held.push(held.until_approved(digest, vec![prune.address.id]));
            }
        }
    }

    /// The digest to approve, where the budget does not cover what wants to go. An empty bundle is never within it
    /// (FAULTS B9).
    fn over_budget(&self, input: &Input<'_>, overdrawn: bool) -> Option<Digest> {
        if !self.counts() || self.open.is_empty() {
            return None;
        }
        let empty = input.wishes.services.get(self.service).is_none_or(|list| list.objects.is_empty());
        let owned = input.inventory.services[self.service].entries.len();
        let over = empty || overdrawn || self.unwanted > input.rails.budget.of(owned);
        over.then(|| digest_of(input, self.service, &self.open))
    }

    fn over_budget_by(&self, input: &Input<'_>) -> String {
        let owned = input.inventory.services[self.service].entries.len();
        let (now, later) = (self.open.len(), self.unwanted - self.open.len());
        let later = if later > 0 { format!(", and {later} more no longer wanted") } else { String::new() };
        with_names(&format!("{now} of {} would be deleted", objects(owned)), &self.open, &later)
    }

    /// Whether anything of the service may go now, whatever a person says.
    fn gate(&self, input: &Input<'_>) -> Gate {
        let shut = |reason, why: &str| {
            let message = format!("{} should go, {why}", objects(self.all()));
            Gate::Shut(Box::new(Held::service(reason, self.service, message)))
        };
        if !input.rails.may_delete {
            return shut(HoldReason::TrustLost, "but not before one clean full pass");
        }
        if self.leave == (Leave::Bundle { ready: false }) {
            return shut(HoldReason::PruneWaits, "once the rest of the service is applied");
        }
        match unseen(input, self.service) {
            Some(Unseen { is_coming: true, .. }) => Gate::NotYet,
            Some(Unseen { service, .. }) => {
                let why = format!("unless {service} has them now: its release is not here");
                shut(HoldReason::PruneWaits, &why)
            }
            None => Gate::Open,
        }
    }
}

/// Whether something may go.
enum Gate {
    Open,
    /// Not yet, and nothing is wrong.
    NotYet,
    Shut(Box<Held>),
}

fn objects(count: usize) -> String {
    progress::count(count as u64, "object")
}

fn ids(prunes: &[Prune]) -> Vec<ObjectId> {
    prunes.iter().map(|prune| prune.address.id.clone()).collect()
}

/// A message that names as many objects as a hold has room for, and says how many more there are: a person says yes
/// to what they can see.
fn with_names(before: &str, prunes: &[Prune], after: &str) -> String {
    let more = |named: usize| match prunes.len() - named {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let room = TEXT_CHARS.saturating_sub(before.chars().count() + after.chars().count());
    let (mut names, mut fitting) = (String::new(), more(0));
    for (at, prune) in prunes.iter().enumerate() {
        names.push_str(if at == 0 { ": " } else { ", " });
        names.push_str(&prune.address.id.to_string());
        let longer = format!("{names}{}", more(at + 1));
        if longer.chars().count() <= room {
            fitting = longer;
        } else if names.chars().count() > room {
            break;
        }
    }
    format!("{before}{fitting}{after}")
}

/// A kind whose deletion takes more than itself along, or data that nothing brings back (FAULTS F17).
fn is_protected(id: &ObjectId) -> bool {
    matches!(
        (id.group.as_str(), id.kind.as_str()),
        ("", "Namespace" | "PersistentVolumeClaim" | "PersistentVolume")
            | ("apiextensions.k8s.io", "CustomResourceDefinition")
    )
}
