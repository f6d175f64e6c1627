//! The pass that makes assignments real: read the fleet's state, [`assign`], put new sets into the store, write what
//! changed, let memory follow. Idempotent and without hints; whoever changed something asks for one and waits for it.
//!
//! A set lies in the store before any desired names it. The store may be slow or away, so it is not written inside the
//! transaction: the transaction checks that what was read still holds, and else leaves it to the next pass.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::Context;
use cdn::document::{Approval, Removal, Set};
use cdn::{ClusterId, Digest, Key, ServiceName, document};
use tokio::task::JoinSet;

use crate::app::App;
use crate::assign::{Assignment, Assignments, ClusterState, FleetState, ServiceState, Targets, assign};
use crate::db::clusters::assignment::{self, Assigned, AssignedRow};
use crate::db::documents::Kind;
use crate::db::{self, Conn, Write, approvals, documents, fleet, removals, services};
use crate::desired::Extras;
use crate::follow;
use crate::routes::services::Service;

/// How long a request waits for the pass that it asked for. What it wrote is durable already.
const WAIT: Duration = Duration::from_secs(10);
/// Puts into the store at once.
const PUTS: usize = 8;
/// Who writes removals that follow from a service's own `onUnassign`.
const API: &str = "api";

/// Asks the loop for a pass and waits until one has been tried, for a while. Passes that were asked for while one runs
/// are served by one pass after it.
pub(crate) async fn ask(app: &App) {
    let ticket = app.passes.asked.fetch_add(1, Ordering::AcqRel) + 1;
    let mut tried = app.passes.tried.subscribe();
    app.passes.wake.notify_one();
    if tokio::time::timeout(WAIT, tried.wait_for(|tried| *tried >= ticket)).await.is_err() {
        tracing::warn!("a pass takes long; what was written is assigned a little later");
    }
}

/// The loop's pass: serves whoever has asked by now.
pub(crate) async fn run(app: &App) {
    let asked = app.passes.asked.load(Ordering::Acquire);
    match pass(app).await {
        Ok(()) => app.passes.part.ready(),
        Err(error) => {
            tracing::error!(error = format!("{error:#}"), "clusters keep their assignments: a pass failed");
            app.passes.part.not_ready(format!("clusters keep their assignments: {error:#}"));
        }
    }
    app.passes.tried.send_replace(asked);
}

/// One pass, now.
async fn pass(app: &App) -> anyhow::Result<()> {
    // Each round serves what was written meanwhile; under a storm of writes the loop comes back soon enough.
    for _ in 0..4 {
        let Some(read) = Read::now(app).await.context("read the fleet's state")? else { break };
        let decided = assign(&read.state);
        put(app, &decided).await?;
        write(app, &read, &decided).await.context("write assignments")?;
    }
    follow::follow(app).await.context("read what changed")
}

/// What a pass has read.
struct Read {
    state: FleetState,
    rows: BTreeMap<ClusterId, AssignedRow>,
    /// The catalog, if all clusters were read because of it.
    catalog: Option<u64>,
}

impl Read {
    /// Reads what is due: all active clusters if a service or release changed, else those that changed themselves.
    async fn now(app: &App) -> db::Result<Option<Self>> {
        let mut conn = app.db.read().await?;
        let fleet = fleet::get(&mut conn).await?;
        let catalog = (fleet.catalog > fleet.assigned).then_some(fleet.catalog);
        let rows = assignment::active(&mut conn, catalog.is_none()).await?;
        if rows.is_empty() && catalog.is_none() {
            return Ok(None);
        }
        let everything = services::Listed { limit: i64::MAX, ..services::Listed::default() };
        let all = services::list(&mut conn, &everything).await?;
        let services = all.iter().map(|service| (service.name.clone(), service_state(service))).collect();
        let clusters = cluster_states(&mut conn, &rows).await?;
        let rows = rows.into_iter().map(|row| (row.id.clone(), row)).collect();
        Ok(Some(Self { state: FleetState { services, clusters }, rows, catalog }))
    }
}

/// A service, as far as assignments look at it.
pub(crate) fn service_state(service: &Service) -> ServiceState {
    let spec = &service.spec;
    let targets = match &spec.selector {
        Some(selector) => Targets::Selected(selector.clone()),
        None => Targets::Listed(spec.clusters.iter().cloned().collect()),
    };
    ServiceState {
        targets,
        release: service.release,
        depends_on: spec.depends_on_names(service.name.project()),
        options: spec.options.to_wire(service.name.project()),
        on_unassign: spec.options.on_unassign,
    }
}

async fn cluster_states(conn: &mut Conn, rows: &[AssignedRow]) -> db::Result<Vec<ClusterState>> {
    let mut removals = by_cluster::<Removal>(removals::open(conn).await?);
    let mut approvals = by_cluster::<Approval>(approvals::open(conn).await?);
    let mut sets: HashMap<Digest, Arc<BTreeSet<ServiceName>>> = HashMap::new();
    let mut states = Vec::with_capacity(rows.len());
    for row in rows {
        let assigned = match row.set {
            Some(set) => shared_names(conn, &mut sets, set).await?,
            None => Arc::default(),
        };
        states.push(ClusterState {
            id: row.id.clone(),
            name: row.name.clone(),
            labels: row.labels.clone(),
            projects: row.projects.clone(),
            values: row.own_values.clone(),
            assigned,
            removals: removals.remove(&row.id).unwrap_or_default(),
            approvals: approvals.remove(&row.id).unwrap_or_default(),
        });
    }
    Ok(states)
}

