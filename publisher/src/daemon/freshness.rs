//! When each service was last looked at in full, so that most passes need not ask the store; and whom the api speaks
//! against. Memory on disk is written by a service's own look alone: what another wrote meanwhile would be lost.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cdn::ServiceName;
use tokio::time::Instant;

/// How long a service may be left alone before the store is looked at again, though nothing seems to have changed.
const LOOK_AGAIN: Duration = Duration::from_mins(10);

/// Of every service.
#[derive(Debug, Default)]
pub(super) struct Freshness(Mutex<HashMap<ServiceName, Times>>);

#[derive(Debug, Default)]
struct Times {
    /// When the last full look that ended well began.
    looked: Option<Instant>,
    /// When the api's list last showed something else than what is remembered.
    doubted: Option<Instant>,
}

impl Freshness {
    /// Whether a service is due for a full look.
    pub(super) fn is_due(&self, service: &ServiceName) -> bool {
        let times = self.times();
        let Some(Times { looked: Some(looked), doubted }) = times.get(service) else { return true };
        looked.elapsed() > LOOK_AGAIN || doubted.is_some_and(|doubted| doubted >= *looked)
    }

    /// A full look that began then has ended well.
    pub(super) fn note(&self, service: &ServiceName, begun: Instant) {
        self.times().entry(service.clone()).or_default().looked = Some(begun);
    }

    /// The next look is a full one, though one may be under way.
    pub(super) fn doubt(&self, service: ServiceName) {
        self.times().entry(service).or_default().doubted = Some(Instant::now());
    }

    fn times(&self) -> MutexGuard<'_, HashMap<ServiceName, Times>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
