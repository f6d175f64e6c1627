//! What was refused, and what it was made of: the same is not rendered again in vain. All of it may be lost: then it is
//! rendered once more.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use cdn::ServiceName;
use tokio::time::Instant;

use crate::render::{RenderError, RenderKey};

/// The first wait before what may pass is rendered again; it doubles up to the longest.
const FIRST: Duration = Duration::from_secs(30);
const LONGEST: Duration = Duration::from_mins(30);

/// A service that was not rendered.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    pub(crate) key: RenderKey,
    pub(crate) why: Arc<RenderError>,
    /// Until then it stands; none: until what it was made of changes.
    until: Option<Instant>,
    times: u32,
}

impl Refusal {
    /// After `before`, if that was of the same input.
    pub(crate) fn after(before: Option<&Self>, key: RenderKey, why: Arc<RenderError>, now: Instant) -> Self {
        let times = before.filter(|before| before.key == key).map_or(0, |before| before.times + 1);
        let until = why.may_pass().then(|| now + wait(times));
        Self { key, why, until, times }
    }

    /// The same, where it is not sure that this was the input: it is rendered again at the next look.
    pub(crate) fn unproved(self, now: Instant) -> Self {
        Self { until: Some(now), ..self }
    }

    /// Whether rendering is of no use now.
    pub(crate) fn stands(&self, key: &RenderKey, now: Instant) -> bool {
        self.key == *key && self.until.is_none_or(|until| now < until)
    }
}

fn wait(times: u32) -> Duration {
    FIRST.saturating_mul(1 << times.min(16)).min(LONGEST)
}

/// The last refusal of each service.
#[derive(Debug, Default)]
pub(crate) struct Refusals(Mutex<HashMap<ServiceName, Refusal>>);

impl Refusals {
    pub(crate) fn of(&self, service: &ServiceName) -> Option<Refusal> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(service).cloned()
    }

    pub(crate) fn set(&self, service: &ServiceName, refusal: Option<Refusal>) {
        let mut refusals = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match refusal {
            Some(refusal) => refusals.insert(service.clone(), refusal),
            None => refusals.remove(service),
        };
    }

    /// Forgets those of services that are no longer wanted.
    pub(crate) fn keep(&self, wanted: impl Fn(&ServiceName) -> bool) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|service, _| wanted(service));
    }
}

#[cfg(test)]
mod tests;