async fn shared_names(
    conn: &mut Conn,
    sets: &mut HashMap<Digest, Arc<BTreeSet<ServiceName>>>,
    set: Digest,
) -> db::Result<Arc<BTreeSet<ServiceName>>> {
    if let Some(names) = sets.get(&set) {
        return Ok(Arc::clone(names));
    }
    let names = Arc::new(names_of(conn, set).await?);
    sets.insert(set, Arc::clone(&names));
    Ok(names)
}

fn by_cluster<T>(all: Vec<(ClusterId, T)>) -> HashMap<ClusterId, Vec<T>> {
    let mut each: HashMap<ClusterId, Vec<T>> = HashMap::new();
    for (cluster, one) in all {
        each.entry(cluster).or_default().push(one);
    }
    each
}

/// The services of a set.
pub(crate) async fn names_of(conn: &mut Conn, set: Digest) -> db::Result<BTreeSet<ServiceName>> {
    let Some(bytes) = documents::get(conn, set).await? else { return Ok(BTreeSet::new()) };
    let set: Set = document::read(&bytes).map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
    Ok(set.services.into_iter().map(|entry| entry.name).collect())
}

/// Puts the sets and values that nobody was assigned before into the store.
async fn put(app: &App, decided: &Assignments) -> anyhow::Result<()> {
    let all: BTreeMap<_, _> = decided.sets.iter().chain(&decided.values).collect();
    let digests: Vec<Digest> = all.keys().map(|digest| **digest).collect();
    let mut conn = app.db.read().await.context("read the fleet's state")?;
    let known: BTreeSet<Digest> = documents::known(&mut conn, &digests).await?.into_iter().collect();
    drop(conn);
    let mut puts = JoinSet::new();
    for (digest, bytes) in all.into_iter().filter(|(digest, _)| !known.contains(digest)) {
        if puts.len() >= PUTS {
            joined(puts.join_next().await)?;
        }
        let (store, key, bytes) = (app.store.clone(), Key::Object(*digest), bytes.to_vec());
        puts.spawn(async move { store.put(&key, bytes).await });
    }
    while let Some(done) = puts.join_next().await {
        joined(Some(done))?;
    }
    Ok(())
}

type PutEnd = Result<Result<store::Put, store::StoreError>, tokio::task::JoinError>;

fn joined(end: Option<PutEnd>) -> anyhow::Result<()> {
    match end {
        None => Ok(()),
        Some(end) => end.context("a put was broken off")?.map(drop).context("put a set into the store"),
    }
}

/// Writes what changed, in one transaction.
async fn write(app: &App, read: &Read, decided: &Assignments) -> db::Result<()> {
    let now = app.clock.now_ms();
    let (mut changed, mut same) = (Vec::new(), Vec::new());
    for (id, assignment) in &decided.clusters {
        let Some(row) = read.rows.get(id) else { continue };
        let notes = db::to_json(&assignment.notes);
        match differing(row, assignment, now) {
            Some(new) => changed.push(new),
            None if row.stale || row.notes != notes => same.push((id.clone(), row.change, notes)),
            None => {}
        }
    }
    let mut tx = app.db.write().await?;
    for (digest, bytes) in &decided.sets {
        documents::put(&mut tx, *digest, Kind::Set, bytes, now).await?;
    }
    for (digest, bytes) in &decided.values {
        documents::put(&mut tx, *digest, Kind::Values, bytes, now).await?;
    }
    let number = tx.change();
    let written = assignment::write(&mut tx, &changed, now, number).await?;
    let confirmed = assignment::confirm(&mut tx, &same).await?;
    write_removals(&mut tx, decided, now).await?;
    approvals::note_assigned(&mut tx).await?;
    // A cluster that somebody changed meanwhile was left as it is: then the catalog stays due.
    let is_whole = written == changed.len() && confirmed == same.len();
    if let Some(catalog) = read.catalog.filter(|_| is_whole) {
        fleet::set_assigned(&mut tx, catalog).await?;
    }
    tx.commit().await?;
    tracing::debug!(changed = written, whole = is_whole, "assigned");
    Ok(())
}

/// The new row, if the assignment is another one than the row's.
fn differing(row: &AssignedRow, assignment: &Assignment, now_ms: i64) -> Option<Assigned> {
    let removals = assignment.removals.clone();
    let extras = Extras { removals, approvals: assignment.approvals.clone() }.to_column();
    let is_same = row.seq > 0
        && row.set == Some(assignment.set.digest)
        && row.values == assignment.values.map(|values| values.digest)
        && row.extras == extras;
    (!is_same).then(|| Assigned {
        id: row.id.clone(),
        read_at_change: row.change,
        seq: (row.seq + 1).max(db::nat(now_ms)),
        set: assignment.set,
        values: assignment.values,
        extras,
        notes: db::to_json(&assignment.notes),
    })
}

async fn write_removals(tx: &mut Write, decided: &Assignments, now: i64) -> db::Result<()> {
    for (cluster, assignment) in &decided.clusters {
        for removal in &assignment.new_removals {
            let (service, mode) = (&removal.service, removal.mode);
            let new = removals::NewRemoval { cluster, service, mode, by: API, at: now };
            removals::add(tx, &new).await?;
        }
        for service in &assignment.withdrawn {
            removals::finish(tx, cluster, service, now).await?;
        }
    }
    Ok(())
}
