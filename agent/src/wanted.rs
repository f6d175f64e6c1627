//! `Wanted`: what this cluster should run, proved to the last byte. Made by the poll loop, taken by the sync loop; the
//! two share nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cdn::document::{RemovalMode, ServiceEntry};
use cdn::trust::{Content, Record, Snapshot};
use cdn::{Bundle, ClusterId, Digest, ServiceName};

use crate::held::Held;

/// What this cluster should run.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    /// This cluster.
    pub cluster: ClusterId,
    /// The fleet's id.
    pub fleet: Digest,
    /// The assignment's sequence.
    pub seq: u64,
    /// The services of the set.
    pub services: BTreeMap<ServiceName, WantedService>,
    /// Services that a signed removal names.
    pub removals: BTreeMap<ServiceName, RemovalMode>,
    /// Holds that a person has approved, with as many signatures as root asks for.
    pub approved: BTreeSet<Digest>,
}

/// One service of the set.
#[derive(Clone, Debug)]
pub(crate) struct WantedService {
    /// What the set says of it.
    pub entry: ServiceEntry,
    /// Its objects: of the release that the set names, or of the one before while that cannot be had; none before
    /// the first.
    pub loaded: Option<Loaded>,
    /// What is in the way of the release that the set names.
    pub held: Option<Held>,
}

/// A release's objects.
#[derive(Clone, Debug)]
pub(crate) struct Loaded {
    /// Which release it is.
    pub record: Record,
    /// The objects.
    pub bundle: Arc<Bundle>,
}

impl Wanted {
    /// What a snapshot says, without any content yet.
    pub(crate) fn of(snapshot: &Snapshot) -> Self {
        let desired = snapshot.desired();
        let service = |entry: &ServiceEntry| {
            (entry.name.clone(), WantedService { entry: entry.clone(), loaded: None, held: None })
        };
        let holds = desired.approvals.iter().map(|approval| approval.hold);
        Self {
            cluster: desired.cluster.clone(),
            fleet: desired.fleet,
            seq: desired.seq,
            services: snapshot.set().services.iter().map(service).collect(),
            removals: desired.removals.iter().map(|r| (r.service.clone(), r.mode)).collect(),
            approved: holds.filter(|hold| snapshot.approves(*hold)).collect(),
        }
    }
}

impl WantedService {
    /// Whether the objects are those of the release that the set names.
    pub(crate) fn is_current(&self) -> bool {
        self.loaded.as_ref().is_some_and(|loaded| loaded.record.release == self.entry.release)
    }
}

impl Loaded {
    /// Takes the objects out of proved content; the tar is on disk.
    pub(crate) fn of(content: &Content) -> Self {
        Self { record: content.record().clone(), bundle: Arc::new(content.bundle().clone()) }
    }
}
