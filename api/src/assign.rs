//! Which cluster runs which set: a pure function of the fleet's state.
//!
//! A service goes to each cluster that it targets and that lets its project in, with the release that it follows; a
//! service without a release is left out, with a note. Clusters with the same services share one set, whose digest is
//! its name. A service is in a set at most once, since its name is unique in the fleet.
//!
//! Nothing leaves a cluster because it is missing here (law L6): a service that no longer targets a cluster makes a
//! removal only if it says so itself, in `onUnassign`.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use cdn::document::{
    Approval, Named, ProjectValues, Removal, RemovalMode, ServiceEntry, ServiceOptions, Set, Values,
};
use cdn::limits::{DESIRED_LIST, SET_SERVICES};
use cdn::{ClusterId, Digest, ProjectName, ServiceName};

use crate::nouns::services::{OnUnassign, ServiceSpec};
use crate::selector::Selector;

/// All that an assignment depends on.
#[derive(Clone, Debug, Default)]
pub(crate) struct FleetState {
    /// Sorted by name.
    pub(crate) services: BTreeMap<ServiceName, ServiceInputs>,
    pub(crate) clusters: Vec<ClusterInputs>,
}

/// A service, as far as assignments look at it.
#[derive(Clone, Debug)]
pub(crate) struct ServiceInputs {
    pub(crate) targets: Targets,
    /// The release that it follows or is pinned to.
    pub(crate) release: Option<Digest>,
    /// Of the same project.
    pub(crate) depends_on: Vec<ServiceName>,
    pub(crate) options: ServiceOptions,
    pub(crate) on_unassign: OnUnassign,
}

/// Where a service belongs.
#[derive(Clone, Debug)]
pub(crate) enum Targets {
    /// Clusters by name or id.
    Listed(BTreeSet<String>),
    /// Clusters by their labels.
    Selected(Selector),
}

/// What of a cluster decides which services are meant for it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Site<'a> {
    pub(crate) id: &'a ClusterId,
    pub(crate) name: &'a str,
    pub(crate) labels: &'a BTreeMap<String, String>,
    pub(crate) projects: &'a [ProjectName],
}

impl Targets {
    /// What a spec says.
    pub(crate) fn of(spec: &ServiceSpec) -> Self {
        match &spec.selector {
            Some(selector) => Self::Selected(selector.clone()),
            None => Self::Listed(spec.clusters.iter().cloned().collect()),
        }
    }

    /// Whether a service of this project is meant for the cluster, which lets the project in.
    pub(crate) fn reach(&self, project: &ProjectName, site: &Site<'_>) -> bool {
        let is_let_in = site.projects.is_empty() || site.projects.contains(project);
        is_let_in
            && match self {
                Self::Listed(names) => names.contains(site.name) || names.contains(site.id.as_str()),
                Self::Selected(selector) => selector.matches(site.labels),
            }
    }
}

/// An active cluster.
#[derive(Clone, Debug)]
pub(crate) struct ClusterInputs {
    pub(crate) id: ClusterId,
    pub(crate) name: String,
    pub(crate) labels: BTreeMap<String, String>,
    /// Projects that may come here; empty means every project.
    pub(crate) projects: Vec<ProjectName>,
    pub(crate) values: BTreeMap<ProjectName, ProjectValues>,
    /// The services of the set that it is assigned now.
    pub(crate) assigned: Arc<BTreeSet<ServiceName>>,
    /// Open removals, by age.
    pub(crate) removals: Vec<Removal>,
    /// Services of which it has yet to let the objects of a deleted namesake go, before it may run them.
    pub(crate) to_let_go: BTreeSet<ServiceName>,
    /// Open approvals, by age.
    pub(crate) approvals: Vec<Approval>,
}

/// What every cluster should run.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Assignments {
    pub(crate) clusters: BTreeMap<ClusterId, Assignment>,
    /// The sets and values that they name, once each.
    pub(crate) sets: BTreeMap<Digest, Arc<Vec<u8>>>,
    pub(crate) values: BTreeMap<Digest, Arc<Vec<u8>>>,
}

/// What one cluster should run.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Assignment {
    pub(crate) set: Named,
    pub(crate) values: Option<Named>,
    /// What the desired lists; at most 64, the oldest first.
    pub(crate) removals: Vec<Removal>,
    /// The same.
    pub(crate) approvals: Vec<Approval>,
    /// Removals among them that are to be written down: the service no longer targets the cluster.
    pub(crate) new_removals: Vec<Removal>,
    /// Open removals that no longer count: the service targets the cluster again.
    pub(crate) withdrawn: Vec<ServiceName>,
    /// What is left out, and why, for people.
    pub(crate) notes: Vec<String>,
}

/// Decides for all clusters of the state. Each cluster's part depends on nothing but the services and itself.
pub(crate) fn assign(state: &FleetState) -> Assignments {
    let mut decided = Assignments::default();
    let mut shared: HashMap<Vec<&ServiceName>, Named> = HashMap::new();
    for cluster in &state.clusters {
        let mut targeted = targeted(&state.services, cluster);
        let waiting: Vec<_> = targeted.extract_if(.., |name| cluster.to_let_go.contains(*name)).collect();
        let (members, mut notes) = members(&state.services, cluster, &targeted);
        notes.extend(waiting.iter().map(|name| {
            format!("{name} waits: this cluster has yet to let the objects of its deleted namesake go")
        }));
        let set = *shared.entry(members).or_insert_with_key(|members| {
            let bytes = Arc::new(set_of(&state.services, members).to_bytes());
            let named = Named::of(&bytes);
            decided.sets.insert(named.digest, bytes);
            named
        });
        let values = values_of(cluster).map(|bytes| {
            let named = Named::of(&bytes);
            decided.values.insert(named.digest, Arc::new(bytes));
            named
        });
        let new_removals = new_removals(&state.services, cluster, &targeted);
        let open = cluster.removals.iter().filter(|removal| !targeted.contains(&removal.service));
        let removals = open.chain(&new_removals).take(DESIRED_LIST).cloned().collect();
        let again = cluster.removals.iter().filter(|removal| targeted.contains(&removal.service));
        let assignment = Assignment {
            set,
            values,
            removals,
            approvals: cluster.approvals.iter().take(DESIRED_LIST).cloned().collect(),
            new_removals,
            withdrawn: again.map(|removal| removal.service.clone()).collect(),
            notes,
        };
        decided.clusters.insert(cluster.id.clone(), assignment);
    }
    decided
}

