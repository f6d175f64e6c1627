//! The thin end of a pass: takes a plan's steps, bounded in number at once, and writes down what came of each. One
//! object's failure is one object's failure (law L8).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use cdn::document::{Health, HoldReason};
use cdn::{ObjectId, ServiceName};
use futures::StreamExt;
use futures::stream;

use super::{Bounds, News};
use crate::held::Held;
use crate::inventory::{Entry, Inventory, Uid};
use crate::meters;
use crate::outcome::Counts;
use crate::plan::{Apply, Cause, How, Prune};
use crate::target::{Applied, Deleted, KindRef, Refusal, Served, Target};

/// Takes steps, and keeps the inventory true to them.
pub(super) struct Applier<'a> {
    pub(super) target: &'a Target,
    pub(super) inventory: &'a mut Inventory,
    pub(super) bounds: Bounds,
    /// When the pass's time is over. Each turn has its share of what is left, so that a slow one starves no later one.
    pub(super) until: Instant,
    /// Objects that were refused in the last pass; the others of their turn go first, or one that hangs would take the
    /// time of the same others each time.
    pub(super) later: BTreeSet<ObjectId>,
    /// A newer assignment ends the pass between two answers of the target.
    pub(super) news: News,
    pub(super) done: Done,
}

/// What came of the steps.
#[derive(Default)]
pub(super) struct Done {
    pub(super) counts: Counts,
    pub(super) held: Vec<Held>,
    /// Services with a step that did not work.
    pub(super) failed: BTreeSet<ServiceName>,
    /// Objects that were tried and refused.
    pub(super) refused: BTreeSet<ObjectId>,
    pub(super) repaired: Vec<Repaired>,
    /// The health of what was to be applied, by service.
    pub(super) health: BTreeMap<ServiceName, Health>,
    pub(super) superseded: bool,
    /// Whether something may go better the next time, without anybody's doing.
    pub(super) retry: bool,
}

/// One object that was brought back.
pub(super) struct Repaired {
    pub(super) service: ServiceName,
    pub(super) id: ObjectId,
    /// From whom, and which fields, where the target knows.
    pub(super) taken_back: Option<String>,
}

/// Objects named in one line of the log.
const NAMED: usize = 10;

/// What was brought back, by name, in a line that stays short when a whole service was damaged.
pub(super) fn names(repaired: &[Repaired]) -> String {
    let mut services: BTreeMap<&ServiceName, Vec<String>> = BTreeMap::new();
    for one in repaired.iter().take(NAMED) {
        services.entry(&one.service).or_default().push(one.id.to_string());
    }
    let of = |(service, ids): (&ServiceName, Vec<String>)| format!("{service}: {}", ids.join(", "));
    let line = services.into_iter().map(of).collect::<Vec<_>>().join("; ");
    match repaired.len().saturating_sub(NAMED) {
        0 => line,
        more => format!("{line}, and {more} more"),
    }
}

impl Done {
    /// One object of a service does so now.
    pub(super) fn health_of(&mut self, service: &ServiceName, health: Health) {
        let all = self.health.entry(service.clone()).or_insert(Health::Unknown);
        *all = all.and(health);
    }
}

