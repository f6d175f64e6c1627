//! Which parts of a program are ready, which serve with something missing, and why.

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
    mark: Mark,
    since: Instant,
}

/// How a part is.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Mark {
    Ready,
    /// It serves, but not all of it works.
    Degraded(String),
    NotReady(String),
}

impl Mark {
    fn is_ready(&self) -> bool {
        match self {
            Self::Ready | Self::Degraded(_) => true,
            Self::NotReady(_) => false,
        }
    }

    fn why(&self) -> Option<&str> {
        match self {
            Self::Ready => None,
            Self::Degraded(why) | Self::NotReady(why) => Some(why),
        }
    }
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

    /// Whether every part is ready, degraded or not.
    pub fn is_ready(&self) -> bool {
        self.parts().values().all(|state| state.mark.is_ready())
    }

    /// The body of `/readyz`.
    pub(super) fn shown(&self) -> (bool, Value) {
        let parts = self.parts();
        let ready = parts.values().all(|state| state.mark.is_ready());
        let parts: Vec<Value> = parts
            .iter()
            .map(|(name, State { mark, since })| {
                let since_seconds = since.elapsed().as_secs();
                json!({"name": name, "ready": mark.is_ready(), "why": mark.why(), "since_seconds": since_seconds})
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
        self.set(Mark::Ready);
    }

    /// The part serves, but not all of it works: `/readyz` shows why and still answers 200, since a probe that took
    /// every replica away at once would take away what works too. `why` holds no secret.
    pub fn degraded(&self, why: impl Into<String>) {
        self.set(Mark::Degraded(why.into()));
    }

    /// The part does not work; `why` is shown to whoever asks, so it holds no secret.
    pub fn not_ready(&self, why: impl Into<String>) {
        self.set(Mark::NotReady(why.into()));
    }

    /// Whether it works wholly: ready, and not degraded.
    pub fn works(&self) -> bool {
        self.all.parts().get(&self.name).is_some_and(|state| state.mark == Mark::Ready)
    }

    fn set(&self, mark: Mark) {
        let mut parts = self.all.parts();
        let since = match parts.get(&self.name) {
            Some(state) if state.mark == mark => state.since,
            Some(_) | None => Instant::now(),
        };
        parts.insert(self.name.clone(), State { mark, since });
    }
}
