//! Workloads that do not get on: said after a while, and nothing else follows from it (FAULTS F38).

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use cdn::ServiceName;
use cdn::document::{Health, HoldReason};

use crate::held::Held;
use crate::outcome::ServiceOutcome;

/// How long a service may be on its way before it is said. Kubernetes gives a Deployment ten minutes.
const LONG: Duration = Duration::from_mins(10);

/// Since when services are on their way.
#[derive(Debug, Default)]
pub(super) struct Stalls {
    since: BTreeMap<ServiceName, Instant>,
}

impl Stalls {
    /// The services that are on their way for long.
    pub(super) fn found(
        &mut self,
        services: &BTreeMap<ServiceName, ServiceOutcome>,
        now: Instant,
    ) -> Vec<Held> {
        let on_the_way = |name: &ServiceName| {
            services.get(name).is_some_and(|service| service.health == Health::Progressing)
        };
        self.since.retain(|name, _| on_the_way(name));
        for name in services.keys().filter(|name| on_the_way(name)) {
            self.since.entry(name.clone()).or_insert(now);
        }
        let stalled = self.since.iter().filter(|(_, since)| now.duration_since(**since) >= LONG);
        let message = "it has not become healthy within ten minutes; repair and other services go on";
        stalled.map(|(name, _)| Held::service(HoldReason::Stalled, name, message)).collect()
    }
}

#[cfg(test)]
mod tests {
    use cdn::document::Sync;

    use super::*;

    #[test]
    fn f38_a_service_that_never_becomes_healthy_is_said_after_ten_minutes() {
        let name: ServiceName = "default/web".parse().unwrap();
        let with = |health| {
            let service =
                ServiceOutcome { release: None, bundle: None, sync: Sync::Synced, health, objects: 1 };
            BTreeMap::from([(name.clone(), service)])
        };
        let (mut stalls, start) = (Stalls::default(), Instant::now());
        let at = |minutes| start + Duration::from_mins(minutes);
        assert!(stalls.found(&with(Health::Progressing), at(0)).is_empty());
        assert!(stalls.found(&with(Health::Progressing), at(9)).is_empty());
        assert_eq!(stalls.found(&with(Health::Progressing), at(10))[0].reason, HoldReason::Stalled);
        assert!(stalls.found(&with(Health::Healthy), at(11)).is_empty());
        assert!(stalls.found(&with(Health::Progressing), at(12)).is_empty());
    }
}
