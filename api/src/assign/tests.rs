//! Properties of assignments, over random fleets.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cdn::document::{self, RemovalMode, ServiceOptions, Set, Values};
use cdn::{ClusterId, Digest, ProjectName, ServiceName};
use proptest::prelude::*;
use serde_json::json;

use super::{Assignments, ClusterInputs, FleetState, ServiceInputs, Targets, assign, cycle};
use crate::nouns::services::OnUnassign;
use crate::selector::Selector;

const PROJECTS: [&str; 2] = ["default", "other"];
const ENVS: [&str; 3] = ["prod", "staging", "test"];

fn project(n: usize) -> ProjectName {
    PROJECTS[n].parse().unwrap()
}

fn service(n: usize) -> ServiceName {
    ServiceName::new(project(n % 2), &format!("s{n}")).unwrap()
}

fn cluster_id(n: usize) -> ClusterId {
    format!("cl-{n:032x}").parse().unwrap()
}

fn release(name: &ServiceName, n: u8) -> Digest {
    Digest::of(format!("{name} {n}").as_bytes())
}

fn services() -> impl Strategy<Value = BTreeMap<ServiceName, ServiceInputs>> {
    let targets = prop_oneof![
        prop::collection::btree_set(0..6_usize, 0..4)
            .prop_map(|set| Targets::Listed(set.into_iter().map(|n| format!("site-{n}")).collect())),
        prop::sample::select(ENVS.to_vec())
            .prop_map(|env| Targets::Selected(format!("env={env}").parse::<Selector>().unwrap())),
    ];
    let on_unassign = prop::sample::select(vec![OnUnassign::Keep, OnUnassign::Orphan, OnUnassign::Delete]);
    let one = (targets, prop::option::of(0..3_u8), prop::collection::vec(0..4_usize, 0..2), on_unassign);
    prop::collection::vec(one, 0..8).prop_map(|all| {
        let state = |(n, (targets, released, depends, on_unassign)): (
            usize,
            (Targets, Option<u8>, Vec<usize>, _),
        )| {
            let name = service(n);
            // Only on services before it, of the same project: no circle.
            let depends_on =
                depends.into_iter().map(|back| n.saturating_sub(2 * (back + 1))).filter(|on| on % 2 == n % 2);
            let depends_on =
                depends_on.filter(|on| *on < n).map(service).collect::<BTreeSet<_>>().into_iter().collect();
            let release = released.map(|n| release(&name, n));
            (
                name,
                ServiceInputs {
                    targets,
                    release,
                    depends_on,
                    options: ServiceOptions::default(),
                    on_unassign,
                },
            )
        };
        all.into_iter().enumerate().map(state).collect()
    })
}

