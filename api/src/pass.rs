//! The pass that makes assignments real: read the fleet's state, [`assign`], put new sets into the store, write what
//! changed, let memory follow. Idempotent and without hints; whoever changed something asks for one and waits for it.
//!
//! A set lies in the store before any desired names it. The store may be slow or away, so it is not written inside the
//! transaction: the transaction checks that what was read still holds, the services as well as the clusters, and else
//! leaves it to the next pass. Replicas make passes side by side, and one that was slow must undo nothing.

mod read;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::Context;
use cdn::{Digest, Key};
use tokio::task::JoinSet;

use crate::app::App;
use crate::assign::{Assignment, Assignments, assign};
use crate::db::clusters::assignment::{self, AssignedRow, NewAssignment};
use crate::db::documents::Kind;
use crate::db::{self, Write, approvals, documents, fleet, removals};
use crate::desired::Extras;
use crate::follow;
use crate::nouns::audit::API;
pub(crate) use read::notes_of;
use read::{Due, Page};

/// How long a request waits for the pass that it asked for. What it wrote is durable already.
const WAIT: Duration = Duration::from_secs(10);
/// Puts into the store at once.
const PUTS: usize = 8;

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
        Ok(()) => app.passes.show(Ok(())),
        Err(error) => {
            if let Some(error) = error.downcast_ref() {
                app.db.note(error);
            }
            tracing::error!(error = format!("{error:#}"), "clusters keep their assignments: a pass failed");
            app.passes.show(Err(format!("clusters keep their assignments: {error:#}")));
        }
    }
    app.passes.tried.send_replace(asked);
}

/// One pass: page after page of clusters, each in a transaction of its own, so that a large fleet costs little memory
/// and keeps nobody else from writing for long.
async fn pass(app: &App) -> anyhow::Result<()> {
    // Each round serves what was written meanwhile; under a storm of writes the loop comes back soon enough.
    for _ in 0..4 {
        let mut due = Due::now(app).await.context("read the services")?;
        let (mut is_whole, mut was_due) = (true, due.is_all);
        while let Some(page) = due.next(app).await.context("read clusters")? {
            let decided = assign(&page.state);
            put(app, &decided).await?;
            was_due = true;
            match write(app, &page, &decided).await.context("write assignments")? {
                Written::Whole => {}
                Written::Partly => is_whole = false,
                Written::Outdated => {
                    is_whole = false;
                    due.renew(app).await.context("read the services anew")?;
                }
            }
        }
        if due.is_all && is_whole {
            finish(app, due.catalog).await.context("write that all is assigned")?;
        }
        if !was_due {
            break;
        }
    }
    follow::follow(app).await.context("read what changed")
}

/// Says that all clusters have been assigned by a catalog.
async fn finish(app: &App, catalog: u64) -> db::Result<()> {
    let mut tx = app.db.write().await?;
    fleet::set_assigned(&mut tx, catalog).await?;
    tx.commit().await
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

/// What became of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Written {
    /// All of it is as it was decided.
    Whole,
    /// Some clusters were changed by somebody else meanwhile, and are left as they are.
    Partly,
    /// It was decided from services that are others now; nothing was written.
    Outdated,
}

/// Writes what changed of a page, in one transaction. A catalog that was being assigned stays due unless all of it was
/// written.
async fn write(app: &App, page: &Page, decided: &Assignments) -> db::Result<Written> {
    let now = app.clock.now_ms();
    let (mut changed, mut same) = (Vec::new(), Vec::new());
    for (id, assignment) in &decided.clusters {
        let Some(row) = page.rows.get(id) else { continue };
        match differing(row, assignment) {
            Some(new) => changed.push(new),
            None if row.stale => same.push((id.clone(), row.change)),
            None => {}
        }
    }
    if changed.is_empty() && same.is_empty() {
        return Ok(Written::Whole);
    }
    let mut tx = app.db.write().await?;
    // An undo of a person, by way of another replica perhaps, must not be undone by a pass that began before it. The
    // rows alone do not show it: a pass that finds them right already writes none of them.
    if fleet::get(&mut tx).await?.catalog != page.catalog {
        return Ok(Written::Outdated);
    }
    for (digest, bytes) in &decided.sets {
        documents::put(&mut tx, *digest, Kind::Set, bytes, now).await?;
    }
    for (digest, bytes) in &decided.values {
        documents::put(&mut tx, *digest, Kind::Values, bytes, now).await?;
    }
    write_removals(&mut tx, page, decided, now).await?;
    let written = assignment::write(&mut tx, &changed, now).await?;
    let confirmed = assignment::confirm(&mut tx, &same).await?;
    approvals::note_assigned(&mut tx).await?;
    let change = tx.change();
    let is_whole = written == changed.len() && confirmed == same.len();
    let assigned: Vec<_> = changed.into_iter().map(|new| (new.id, change)).chain(same).collect();
    removals::note_assigned(&mut tx, &assigned).await?;
    tx.commit().await?;
    tracing::debug!(changed = written, of = decided.clusters.len(), "assigned");
    Ok(if is_whole { Written::Whole } else { Written::Partly })
}

/// The new row, if the assignment is another one than the row's.
fn differing(row: &AssignedRow, assignment: &Assignment) -> Option<NewAssignment> {
    let removals = assignment.removals.clone();
    let extras = Extras { removals, approvals: assignment.approvals.clone() }.to_column();
    let is_same = row.seq > 0
        && row.set == Some(assignment.set.digest)
        && row.values == assignment.values.map(|values| values.digest)
        && row.extras == extras;
    (!is_same).then(|| NewAssignment {
        id: row.id.clone(),
        read_at_change: row.change,
        set: assignment.set,
        values: assignment.values,
        extras,
    })
}

/// Writes the removals that follow from the assignments, before those: a cluster that was changed meanwhile gets none.
async fn write_removals(tx: &mut Write, page: &Page, decided: &Assignments, now: i64) -> db::Result<()> {
    let concerned = decided
        .clusters
        .iter()
        .filter(|(_, assignment)| !assignment.new_removals.is_empty() || !assignment.withdrawn.is_empty());
    let read: Vec<_> =
        concerned.filter_map(|(id, _)| Some((id.clone(), page.rows.get(id)?.change))).collect();
    for cluster in &assignment::as_read(tx, &read).await? {
        let Some(assignment) = decided.clusters.get(cluster) else { continue };
        for removal in &assignment.new_removals {
            let (service, mode) = (&removal.service, removal.mode);
            // What follows from a service's own `onUnassign`.
            let new = removals::NewRemoval { cluster, service, mode, by: API, at: now };
            removals::add(tx, &new).await?;
        }
        for service in &assignment.withdrawn {
            removals::withdraw(tx, cluster, service, now).await?;
        }
    }
    Ok(())
}
