//! What waits for what: services for those that they depend on, waves for the waves before them. Waiting holds no
//! worker: the steps are left out of this plan, and a later plan has them. Repair of what already runs never waits.

use std::collections::{BTreeMap, BTreeSet};

use cdn::document::{Health, HoldReason};
use cdn::{ObjectId, ServiceName};

use super::{Apply, Cause, Input, Phase, Plan, Standing, object, phase};
use crate::held::Held;
use crate::target::{Finish, Seen};

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
    put_off(plan, |apply| is_news(apply) && waiting.contains_key(&apply.prepared.service));
    for (service, held) in waiting {
        wait(plan, &service);
        plan.held.push(held);
    }
}

fn is_ready(input: &Input<'_>, plan: &Plan, service: &ServiceName) -> bool {
    // Of objects on a target that knows health, "nobody can say" is not "well".
    let is_empty = || input.wishes.services.get(service).is_some_and(|list| list.objects.is_empty());
    let is_well = |health: Health| match health {
        Health::Healthy | Health::Suspended => true,
        Health::Unknown => !input.rails.abilities.knows_health || is_empty(),
        Health::Progressing | Health::Degraded => false,
    };
    let ready = |standing: &Standing| standing.synced && is_well(standing.health);
    plan.services.get(service).is_some_and(ready) && object::is_applied(input, service)
}

/// Takes the news of later waves out of the plan while an earlier wave of the same service and phase is not done.
/// Where health is unknown, the order of applying is all there is.
pub(super) fn hold_waves(input: &Input<'_>, plan: &mut Plan) {
    if !input.rails.abilities.knows_health {
        return;
    }
    let news: BTreeSet<(ServiceName, ObjectId)> =
        plan.applies.iter().filter(|apply| is_news(apply)).map(named).collect();
    // Also the waves that this plan has no step of may not be done.
    let services: BTreeSet<&ServiceName> = news.iter().map(|(service, _)| service).collect();
    let mut open: BTreeMap<(&ServiceName, Phase), i64> = BTreeMap::new();
    for service in services {
        for (id, wish) in &input.wishes.services[service].objects {
            let is_news = news.contains(&(service.clone(), id.clone()));
            if is_news || !is_done(input, service, id) {
                let wave = phase::wave(&wish.object.value());
                let first = open.entry((service, wish.phase)).or_insert(wave);
                *first = wave.min(*first);
            }
        }
    }
    let is_later = |apply: &Apply| {
        let first = open.get(&(&apply.prepared.service, apply.phase));
        is_news(apply) && first.is_some_and(|first| apply.wave > *first)
    };
    for service in put_off(plan, is_later) {
        wait(plan, &service);
    }
}

fn named(apply: &Apply) -> (ServiceName, ObjectId) {
    (apply.prepared.service.clone(), apply.address.id.clone())
}

fn is_done(input: &Input<'_>, service: &ServiceName, id: &ObjectId) -> bool {
    match input.observed.get(id) {
        Some(Seen::Live(live)) => !matches!(live.health, Health::Progressing | Health::Degraded),
        Some(Seen::Missing) => {
            !matches!(object::finish(input, service, id), Some(Finish::Failed | Finish::Unseen))
        }
        Some(Seen::Unknown(_)) | None => true,
    }
}

/// Takes steps out of the plan: their objects stay as they are for now. The services that have such steps.
fn put_off(plan: &mut Plan, which: impl Fn(&Apply) -> bool) -> BTreeSet<ServiceName> {
    let (later, now) = std::mem::take(&mut plan.applies).into_iter().partition::<Vec<_>, _>(which);
    plan.applies = now;
    for apply in &later {
        if let Some(standing) = plan.services.get_mut(&apply.prepared.service) {
            standing.rest = standing.rest.and(apply.before);
        }
    }
    later.into_iter().map(|apply| apply.prepared.service).collect()
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