/// A cluster at random: its environment, the projects it lets in, what it is assigned, whether it has values.
type Drawn = (&'static str, Vec<usize>, BTreeSet<usize>, bool);

fn clusters() -> impl Strategy<Value = Vec<ClusterInputs>> {
    let one = (
        prop::sample::select(ENVS.to_vec()),
        prop::collection::vec(0..2_usize, 0..2),
        prop::collection::btree_set(0..10_usize, 0..4),
        any::<bool>(),
    );
    prop::collection::vec(one, 0..6).prop_map(|all| {
        let state = |(n, (env, projects, assigned, has_values)): (usize, Drawn)| {
            let values =
                PROJECTS.map(|p| (p.parse().unwrap(), BTreeMap::from([("secret".to_owned(), json!(p))])));
            ClusterInputs {
                id: cluster_id(n),
                name: format!("site-{n}"),
                labels: BTreeMap::from([("env".to_owned(), env.to_owned())]),
                projects: projects.into_iter().map(project).collect(),
                values: if has_values { values.into() } else { BTreeMap::new() },
                assigned: Arc::new(assigned.into_iter().map(service).collect()),
                removals: Vec::new(),
                to_let_go: BTreeSet::new(),
                approvals: Vec::new(),
            }
        };
        all.into_iter().enumerate().map(state).collect()
    })
}

fn set(decided: &Assignments, id: &ClusterId) -> Set {
    document::read(&decided.sets[&decided.clusters[id].set.digest]).unwrap()
}

/// The fleet after the assignment has been written: sets are what runs, removals are open.
fn after(state: &FleetState, decided: &Assignments) -> FleetState {
    let mut state = state.clone();
    for cluster in &mut state.clusters {
        let assignment = &decided.clusters[&cluster.id];
        let names = set(decided, &cluster.id).services.into_iter().map(|entry| entry.name).collect();
        cluster.assigned = Arc::new(names);
        cluster.removals.retain(|removal| !assignment.withdrawn.contains(&removal.service));
        cluster.removals.extend(assignment.new_removals.iter().cloned());
    }
    state
}

proptest! {
    #[test]
    fn the_same_fleet_has_the_same_assignments_in_any_order(services in services(), clusters in clusters()) {
        let state = FleetState { services, clusters };
        let mut turned = state.clone();
        turned.clusters.reverse();
        prop_assert_eq!(assign(&state), assign(&turned));
    }

    #[test]
    fn assigning_again_what_was_assigned_changes_nothing(services in services(), clusters in clusters()) {
        let state = FleetState { services, clusters };
        let first = assign(&state);
        let second = assign(&after(&state, &first));
        for (id, before) in &first.clusters {
            let again = &second.clusters[id];
            prop_assert_eq!((before.set, before.values, &before.removals), (again.set, again.values, &again.removals));
            prop_assert!(again.new_removals.is_empty() && again.withdrawn.is_empty());
        }
    }

    #[test]
    fn d10_nothing_crosses_a_projects_border(services in services(), clusters in clusters()) {
        let state = FleetState { services, clusters };
        let decided = assign(&state);
        for cluster in &state.clusters {
            let is_let_in = |project: &ProjectName| cluster.projects.is_empty() || cluster.projects.contains(project);
            for entry in set(&decided, &cluster.id).services {
                prop_assert!(is_let_in(entry.name.project()));
                prop_assert_eq!(Some(entry.release), state.services[&entry.name].release);
                prop_assert!(entry.depends_on.iter().all(|on| on.project() == entry.name.project()));
            }
            if let Some(named) = decided.clusters[&cluster.id].values {
                let values: Values = document::read(&decided.values[&named.digest]).unwrap();
                prop_assert!(values.projects.keys().all(is_let_in));
            }
        }
    }

    #[test]
    fn l6_what_is_still_meant_is_never_removed_and_what_keeps_is_kept(services in services(), clusters in clusters()) {
        let state = FleetState { services, clusters };
        let decided = assign(&state);
        for cluster in &state.clusters {
            let runs = set(&decided, &cluster.id);
            for removal in &decided.clusters[&cluster.id].removals {
                prop_assert!(runs.get(&removal.service).is_none());
                prop_assert!(cluster.assigned.contains(&removal.service));
                let mode = match state.services[&removal.service].on_unassign {
                    OnUnassign::Keep => None,
                    OnUnassign::Orphan => Some(RemovalMode::Orphan),
                    OnUnassign::Delete => Some(RemovalMode::Delete),
                };
                prop_assert_eq!(mode, Some(removal.mode));
            }
        }
    }

    #[test]
    fn every_set_is_one_that_agents_read(services in services(), clusters in clusters()) {
        let state = FleetState { services, clusters };
        let decided = assign(&state);
        prop_assert!(decided.clusters.keys().all(|id| set(&decided, id).services.len() <= state.services.len()));
        prop_assert_eq!(decided.clusters.len(), state.clusters.len());
    }
}

#[test]
fn a_circle_of_dependencies_is_found() {
    let [a, b, c] = [0, 2, 4].map(service);
    let others = BTreeMap::from([(b.clone(), vec![c.clone()]), (c.clone(), vec![a.clone()])]);
    assert!(cycle(&a, std::slice::from_ref(&b), &others));
    assert!(!cycle(&a, &[b], &BTreeMap::new()));
}
