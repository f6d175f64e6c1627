//! One pass: observe, plan, apply, prune, and the inventory written before and after.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use cdn::document::{Health, HoldClass, HoldReason, Sync};
use cdn::{ObjectId, ServiceName};

use super::applier::{Applier, Done, Repaired, names};
use super::{News, Syncer};
use crate::held::Held;
use crate::outcome::{Counts, Ended, Outcome, ServiceOutcome};
use crate::plan::{self, Apply, Cause, Input, Plan, Rails, Standing};
use crate::target::{Address, Served};
use crate::wanted::Wanted;

impl Syncer {
    pub(super) async fn attempt(&mut self, wanted: &Wanted, news: News) -> Outcome {
        let until = Instant::now() + self.bounds.pass;
        let doubts = match self.books.open(&self.target).await {
            Ok(doubts) => doubts,
            Err(held) => return Outcome::failed(wanted.seq, self.silence().await.unwrap_or(held)),
        };
        if let Err(held) = self.search(wanted).await {
            return Outcome::failed(wanted.seq, self.silence().await.unwrap_or(held));
        }
        let mut plan = self.plan(wanted).await;
        // A server that is away has said so already; that its Lease cannot be read either is the same cause.
        if !plan.held.iter().any(|held| held.reason == HoldReason::ApiServerUnreachable) {
            plan.held.extend(doubts);
        }
        self.write_down(wanted, &mut plan);
        let mut done = Done::default();
        self.make_room(&mut plan, &mut done).await;
        self.let_rest(&mut plan, &mut done);
        let applies = std::mem::take(&mut plan.applies);
        let prunes = std::mem::take(&mut plan.prunes);
        let mut hands = Applier {
            target: &self.target,
            inventory: &mut self.books.inventory,
            bounds: self.bounds,
            until,
            later: std::mem::take(&mut self.refused),
            news,
            done,
        };
        hands.apply(applies).await;
        hands.prune(prunes).await;
        let mut done = hands.done;
        self.refused = std::mem::take(&mut done.refused);
        if !done.repaired.is_empty() {
            tracing::info!(objects = names(&done.repaired), "drift is repaired");
        }
        for Repaired { service, id, taken_back } in done.repaired.drain(..) {
            self.fights.repaired(&service, &id, taken_back, Instant::now());
        }
        let was_lost = self.books.inventory.lost;
        self.complete(wanted, &plan, &done);
        let again = done.counts.got_on() || was_lost != self.books.inventory.lost;
        let saved = self.books.save(&self.target).await;
        plan.held.extend(saved.held);
        let outcome = self.outcome(wanted, plan, done);
        Outcome { again, unsettled: outcome.unsettled || again, ..outcome }
    }

    /// With no inventory anywhere, takes in what carries our mark: what is no longer declared is not forgotten. A mark
    /// is no proof of what was applied, so it goes only with a yes (law L6).
    async fn search(&mut self, wanted: &Wanted) -> Result<(), Held> {
        let Some(mut looked) = self.books.search.take() else { return Ok(()) };
        let found = match self.target.marked(wanted.fleet, &looked).await {
            Ok(found) => found,
            Err(refusal) => {
                self.books.search = Some(looked);
                let message = format!("what is ours cannot be looked for: {refusal}");
                return Err(Held::cluster(refusal.reason, message));
            }
        };
        let inventory = &mut self.books.inventory;
        let unknown = |(_, address): &&(ServiceName, Address)| !inventory.knows(&address.id);
        let new: Vec<_> = found.objects.iter().filter(unknown).cloned().collect();
        for (service, address) in &new {
            inventory.find(service, address);
        }
        if !new.is_empty() {
            tracing::warn!(objects = new.len(), "the inventory is lost; it is built anew from our marks");
            inventory.lost = true;
        }
        if !found.unseen.is_empty() {
            let kinds = found.unseen.join(", ");
            tracing::warn!(kinds, "what is ours of these could not be looked for; they are looked at again");
            looked.extend(found.looked);
            self.books.search = Some(looked);
        }
        Ok(())
    }

