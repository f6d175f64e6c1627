//! What a pass reads: the services once, the clusters page by page.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use cdn::document::{Approval, RemovalMode};
use cdn::{ClusterId, Digest, ServiceName};

use crate::app::App;
use crate::assign::{ClusterInputs, FleetState, ServiceInputs, Targets, assign};
use crate::db::clusters::assignment::{self, AssignedRow};
use crate::db::removals::Open;
use crate::db::{self, Conn, approvals, documents, fleet, removals, services};
use crate::nouns::services::Service;

/// What is due: all clusters if a service or release changed, else those that changed themselves.
pub(super) struct Due {
    /// The catalog that the services were read at.
    pub(super) catalog: u64,
    /// Whether all clusters are due.
    pub(super) is_all: bool,
    services: BTreeMap<ServiceName, ServiceInputs>,
    after: Option<ClusterId>,
    sets: Sets,
}

/// The services of each set that was met.
type Sets = HashMap<Digest, Arc<BTreeSet<ServiceName>>>;

/// Some clusters, with all that their assignments depend on.
pub(super) struct Page {
    pub(super) state: FleetState,
    pub(super) rows: BTreeMap<ClusterId, AssignedRow>,
    /// The catalog that the state is of.
    pub(super) catalog: u64,
}

impl Due {
    /// The catalog is read before the services: what changes in between leaves the catalog due.
    pub(super) async fn now(app: &App) -> db::Result<Self> {
        let mut conn = app.db.read().await?;
        let fleet = fleet::get(&mut conn).await?;
        let (catalog, is_all) = (fleet.catalog, fleet.catalog > fleet.assigned);
        let services = services_by_name(&mut conn).await?;
        Ok(Self { catalog, is_all, services, after: None, sets: Sets::new() })
    }

    /// Reads the services anew, for the pages that are left: the catalog has changed.
    pub(super) async fn renew(&mut self, app: &App) -> db::Result<()> {
        let now = Self::now(app).await?;
        (self.catalog, self.services) = (now.catalog, now.services);
        Ok(())
    }

    /// The next clusters; none after the last. Their rows are read before what else belongs to them: what changes in
    /// between changes the row too, and the write leaves that row alone.
    pub(super) async fn next(&mut self, app: &App) -> db::Result<Option<Page>> {
        let mut conn = app.db.read().await?;
        let after = self.after.as_ref().map_or("", ClusterId::as_str);
        let rows = assignment::active(&mut conn, !self.is_all, after).await?;
        let Some(last) = rows.last() else { return Ok(None) };
        self.after = Some(last.id.clone());
        let clusters = cluster_inputs(&mut conn, &rows, &mut self.sets).await?;
        let rows = rows.into_iter().map(|row| (row.id.clone(), row)).collect();
        let state = FleetState { services: self.services.clone(), clusters };
        Ok(Some(Page { state, rows, catalog: self.catalog }))
    }
}

/// What is meant for a cluster and left out of its set, and why. Decided when somebody asks: a note that is written down
/// would be a write for each cluster of the fleet whenever a service waits for its first release.
pub(crate) async fn notes_of(conn: &mut Conn, id: &ClusterId) -> db::Result<Vec<String>> {
    let rows: Vec<AssignedRow> = assignment::one(conn, id).await?.into_iter().collect();
    let clusters = cluster_inputs(conn, &rows, &mut Sets::new()).await?;
    let state = FleetState { services: services_by_name(conn).await?, clusters };
    Ok(assign(&state).clusters.remove(id).map(|assignment| assignment.notes).unwrap_or_default())
}

async fn services_by_name(conn: &mut Conn) -> db::Result<BTreeMap<ServiceName, ServiceInputs>> {
    let everything = services::Listed { limit: i64::MAX, ..services::Listed::default() };
    let all = services::list(conn, &everything).await?;
    Ok(all.iter().map(|service| (service.name.clone(), service_inputs(service))).collect())
}

/// A service, as far as assignments look at it.
fn service_inputs(service: &Service) -> ServiceInputs {
    let spec = &service.spec;
    ServiceInputs {
        targets: Targets::of(spec),
        release: service.release,
        depends_on: spec.depends_on_names(service.name.project()),
        options: spec.options.to_wire(service.name.project()),
        on_unassign: spec.options.on_unassign,
    }
}

async fn cluster_inputs(
    conn: &mut Conn,
    rows: &[AssignedRow],
    sets: &mut Sets,
) -> db::Result<Vec<ClusterInputs>> {
    let (Some(first), Some(last)) = (rows.first(), rows.last()) else { return Ok(Vec::new()) };
    let range = (&first.id, &last.id);
    let mut removals = by_cluster::<Open>(removals::open(conn, range).await?);
    let mut approvals = by_cluster::<Approval>(approvals::open(conn, range).await?);
    let mut inputs = Vec::with_capacity(rows.len());
    for row in rows {
        let assigned = match row.set {
            Some(set) => shared_names(conn, sets, set).await?,
            None => Arc::default(),
        };
        let open = removals.remove(&row.id).unwrap_or_default();
        inputs.push(ClusterInputs {
            id: row.id.clone(),
            name: row.name.clone(),
            labels: row.labels.clone(),
            projects: row.projects.clone(),
            values: row.own_values.clone(),
            assigned,
            to_let_go: open.iter().filter(|open| is_to_let_go(open)).map(service_of).collect(),
            removals: open.into_iter().map(|open| open.removal).collect(),
            approvals: approvals.remove(&row.id).unwrap_or_default(),
        });
    }
    Ok(inputs)
}

/// What its objects are was promised when the service was deleted: that they stay. Its namesake would prune them.
fn is_to_let_go(open: &Open) -> bool {
    open.is_of_namesake && open.removal.mode == RemovalMode::Orphan
}

fn service_of(open: &Open) -> ServiceName {
    open.removal.service.clone()
}

async fn shared_names(
    conn: &mut Conn,
    sets: &mut Sets,
    set: Digest,
) -> db::Result<Arc<BTreeSet<ServiceName>>> {
    if let Some(names) = sets.get(&set) {
        return Ok(Arc::clone(names));
    }
    let names = Arc::new(documents::services_of(conn, set).await?);
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
