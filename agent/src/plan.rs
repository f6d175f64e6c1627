//! `plan`: what to do next, and why not more. Pure: what is wanted, what is ours and what is there go in; steps, holds
//! and each service's standing come out. Everything that could delete is decided here.
//!
//! In reading order: [`wishes`] fills in namespaces, [`object`] decides about one wanted object, [`gate`] lets services
//! wait for each other, [`prune`] decides what may go.

mod budget;
mod claim;
mod gate;
mod object;
mod phase;
mod prune;
mod scale;
mod wishes;

use std::collections::{BTreeMap, BTreeSet};

use cdn::document::Health;
use cdn::{Digest, ObjectId, ServiceName};

use crate::held::Held;
use crate::inventory::{Entry, Inventory};
use crate::target::{Abilities, Address, KindRef, Prepared, Seen, Served, Uses};
use crate::wanted::Wanted;

pub(crate) use budget::Budget;
pub(crate) use phase::Phase;
pub(crate) use wishes::{Wish, Wishes, kinds, wishes};

/// All that a plan is made of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Input<'a> {
    /// What should run.
    pub(crate) wanted: &'a Wanted,
    /// The same with namespaces filled in.
    pub(crate) wishes: &'a Wishes<'a>,
    /// What is ours.
    pub(crate) inventory: &'a Inventory,
    /// What the target says of each kind.
    pub(crate) served: &'a BTreeMap<KindRef, Served>,
    /// What is there.
    pub(crate) observed: &'a BTreeMap<ObjectId, Seen>,
    /// What exists of the kinds whose definitions are to go.
    pub(crate) uses: &'a BTreeMap<ObjectId, Uses>,
    /// The bounds on what a plan may do.
    pub(crate) rails: Rails,
}

/// The bounds on what a plan may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rails {
    /// The site's own bound on deleting.
    pub(crate) budget: Budget,
    /// What the target can do at all.
    pub(crate) abilities: Abilities,
    /// Whether anything may go at present; not before one clean full pass after trusted state was lost.
    pub(crate) may_delete: bool,
}

/// Those of a site that says nothing, on a cluster.
impl Default for Rails {
    fn default() -> Self {
        Self { budget: Budget::default(), abilities: Abilities::default(), may_delete: true }
    }
}

/// What to do in one pass.
#[derive(Clone, Debug, Default)]
pub(crate) struct Plan {
    /// Objects to make so, in order: by phase, by wave.
    pub(crate) applies: Vec<Apply>,
    /// Objects to delete or to let go, in order, after everything of their service was applied.
    pub(crate) prunes: Vec<Prune>,
    /// Entries that stand for nothing of ours any more.
    pub(crate) forgets: Vec<(ServiceName, ObjectId)>,
    /// Entries to bring up to date from what was seen, without touching anything.
    pub(crate) notes: Vec<(ServiceName, ObjectId, Entry)>,
    /// Everything refused or waited for.
    pub(crate) held: Vec<Held>,
    /// How each service of the set stands, before anything is done.
    pub(crate) services: BTreeMap<ServiceName, Standing>,
    /// Services whose removal is done.
    pub(crate) removed: Vec<ServiceName>,
}

/// One object to make so.
#[derive(Clone, Debug)]
pub(crate) struct Apply {
    /// The object.
    pub(crate) prepared: Prepared,
    /// Where to ask for it.
    pub(crate) address: Address,
    /// When, among all.
    pub(crate) phase: Phase,
    /// When, inside the phase.
    pub(crate) wave: i64,
    /// Why.
    pub(crate) cause: Cause,
    /// Whether its kind is not served yet and a definition in this plan, or just applied, promises it.
    pub(crate) promised: bool,
    /// What to write down of it, but for what only the target can tell.
    pub(crate) entry: Entry,
    /// How it does before that.
    pub(crate) before: Health,
}

/// Why an object is applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// It is not there.
    Create,
    /// It should look another way.
    Change,
    /// Somebody changed it, or removed it.
    Drift,
    /// It belonged to another service of ours.
    Transfer,
    /// It was there before us, without an owner.
    Adopt,
}

/// One object to take away.
#[derive(Clone, Debug)]
pub(crate) struct Prune {
    /// Whose it is.
    pub(crate) service: ServiceName,
    /// Where it is.
    pub(crate) address: Address,
    /// The UID that was looked at.
    pub(crate) uid: String,
    /// The resource version that was looked at.
    pub(crate) resource_version: String,
    /// How.
    pub(crate) how: How,
    /// When: phases go backwards.
    pub(crate) phase: Phase,
}