    /// Looks, and decides.
    async fn plan(&self, wanted: &Wanted) -> Plan {
        let inventory = &self.books.inventory;
        let kinds = plan::kinds(wanted, inventory);
        let served = self.target.served(&kinds).await;
        let wishes = plan::wishes(wanted, &served);
        let addresses = plan::addresses(&wishes, inventory, &served);
        let observed = self.target.observe(&addresses).await;
        let definitions = plan::doubtful_definitions(wanted, &wishes, inventory);
        let uses = self.target.uses(&definitions, wanted.fleet).await;
        let (abilities, may_delete) = (self.target.abilities(), self.books.may_delete());
        let rails = Rails { budget: self.budget, abilities, may_delete };
        let input = Input {
            wanted,
            wishes: &wishes,
            inventory,
            served: &served,
            observed: &observed,
            uses: &uses,
            rails,
        };
        let mut plan = plan::plan(&input);
        let is_unknown = |served: &Served| matches!(served, Served::Unknown(_));
        if !served.is_empty()
            && served.values().all(is_unknown)
            && let Some(held) = self.silence().await
        {
            // One cause is said once. What is not known stays unknown, for every object of every kind.
            plan.held.retain(|held| held.reason != HoldReason::KindUnknown);
            plan.held.push(held);
        }
        if self.books.inventory.lost {
            let message = "state was lost while objects of ours exist; it is built anew from what is there";
            plan.held.push(Held::cluster(HoldReason::TrustLost, message));
        }
        plan
    }

    /// The one hold of a target that cannot be reached at all.
    async fn silence(&self) -> Option<Held> {
        let why = self.target.silence().await?;
        Some(Held::cluster(HoldReason::ApiServerUnreachable, why))
    }

    /// What the inventory learns from looking alone.
    fn write_down(&mut self, wanted: &Wanted, plan: &mut Plan) {
        for (service, id) in plan.forgets.drain(..) {
            self.books.inventory.forget(&service, &id);
        }
        for (service, id, entry) in plan.notes.drain(..) {
            self.books.inventory.record(&service, &id, entry);
        }
        self.books
            .inventory
            .services
            .retain(|service, owned| !owned.entries.is_empty() || wanted.services.contains_key(service));
    }

    /// Leaves what is fought over as it is for most of the time, and says so.
    fn let_rest(&mut self, plan: &mut Plan, done: &mut Done) {
        let (now, interval) = (Instant::now(), self.bounds.interval);
        let drift = plan.applies.iter().filter(|apply| apply.cause == Cause::Drift);
        let drift: BTreeSet<ObjectId> = drift.map(|apply| apply.address.id.clone()).collect();
        done.held.extend(self.fights.held(|id| drift.contains(id), now));
        let rests = |apply: &Apply| {
            drift.contains(&apply.address.id) && self.fights.rests(&apply.address.id, now, interval)
        };
        for apply in plan.applies.iter().filter(|apply| rests(apply)) {
            done.failed.insert(apply.prepared.service.clone());
            done.health_of(&apply.prepared.service, apply.before);
        }
        plan.applies.retain(|apply| !rests(apply));
    }

    /// Writes the wider inventory before the first apply (law L7). An object that no copy of it knows is not made.
    async fn make_room(&mut self, plan: &mut Plan, done: &mut Done) {
        let mut new: Vec<(ServiceName, ObjectId)> = Vec::new();
        for apply in &plan.applies {
            let (service, id) = (&apply.prepared.service, &apply.address.id);
            self.books.inventory.expect(service, &apply.address);
            // Also what a pass expected that ended before it was written down; what was made once is repaired from memory.
            let entry = self.books.inventory.entry(service, id);
            let is_made = entry.is_some_and(|entry| !entry.uid.is_unconfirmed());
            if !is_made && !self.books.is_noted(service, id) {
                new.push((service.clone(), id.clone()));
            }
        }
        if new.is_empty() {
            return;
        }
        let saved = self.books.save(&self.target).await;
        if saved.copies > 0 {
            return;
        }
        done.held.extend(saved.held);
        done.retry = true;
        for (service, id) in &new {
            self.books.inventory.forget(service, id);
            done.failed.insert(service.clone());
        }
        let is_new = |apply: &Apply| new.iter().any(|(_, id)| *id == apply.address.id);
        for apply in plan.applies.iter().filter(|apply| is_new(apply)) {
            done.health_of(&apply.prepared.service, apply.before);
        }
        plan.applies.retain(|apply| !is_new(apply));
    }