/// The services that are meant for a cluster.
fn targeted<'a>(
    services: &'a BTreeMap<ServiceName, ServiceInputs>,
    cluster: &ClusterInputs,
) -> BTreeSet<&'a ServiceName> {
    let ClusterInputs { id, name, labels, projects, .. } = cluster;
    let site = Site { id, name, labels, projects };
    let meant = services.iter().filter(|(name, service)| service.targets.reach(name.project(), &site));
    meant.map(|(name, _)| name).collect()
}

/// Those of them that can run: they have a release, and what they depend on here has one too. One that the cluster is
/// assigned already stays, whatever it newly depends on.
fn members<'a>(
    services: &BTreeMap<ServiceName, ServiceInputs>,
    cluster: &ClusterInputs,
    targeted: &BTreeSet<&'a ServiceName>,
) -> (Vec<&'a ServiceName>, Vec<String>) {
    let mut notes = Vec::new();
    let released = |name: &ServiceName| services.get(name).is_some_and(|service| service.release.is_some());
    let (mut members, without): (BTreeSet<&ServiceName>, BTreeSet<&ServiceName>) =
        targeted.iter().partition(|name| released(name));
    notes.extend(without.iter().map(|name| format!("{name} is left out: it has no release yet")));
    loop {
        let waits = |name: &&ServiceName| {
            let depends =
                services.get(*name).map(|service| service.depends_on.as_slice()).unwrap_or_default();
            depends.iter().find(|on| targeted.contains(on) && !members.contains(on)).cloned()
        };
        let is_new = |name: &&&ServiceName| !cluster.assigned.contains(**name);
        let found = members.iter().filter(is_new).find_map(|name| Some((*name, waits(name)?)));
        let Some((name, on)) = found else { break };
        notes.push(format!("{name} is left out: it depends on {on}, which is left out too"));
        members.remove(name);
    }
    if members.len() > SET_SERVICES {
        notes.push(format!(
            "{} services are left out: a cluster runs at most {SET_SERVICES}",
            members.len() - SET_SERVICES
        ));
    }
    (members.into_iter().take(SET_SERVICES).collect(), notes)
}

fn set_of(services: &BTreeMap<ServiceName, ServiceInputs>, members: &[&ServiceName]) -> Set {
    let entry = |name: &&ServiceName| {
        let service = services.get(*name)?;
        let here = |on: &&ServiceName| members.binary_search(on).is_ok();
        Some(ServiceEntry {
            name: (*name).clone(),
            release: service.release?,
            options: service.options.clone(),
            depends_on: service.depends_on.iter().filter(here).cloned().collect(),
        })
    };
    Set::new(members.iter().filter_map(entry).collect())
}

/// A cluster's values, without those of projects that may not come there.
fn values_of(cluster: &ClusterInputs) -> Option<Vec<u8>> {
    let is_let_in = |project: &ProjectName| cluster.projects.is_empty() || cluster.projects.contains(project);
    let values: BTreeMap<_, _> = cluster
        .values
        .iter()
        .filter(|(project, values)| is_let_in(project) && !values.is_empty())
        .map(|(project, values)| (project.clone(), values.clone()))
        .collect();
    if values.is_empty() { None } else { Some(Values::new(values).to_bytes()) }
}

/// Services that the cluster is assigned and that no longer target it, as far as they say what should become of them.
/// A service that is gone altogether says nothing: whoever deleted it said it.
fn new_removals(
    services: &BTreeMap<ServiceName, ServiceInputs>,
    cluster: &ClusterInputs,
    targeted: &BTreeSet<&ServiceName>,
) -> Vec<Removal> {
    let is_open = |name: &ServiceName| cluster.removals.iter().any(|removal| removal.service == *name);
    let removal = |name: &ServiceName| {
        let mode = match services.get(name)?.on_unassign {
            OnUnassign::Keep => return None,
            OnUnassign::Orphan => RemovalMode::Orphan,
            OnUnassign::Delete => RemovalMode::Delete,
        };
        Some(Removal { service: name.clone(), mode })
    };
    let left = cluster.assigned.iter().filter(|name| !targeted.contains(*name) && !is_open(name));
    left.filter_map(removal).collect()
}

/// A service that depends on itself, by way of others.
pub fn cycle(
    name: &ServiceName,
    depends_on: &[ServiceName],
    others: &BTreeMap<ServiceName, Vec<ServiceName>>,
) -> bool {
    let mut seen = BTreeSet::new();
    let mut next: Vec<&ServiceName> = depends_on.iter().collect();
    while let Some(at) = next.pop() {
        if at == name {
            return true;
        }
        if seen.insert(at) {
            next.extend(others.get(at).into_iter().flatten());
        }
    }
    false
}

#[cfg(test)]
mod tests;
