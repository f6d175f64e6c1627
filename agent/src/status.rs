//! `Status`: what this agent would say of itself now. The loops write their own part; reports, the demo and tests
//! watch it.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use cdn::document::{Health, Hold, ServiceReport, Sync};
use cdn::{ClusterId, ServiceName};
use jiff::Timestamp;
use serde::Serialize;
use tokio::sync::watch;

use crate::held::{Book, Held};
use crate::meters;
use crate::outcome::{Counts, Ended, Outcome};
use crate::wanted::Wanted;

/// What this agent would say of itself now.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Status {
    /// This cluster; none before it has joined.
    pub cluster: Option<ClusterId>,
    /// What the network loop knows.
    pub network: Network,
    /// What the last pass came to; none before the first.
    pub pass: Option<Pass>,
}

/// What the network loop knows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Network {
    /// Polls that were answered.
    pub polls: u64,
    /// Whether the last poll was answered with something usable.
    pub connected: bool,
    /// What is in the way of the network, in words; empty if nothing is.
    pub problem: String,
    /// The sequence accepted; 0 before the first.
    pub seq: u64,
    /// The root version trusted.
    pub root: u64,
    /// Content read from origins since the start, in bytes.
    pub content_bytes: u64,
    /// Content that was already held, in bytes.
    pub saved_bytes: u64,
    /// Holds of the whole cluster.
    pub holds: Vec<Hold>,
}

/// What the last pass came to.
#[derive(Clone, Debug, Serialize)]
pub struct Pass {
    /// Its number since the start.
    pub number: u64,
    /// The sequence it brought about.
    pub seq: u64,
    /// How it ended.
    pub ended: Ended,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
    /// What it did.
    pub counts: Counts,
    /// The services, as they are reported.
    pub services: Vec<ServiceReport>,
    /// Holds of services and objects.
    pub holds: Vec<Hold>,
    /// Removals that are done.
    pub removed: Vec<ServiceName>,
}

/// The one place where both loops write.
#[derive(Debug)]
pub(crate) struct Shared {
    status: watch::Sender<Status>,
    memory: Mutex<Memory>,
}

/// What must be known of the past to say "since".
#[derive(Debug, Default)]
struct Memory {
    network: Book,
    pass: Book,
    since: BTreeMap<ServiceName, (Sync, Health, Timestamp)>,
}

impl Shared {
    /// Nothing known yet.
    pub(crate) fn new(status: watch::Sender<Status>) -> Self {
        Self { status, memory: Mutex::default() }
    }

    /// Whoever wants to know.
    pub(crate) fn watch(&self) -> watch::Receiver<Status> {
        self.status.subscribe()
    }

    /// Whether the last poll was answered with something usable.
    pub(crate) fn is_connected(&self) -> bool {
        self.status.borrow().network.connected
    }

    /// This cluster has an id.
    pub(crate) fn joined(&self, cluster: &ClusterId) {
        self.status.send_modify(|status| status.cluster = Some(cluster.clone()));
    }

    /// The network loop knows something.
    pub(crate) fn network(&self, held: &[Held], change: impl FnOnce(&mut Network)) {
        let stamped = self.memory().network.stamp(held, Timestamp::now());
        stamped.log();
        self.status.send_if_modified(|status| {
            let before = status.network.clone();
            status.network.holds = stamped.holds;
            change(&mut status.network);
            meters::holds(&status.holds());
            status.network != before
        });
    }

    /// A pass has ended.
    pub(crate) fn passed(&self, wanted: &Wanted, outcome: &Outcome) {
        let now = Timestamp::now();
        let mut memory = self.memory();
        let stamped = memory.pass.stamp(&outcome.held, now);
        let services = memory.services(outcome, now);
        drop(memory);
        stamped.log();
        self.status.send_modify(|status| {
            let last = status.pass.take();
            let failed = outcome.result == Ended::Failed && outcome.services.is_empty();
            let services = match &last {
                // A pass that could not be made says nothing new of the services.
                Some(last) if failed && !outcome.is_anothers() => last.services.clone(),
                Some(last) if failed => last.services.iter().map(|service| held(service, now)).collect(),
                Some(_) | None => services,
            };
            status.pass = Some(Pass {
                number: last.map_or(1, |last| last.number + 1),
                seq: wanted.seq,
                ended: outcome.result,
                took_ms: u64::try_from(outcome.took.as_millis()).unwrap_or(u64::MAX),
                counts: outcome.counts,
                services,
                holds: stamped.holds,
                removed: outcome.removed.clone(),
            });
            meters::holds(&status.holds());
        });
    }

    fn memory(&self) -> std::sync::MutexGuard<'_, Memory> {
        // What a panicking pass left is still the best that is known of the past.
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Memory {
    fn services(&mut self, outcome: &Outcome, now: Timestamp) -> Vec<ServiceReport> {
        self.since.retain(|service, _| outcome.services.contains_key(service));
        let mut reports = Vec::new();
        for (name, service) in &outcome.services {
            let last = self.since.get(name).filter(|last| (last.0, last.1) == (service.sync, service.health));
            let since = last.map_or(now, |last| last.2);
            self.since.insert(name.clone(), (service.sync, service.health, since));
            reports.push(ServiceReport {
                name: name.clone(),
                release: service.release,
                bundle: service.bundle,
                sync: service.sync,
                health: service.health,
                objects: service.objects,
                since,
            });
        }
        reports
    }
}

/// A service that another agent may have changed by now.
fn held(service: &ServiceReport, now: Timestamp) -> ServiceReport {
    let since = if service.sync == Sync::Held { service.since } else { now };
    ServiceReport { sync: Sync::Held, since, ..service.clone() }
}

impl Status {
    /// Every hold, the cluster's own first.
    pub fn holds(&self) -> Vec<Hold> {
        let of_passes = self.pass.iter().flat_map(|pass| &pass.holds);
        self.network.holds.iter().chain(of_passes).cloned().collect()
    }
}