impl Applier<'_> {
    /// Applies, turn by turn.
    pub(super) async fn apply(&mut self, applies: Vec<Apply>) {
        let turns: Vec<&[Apply]> = applies.chunk_by(|a, b| a.turn() == b.turn()).collect();
        for (index, turn) in turns.iter().enumerate() {
            let left = u32::try_from(turns.len() - index).unwrap_or(u32::MAX);
            let until = Instant::now() + self.until.saturating_duration_since(Instant::now()) / left;
            let mut ready = self.ready(turn, until).await;
            ready.sort_by_key(|apply| self.later.contains(&apply.address.id));
            self.apply_turn(ready, until).await;
            if self.done.superseded {
                return;
            }
        }
    }

    async fn apply_turn(&mut self, ready: Vec<&Apply>, until: Instant) {
        let target = self.target;
        let one = |apply: &'_ Apply| {
            let apply = apply.clone();
            async move {
                let begun = Instant::now();
                if begun >= until {
                    return (apply, None);
                }
                let result = target.apply(&apply.prepared).await;
                meters::applied(begun.elapsed());
                (apply, Some(result))
            }
        };
        let mut running = stream::iter(ready.into_iter().map(one)).buffer_unordered(self.bounds.concurrency);
        while !self.done.superseded {
            let next = tokio::select! {
                biased;
                next = running.next() => next,
                Ok(()) = self.news.changed() => {
                    self.done.superseded = true;
                    None
                }
            };
            match next {
                Some((apply, Some(result))) => applied(self.inventory, &mut self.done, &apply, result),
                Some((apply, None)) => no_time(&mut self.done, &apply),
                None => return,
            }
        }
    }

    /// The steps of a turn whose kinds are served; waits for those that were only just defined.
    async fn ready<'t>(&mut self, turn: &'t [Apply], until: Instant) -> Vec<&'t Apply> {
        let promised = turn.iter().filter(|apply| apply.promised);
        let kinds: BTreeSet<KindRef> = promised.map(|apply| apply.address.kind()).collect();
        if kinds.is_empty() {
            return turn.iter().collect();
        }
        let within = until.saturating_duration_since(Instant::now()).min(self.bounds.definitions);
        let served = tokio::select! {
            served = self.target.wait_served(&kinds, within) => served,
            Ok(()) = self.news.changed() => {
                self.done.superseded = true;
                return Vec::new();
            }
        };
        let is_served =
            |apply: &&Apply| matches!(served.get(&apply.address.kind()), Some(Served::Yes { .. }));
        let (ready, waiting): (Vec<&Apply>, Vec<&Apply>) = turn.iter().partition(is_served);
        for apply in waiting {
            let message = format!("{} is defined, but not served yet", apply.address.kind());
            let refusal = Refusal::passing(HoldReason::KindNotServed, message);
            self.done.health_of(&apply.prepared.service, apply.before);
            refused(&mut self.done, &apply.prepared.service, &apply.address.id, refusal);
        }
        ready
    }

    /// Takes objects away, phase by phase; none of a service with a step that did not work, and none for an assignment
    /// that is no longer the newest.
    pub(super) async fn prune(&mut self, prunes: Vec<Prune>) {
        if self.done.superseded {
            return;
        }
        let (later, now): (Vec<_>, Vec<_>) =
            prunes.into_iter().partition(|prune| self.done.failed.contains(&prune.service));
        for prune in later {
            let message = "it should go once the rest of its service is applied";
            let held = Held::object(HoldReason::PruneWaits, &prune.service, &prune.address.id, message);
            self.done.held.push(held);
        }
        for turn in now.chunk_by(|a, b| a.phase == b.phase) {
            self.prune_turn(turn).await;
            if self.done.superseded {
                return;
            }
        }
    }

    async fn prune_turn(&mut self, turn: &[Prune]) {
        let (target, until, news) = (self.target, self.until, self.news.clone());
        let is_news = || matches!(news.has_changed(), Ok(true));
        let one = |prune: &'_ Prune| {
            let prune = prune.clone();
            let is_news = &is_news;
            async move {
                if is_news() || Instant::now() >= until {
                    return (prune, None);
                }
                let Prune { service, address, uid, resource_version, how, .. } = &prune;
                let result = match how {
                    How::Delete => target.delete(address, uid, Some(resource_version)).await,
                    How::Release => target.release(address, uid, service).await.map(|()| Deleted::Gone),
                };
                (prune, Some(result))
            }
        };
        let mut running = stream::iter(turn.iter().map(one)).buffer_unordered(self.bounds.concurrency);
        while let Some((prune, result)) = running.next().await {
            match result {
                Some(result) => pruned(self.inventory, &mut self.done, &prune, result),
                None => self.done.retry = true,
            }
        }
        self.done.superseded |= is_news();
    }
}

fn no_time(done: &mut Done, apply: &Apply) {
    let message = "there was no time left for it in this pass; it is among the first in the next one";
    let held = Held::object(HoldReason::ApplyFailed, &apply.prepared.service, &apply.address.id, message);
    done.health_of(&apply.prepared.service, apply.before);
    done.failed.insert(apply.prepared.service.clone());
    done.held.push(held);
    done.retry = true;
}

fn applied(inventory: &mut Inventory, done: &mut Done, apply: &Apply, result: Result<Applied, Refusal>) {
    let (service, id) = (&apply.prepared.service, &apply.address.id);
    let Applied { live, changed, taken_back } = match result {
        Ok(applied) => applied,
        Err(refusal) => {
            done.health_of(service, apply.before);
            return refused(done, service, id, refusal);
        }
    };
    match (changed, apply.cause) {
        (false, _) => {}
        (true, Cause::Drift) => {
            done.counts.repaired += 1;
            done.repaired.push(Repaired { service: service.clone(), id: id.clone(), taken_back });
        }
        (true, Cause::Create | Cause::Change | Cause::Transfer | Cause::Adopt) => done.counts.applied += 1,
    }
    done.health_of(service, live.health);
    let entry = Entry {
        uid: Uid::Applied(live.uid),
        content: Some(live.content),
        finished: live.finished,
        ..apply.entry.clone()
    };
    inventory.record(service, id, entry);
}

fn pruned(inventory: &mut Inventory, done: &mut Done, prune: &Prune, result: Result<Deleted, Refusal>) {
    let (service, id) = (&prune.service, &prune.address.id);
    match (result, prune.how) {
        (Ok(Deleted::Gone), how) => {
            inventory.forget(service, id);
            match how {
                How::Delete => done.counts.deleted += 1,
                How::Release => done.counts.released += 1,
            }
        }
        (Ok(Deleted::Deleting), _) => {
            done.counts.deleted += 1;
            done.retry = true;
        }
        (Err(refusal), _) => refused(done, service, id, refusal),
    }
}

fn refused(done: &mut Done, service: &ServiceName, id: &ObjectId, refusal: Refusal) {
    done.counts.failed += 1;
    done.refused.insert(id.clone());
    done.retry |= refusal.retry;
    done.failed.insert(service.clone());
    done.held.push(Held::refused(service, id, refusal));
}
