//! Which parts of a program are ready, and why the others are not.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use serde_json::{Value, json};

/// The parts of a program. Clones share them. A program without parts is ready.
#[derive(Debug, Clone, Default)]
pub struct Readiness {
    parts: Arc<Mutex<BTreeMap<String, State>>>,
}

#[derive(Debug)]
struct State {
    /// None: ready.
    why: Option<String>,
    since: Instant,
}

/// The part that says when it is ready. Starts not ready.
#[derive(Debug, Clone)]
pub struct Part {
    name: String,
    all: Readiness,
}

impl Readiness {
    /// No parts yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a part, not ready until it says so.
    pub fn part(&self, name: impl Into<String>) -> Part {
        let part = Part { name: name.into(), all: self.clone() };
        part.not_ready("starting");
        part
    }

    /// Whether every part is ready.
    pub fn is_ready(&self) -> bool {
        self.parts().values().all(|state| state.why.is_none())
    }

    /// The body of `/readyz`.
    pub(super) fn shown(&self) -> (bool, Value) {
        let parts = self.parts();
        let ready = parts.values().all(|state| state.why.is_none());
        let parts: Vec<Value> = parts
            .iter()
            .map(|(name, state)| {
                let since_seconds = state.since.elapsed().as_secs();
                json!({"name": name, "ready": state.why.is_none(), "why": state.why, "since_seconds": since_seconds})
            })
            .collect();
        (ready, json!({"ready": ready, "parts": parts}))
    }

    fn parts(&self) -> MutexGuard<'_, BTreeMap<String, State>> {
        // Each change is one insert, so what a panicking thread left is whole.
        self.parts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Part {
    /// The part works.
    pub fn ready(&self) {
        self.set(None);
    }

    /// The part does not work; `why` is shown to whoever asks, so it holds no secret.
    pub fn not_ready(&self, why: impl Into<String>) {
        self.set(Some(why.into()));
    }

    fn set(&self, why: Option<String>) {
        let mut parts = self.all.parts();
        let since = match parts.get(&self.name) {
            Some(state) if state.why == why => state.since,
            Some(_) | None => Instant::now(),
        };
        parts.insert(self.name.clone(), State { why, since });
    }
}