/// How an object is taken away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    /// It is deleted.
    Delete,
    /// It stays, no longer ours.
    Release,
}

/// How a service stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    /// Whether what is wanted is what is there: nothing to do and nothing held.
    pub(crate) synced: bool,
    /// Whether something of it is held.
    pub(crate) held: bool,
    /// Whether it waits for another service, or for a wave of its own.
    pub(crate) waits: bool,
    /// The health of all its objects together.
    pub(crate) health: Health,
    /// The health of those that this plan leaves as they are.
    pub(crate) rest: Health,
}

impl Apply {
    /// What is applied together: one phase, one wave; kinds that are only promised after those that are there.
    pub(crate) fn turn(&self) -> (Phase, bool, i64) {
        (self.phase, self.promised, self.wave)
    }
}

/// What is found out once, for all objects.
struct Common {
    claims: claim::Claims,
    /// What an autoscaler targets.
    scaled: BTreeSet<ObjectId>,
}

/// Decides what to do next.
pub(crate) fn plan(input: &Input<'_>) -> Plan {
    let mut plan = Plan::default();
    let common = Common { claims: claim::claims(input), scaled: scale::targets(input) };
    for service in input.wishes.services.keys() {
        let standing = object::plan_service(input, service, &common, &mut plan);
        plan.services.insert(service.clone(), standing);
    }
    gate::hold_dependents(input, &mut plan);
    gate::hold_waves(input, &mut plan);
    prune::plan_prunes(input, &common.claims, &mut plan);
    plan.applies.sort_by_cached_key(|apply| (apply.turn(), apply.address.id.clone()));
    plan.prunes.sort_by_cached_key(|prune| (std::cmp::Reverse(prune.phase), prune.address.id.clone()));
    plan
}

/// Where to look before planning: at all that is wanted, and all that is ours.
pub(crate) fn addresses(
    wishes: &Wishes<'_>,
    inventory: &Inventory,
    served: &BTreeMap<KindRef, Served>,
) -> Vec<Address> {
    let wanted = wishes.services.values().flat_map(|list| &list.objects);
    let wanted = wanted.map(|(id, wish)| (id, wish.object.version()));
    let ours = inventory.entries().map(|(_, id, entry)| (id, entry.version.as_str()));
    let mut seen = BTreeSet::new();
    let mut addresses = Vec::new();
    for (id, version) in wanted.chain(ours) {
        if let Some(Served::Yes { version, .. }) = served.get(&KindRef::at(id, version))
            && seen.insert(id)
        {
            addresses.push(Address { id: id.clone(), version: version.clone() });
        }
    }
    addresses
}

/// The definitions of kinds that may be about to go: who uses their kinds has to be known first.
pub(crate) fn doubtful_definitions(
    wanted: &Wanted,
    wishes: &Wishes<'_>,
    inventory: &Inventory,
) -> Vec<Address> {
    let is_wanted = |id: &ObjectId| wishes.services.values().any(|list| list.wants(id));
    let is_going = |service: &ServiceName| match wanted.services.get(service) {
        Some(wanted) => {
            wanted.loaded.is_some() && wanted.entry.options.prune && !wanted.entry.options.suspend
        }
        None => wanted.removals.contains_key(service),
    };
    let definitions = inventory.entries().filter(|(_, id, _)| phase::is_definition(id));
    let doubtful = definitions.filter(|(service, id, _)| is_going(service) && !is_wanted(id));
    doubtful.map(|(_, id, entry)| Address { id: id.clone(), version: entry.version.clone() }).collect()
}

/// A hold's digest for exactly these objects of a service at a bundle.
fn digest_of(input: &Input<'_>, service: &ServiceName, prunes: &[Prune]) -> Digest {
    let loaded = input.wanted.services.get(service).and_then(|wanted| wanted.loaded.as_ref());
    let owned = || input.inventory.owned(service).and_then(|owned| owned.bundle);
    let bundle = loaded.map(|loaded| loaded.record.bundle).or_else(owned);
    let none = Digest::from_bytes([0; 32]);
    let named = |prune: &Prune| (prune.address.id.clone(), prune.uid.clone());
    let objects: Vec<(ObjectId, String)> = prunes.iter().map(named).collect();
    cdn::document::hold_digest(&input.wanted.cluster, service, bundle.unwrap_or(none), &objects)
}

#[cfg(test)]
pub(crate) mod tests;
