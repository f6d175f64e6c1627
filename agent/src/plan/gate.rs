//! What waits for what: services for those that they depend on, waves for the waves before them. Waiting holds no
//! worker: the steps are left out of this plan, and a later plan has them. Repair of what already runs never waits.

use std::collections::BTreeMap;

use cdn::document::{Health, HoldReason};
use cdn::{ObjectId, ServiceName};

use super::{Apply, Cause, Input, Phase, Plan, Standing, object, phase};
use crate::held::Held;
use crate::target::Seen;

/// Takes the news of services out of the plan whose dependencies are not applied and healthy.
pub(super) fn hold_dependents(input: &Input<'_>, plan: &mut Plan) {
    let mut waiting: BTreeMap<ServiceName, Held> = BTreeMap::new();
    for (service, wanted) in &input.wanted.services {
        if wanted.entry.options.suspend || object::is_applied(input, service) {
            continue;
        }
        let missing = wanted.entry.depends_on.iter().find(|name| !is_ready(input, plan, name));
        if let Some(missing) = missing {
            let message = format!("waits for {missing}, which is not yet applied and healthy");
            waiting.insert(service.clone(), Held::service(HoldReason::DependencyNotReady, service, message));
        }
    }
    plan.applies.retain(|apply| !(is_news(apply) && waiting.contains_key(&apply.prepared.service)));
    for (service, held) in waiting {
        wait(plan, &service);
        plan.held.push(held);
    }
}

fn is_ready(input: &Input<'_>, plan: &Plan, service: &ServiceName) -> bool {
    let ready = |standing: &Standing| {
        standing.synced && matches!(standing.health, Health::Healthy | Health::Suspended | Health::Unknown)
    };
    plan.services.get(service).is_some_and(ready) && object::is_applied(input, service)
}

/// Takes the news of later waves out of the plan while an earlier wave of the same service and phase is not done.
/// Where health is unknown, the order of applying is all there is.
pub(super) fn hold_waves(input: &Input<'_>, plan: &mut Plan) {
    if !input.rails.knows_health {
        return;
    }
    let mut open: BTreeMap<(ServiceName, Phase), i64> = BTreeMap::new();
    for service in services_with_waves(plan) {
        for (id, wish) in &input.wishes.services[&service].objects {
            if !is_done(input, plan, id) {
                let wave = phase::wave(&wish.object.value());
                let first = open.entry((service.clone(), wish.phase)).or_insert(wave);
                *first = wave.min(*first);
            }
        }
    }
    let is_later = |apply: &Apply| {
        let first = open.get(&(apply.prepared.service.clone(), apply.phase));
        is_news(apply) && first.is_some_and(|first| apply.wave > *first)
    };
    let later: Vec<ServiceName> =
        plan.applies.iter().filter(|apply| is_later(apply)).map(|a| a.prepared.service.clone()).collect();
    plan.applies.retain(|apply| !is_later(apply));
    for service in later {
        wait(plan, &service);
    }
}

/// Services with something new in more than one wave of a phase, or in a wave that is not the first.
fn services_with_waves(plan: &Plan) -> std::collections::BTreeSet<ServiceName> {
    let news = plan.applies.iter().filter(|apply| is_news(apply) && apply.wave != 0);
    let mut services: std::collections::BTreeSet<_> = news.map(|a| a.prepared.service.clone()).collect();
    // Waves below zero are earlier than the usual one, so a service that has any is looked at whole.
    let all = plan.applies.iter().filter(|apply| apply.wave != 0).map(|a| a.prepared.service.clone());
    services.extend(all);
    services
}

fn is_done(input: &Input<'_>, plan: &Plan, id: &ObjectId) -> bool {
    if plan.applies.iter().any(|apply| apply.address.id == *id && is_news(apply)) {
        return false;
    }
    match input.observed.get(id) {
        Some(Seen::Live(live)) => !matches!(live.health, Health::Progressing | Health::Degraded),
        Some(Seen::Missing | Seen::Unknown(_)) | None => true,
    }
}

/// Whether an apply brings something new, as opposed to repairing what was there.
fn is_news(apply: &Apply) -> bool {
    match apply.cause {
        Cause::Create | Cause::Change | Cause::Transfer | Cause::Adopt => true,
        Cause::Drift => false,
    }
}

fn wait(plan: &mut Plan, service: &ServiceName) {
    if let Some(standing) = plan.services.get_mut(service) {
        standing.synced = false;
        standing.waits = true;
    }
}