    /// Notes which services are now completely at their release, and that trust is whole again: once a pass has looked at
    /// everything, and at what it should be.
    fn complete(&mut self, wanted: &Wanted, plan: &Plan, done: &Done) {
        if done.superseded {
            return;
        }
        let mut clean = true;
        for (service, wanted) in wanted.services.iter().filter(|(_, wanted)| !wanted.entry.options.suspend) {
            let whole = plan.services.get(service).is_some_and(|standing| !standing.held && !standing.waits)
                && !done.failed.contains(service);
            clean &= whole && wanted.is_current();
            // What runs stays written down, although an older release is all that is here.
            if whole && !self.books.inventory.is_ahead(service, wanted) {
                let record = wanted.loaded.as_ref().map(|loaded| &loaded.record);
                if let Some(record) = record {
                    self.books.inventory.complete(service, record.release, record.bundle);
                }
            }
        }
        if clean && self.books.inventory.lost {
            tracing::info!("a clean full pass: deleting is possible again");
            self.books.inventory.lost = false;
        }
    }

    fn outcome(&self, wanted: &Wanted, plan: Plan, done: Done) -> Outcome {
        let mut services: BTreeMap<ServiceName, ServiceOutcome> = plan
            .services
            .iter()
            .map(|(service, standing)| (service.clone(), self.service(wanted, service, standing, &done)))
            .collect();
        let held: Vec<Held> = plan.held.into_iter().chain(done.held).collect();
        hold_leftovers(&mut services, &held);
        let all_synced = services.values().all(|service| service.sync == Sync::Synced);
        let result = if done.superseded {
            Ended::Superseded
        } else if all_synced && held.is_empty() {
            Ended::Complete
        } else {
            Ended::Incomplete
        };
        let unsettled = done.retry
            || done.superseded
            || done.counts.repaired > 0
            || plan.services.values().any(|standing| standing.waits)
            || services.values().any(|service| service.health == Health::Progressing)
            || held.iter().any(|held| held.reason.class() == HoldClass::Passing);
        let looked_at: u64 = services.values().map(|service| service.objects).sum();
        let touched = done.counts.applied + done.counts.repaired;
        let counts = Counts { unchanged: looked_at.saturating_sub(touched), ..done.counts };
        let (seq, removed) = (wanted.seq, plan.removed);
        Outcome { seq, result, counts, services, held, removed, unsettled, ..Outcome::default() }
    }

    /// How one service stands after the pass.
    fn service(
        &self,
        wanted: &Wanted,
        service: &ServiceName,
        standing: &Standing,
        done: &Done,
    ) -> ServiceOutcome {
        let is_current = wanted.services.get(service).is_some_and(crate::wanted::WantedService::is_current);
        let sync = if standing.held || done.failed.contains(service) {
            Sync::Held
        } else if standing.waits || !is_current || done.superseded {
            Sync::Pending
        } else {
            Sync::Synced
        };
        // What was just applied says how it does; the rest is as it was before.
        let health = match done.health.get(service) {
            Some(after) if !done.superseded => standing.rest.and(*after),
            Some(_) | None => standing.health,
        };
        let owned = self.books.inventory.owned(service);
        ServiceOutcome {
            release: owned.and_then(|owned| owned.release),
            bundle: owned.and_then(|owned| owned.bundle),
            sync,
            health,
            objects: owned.map_or(0, |owned| owned.entries.len() as u64),
        }
    }
}

/// Where something of a service should go and may not, more is there than is wanted: that is not "synced".
fn hold_leftovers(services: &mut BTreeMap<ServiceName, ServiceOutcome>, held: &[Held]) {
    let prunes = held.iter().filter(|held| held.reason.class() == HoldClass::Prune);
    for service in prunes.filter_map(|held| held.service.as_ref()) {
        if let Some(outcome) = services.get_mut(service).filter(|outcome| outcome.sync == Sync::Synced) {
            outcome.sync = Sync::Held;
        }
    }
}
