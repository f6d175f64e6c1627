//! The thin end of a pass: takes a plan's steps, bounded in number at once, and writes down what came of each. One
//! object's failure is one object's failure (law L8).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use cdn::document::{Health, HoldReason};
use cdn::{ObjectId, ServiceName};
use futures::StreamExt;
use futures::stream;

use super::News;
use crate::held::Held;
use crate::inventory::{Entry, Inventory};
use crate::outcome::Counts;
use crate::plan::{Apply, Cause, How, Prune};
use crate::target::{Applied, Deleted, KindRef, Refusal, Served, Target};

/// Takes steps, and keeps the inventory true to them.
pub(super) struct Applier<'a> {
    pub(super) target: &'a Target,
    pub(super) inventory: &'a mut Inventory,
    pub(super) concurrency: usize,
    pub(super) definitions: Duration,
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
    /// The health of what was applied, by service.
    pub(super) health: BTreeMap<ServiceName, Health>,
    pub(super) superseded: bool,
    /// Whether something may go better the next time, without anybody's doing.
    pub(super) retry: bool,
}

impl Applier<'_> {
    /// Applies, turn by turn.
    pub(super) async fn apply(&mut self, applies: Vec<Apply>) {
        for turn in applies.chunk_by(|a, b| a.turn() == b.turn()) {
            let ready = self.ready(turn).await;
            if self.done.superseded {
                return;
            }
            let target = self.target;
            let one = |apply: &'_ Apply| {
                let apply = apply.clone();
                async move {
                    let result = target.apply(&apply.prepared).await;
                    (apply, result)
                }
            };
            let mut running = stream::iter(ready.into_iter().map(one)).buffer_unordered(self.concurrency);
            loop {
                let next = tokio::select! {
                    biased;
                    next = running.next() => next,
                    Ok(()) = self.news.changed() => {
                        self.done.superseded = true;
                        return;
                    }
                };
                let Some((apply, result)) = next else { break };
                applied(self.inventory, &mut self.done, &apply, result);
            }
        }
    }

    /// The steps of a turn whose kinds are served; waits for those that were only just defined.
    async fn ready<'t>(&mut self, turn: &'t [Apply]) -> Vec<&'t Apply> {
        let promised = turn.iter().filter(|apply| apply.promised);
        let kinds: BTreeSet<KindRef> = promised.map(|apply| apply.address.kind()).collect();
        if kinds.is_empty() {
            return turn.iter().collect();
        }
        let served = tokio::select! {
            served = self.target.wait_served(&kinds, self.definitions) => served,
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
            refused(&mut self.done, (&apply.prepared.service, &apply.address.id), refusal);
        }
        ready
    }

    /// Takes objects away, phase by phase.
    pub(super) async fn prune(&mut self, prunes: Vec<Prune>) {
        for turn in prunes.chunk_by(|a, b| a.phase == b.phase) {
            let target = self.target;
            let one = |prune: &'_ Prune| {
                let prune = prune.clone();
                async move {
                    let Prune { service, address, uid, how, .. } = &prune;
                    let result = match how {
                        How::Delete => target.delete(address, uid, None).await,
                        How::Release => target.release(address, uid, service).await.map(|()| Deleted::Gone),
                    };
                    (prune, result)
                }
            };
            let mut running = stream::iter(turn.iter().map(one)).buffer_unordered(self.concurrency);
            while let Some((prune, result)) = running.next().await {
                pruned(self.inventory, &mut self.done, &prune, result);
            }
        }
    }
}

fn applied(inventory: &mut Inventory, done: &mut Done, apply: &Apply, result: Result<Applied, Refusal>) {
    let (service, id) = (&apply.prepared.service, &apply.address.id);
    let Applied { live, changed } = match result {
        Ok(applied) => applied,
        Err(refusal) => return refused(done, (service, id), refusal),
    };
    match (changed, apply.cause) {
        (false, _) => done.counts.unchanged += 1,
        (true, Cause::Drift) => done.counts.repaired += 1,
        (true, Cause::Create | Cause::Change | Cause::Transfer | Cause::Adopt) => done.counts.applied += 1,
    }
    let health = done.health.entry(service.clone()).or_insert(Health::Unknown);
    *health = health.and(live.health);
    let entry = Entry {
        uid: Some(live.uid),
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
        (Err(refusal), _) => refused(done, (service, id), refusal),
    }
}

fn refused(done: &mut Done, (service, id): (&ServiceName, &ObjectId), refusal: Refusal) {
    done.counts.failed += 1;
    done.retry |= refusal.retry;
    done.failed.insert(service.clone());
    done.held.push(Held::refused(service, id, refusal));
}
