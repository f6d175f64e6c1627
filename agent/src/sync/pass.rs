//! One pass: observe, plan, apply, prune, and the inventory written before and after.

use std::collections::BTreeMap;

use cdn::document::{Health, HoldReason, Sync};
use cdn::{ObjectId, ServiceName};

use super::applier::{Applier, Done};
use super::{News, Syncer};
use crate::held::Held;
use crate::outcome::{Counts, Ended, Outcome, ServiceOutcome};
use crate::plan::{self, Apply, How, Input, Plan, Rails};
use crate::wanted::Wanted;

/// Reasons that often go away by themselves, so that another look soon is worth it.
const PASSING: [HoldReason; 3] = [HoldReason::Deleting, HoldReason::KindUnknown, HoldReason::ApplyFailed];

impl Syncer {
    pub(super) async fn attempt(&mut self, wanted: &Wanted, news: News) -> Outcome {
        if let Err(held) = self.books.open(&self.target).await {
            return Outcome::failed(wanted.seq, held);
        }
        let mut plan = self.plan(wanted).await;
        let looked_at = wanted.services.len();
        self.write_down(wanted, &mut plan);
        let mut done = Done::default();
        self.make_room(&mut plan, &mut done).await;
        let applies = std::mem::take(&mut plan.applies);
        let prunes = std::mem::take(&mut plan.prunes);
        let mut hands = Applier {
            target: &self.target,
            inventory: &mut self.books.inventory,
            concurrency: self.bounds.concurrency,
            definitions: self.bounds.definitions,
            news,
            done,
        };
        hands.apply(applies).await;
        if !hands.done.superseded {
            let (now, later): (Vec<_>, Vec<_>) = prunes
                .into_iter()
                .partition(|prune| prune.how == How::Release || !hands.done.failed.contains(&prune.service));
            for prune in later {
                let message = "it should go once the rest of its service is applied";
                let held = Held::object(HoldReason::PruneWaits, &prune.service, &prune.address.id, message);
                hands.done.held.push(held);
            }
            hands.prune(now).await;
        }
        let done = hands.done;
        let lost = self.books.lost;
        self.complete(wanted, &plan, &done);
        let again = done.counts.wrote() || lost != self.books.lost;
        let saved = self.books.save(&self.target).await;
        plan.held.extend(saved.held);
        tracing::debug!(services = looked_at, seq = wanted.seq, "looked at all");
        let outcome = self.outcome(wanted, plan, done);
        Outcome { again, unsettled: outcome.unsettled || again, ..outcome }
    }

    /// Looks, and decides.
    async fn plan(&self, wanted: &Wanted) -> Plan {
        let inventory = &self.books.inventory;
        let kinds = plan::kinds(wanted, inventory);
        let served = self.target.served(&kinds).await;
        let wishes = plan::wishes(wanted, &served);
        let addresses = plan::addresses(&wishes, inventory, &served);
        let observed = self.target.observe(&addresses).await;
        let rails = Rails { prune: !self.books.lost, ..self.rails };
        let input =
            Input { wanted, wishes: &wishes, inventory, served: &served, observed: &observed, rails: &rails };
        let mut plan = plan::plan(&input);
        if self.books.lost {
            let message = "state was lost while objects of ours exist; it is built anew from what is there";
            plan.held.push(Held::cluster(HoldReason::TrustLost, message));
        }
        plan
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

    /// Writes the wider inventory before the first apply (law L7). An object that no copy of it knows is not made.
    async fn make_room(&mut self, plan: &mut Plan, done: &mut Done) {
        let mut new: Vec<(ServiceName, ObjectId)> = Vec::new();
        for apply in &plan.applies {
            if self.books.inventory.expect(&apply.prepared.service, &apply.address) {
                new.push((apply.prepared.service.clone(), apply.address.id.clone()));
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
        plan.applies.retain(|apply| !is_new(apply));
    }

    /// Notes which services are now completely at their release, and that trust is whole again.
    fn complete(&mut self, wanted: &Wanted, plan: &Plan, done: &Done) {
        if done.superseded {
            return;
        }
        let mut clean = true;
        for (service, wanted) in &wanted.services {
            let whole = plan.services.get(service).is_some_and(|standing| !standing.held && !standing.waits)
                && !done.failed.contains(service);
            clean &= whole || wanted.entry.options.suspend;
            if let Some(loaded) = wanted.loaded.as_ref().filter(|_| whole && !wanted.entry.options.suspend) {
                let record = &loaded.record;
                self.books.inventory.complete(service, record.release, record.bundle);
            }
        }
        if clean && self.books.lost {
            tracing::info!("a clean full pass: deleting is possible again");
            self.books.lost = false;
        }
    }

    fn outcome(&self, wanted: &Wanted, plan: Plan, done: Done) -> Outcome {
        let mut services = BTreeMap::new();
        let mut unsettled = done.retry || done.superseded;
        for (service, standing) in &plan.services {
            let held = standing.held || done.failed.contains(service);
            let current = wanted.services.get(service).is_some_and(crate::wanted::WantedService::is_current);
            let sync = match () {
                () if held => Sync::Held,
                () if standing.waits || !current || done.superseded => Sync::Pending,
                () => Sync::Synced,
            };
            // What was just applied says how it does; the rest was looked at before.
            let health = match (standing.health, done.health.get(service)) {
                (Health::Progressing, Some(after)) => *after,
                (before, Some(after)) => before.and(*after),
                (before, None) => before,
            };
            unsettled |= standing.waits || health == Health::Progressing;
            let owned = self.books.inventory.owned(service);
            services.insert(
                service.clone(),
                ServiceOutcome {
                    release: owned.and_then(|owned| owned.release),
                    bundle: owned.and_then(|owned| owned.bundle),
                    sync,
                    health,
                    objects: owned.map_or(0, |owned| owned.entries.len() as u64),
                },
            );
        }
        let removed = wanted.removals.keys().filter(|service| {
            !wanted.services.contains_key(service)
                && self.books.inventory.owned(service).is_none_or(|owned| owned.entries.is_empty())
        });
        let removed: Vec<ServiceName> = removed.cloned().collect();
        let held: Vec<Held> = plan.held.into_iter().chain(done.held).collect();
        let in_progress = |held: &Held| PASSING.contains(&held.reason);
        unsettled |=
            held.iter().any(in_progress) || removed.len() < wanted.removals.len() && done.counts.wrote();
        let all_synced = services.values().all(|service| service.sync == Sync::Synced);
        let result = match () {
            () if done.superseded => Ended::Superseded,
            () if all_synced && held.is_empty() => Ended::Complete,
            () => Ended::Incomplete,
        };
        let looked_at: u64 = services.values().map(|service| service.objects).sum();
        let touched = done.counts.applied + done.counts.repaired;
        let counts = Counts { unchanged: looked_at.saturating_sub(touched), ..done.counts };
        let seq = wanted.seq;
        Outcome { seq, result, counts, services, held, removed, unsettled, ..Outcome::default() }
    }
}
