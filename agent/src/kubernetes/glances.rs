//! What each object was when last looked at: an apply's answer says how the object is, not whether it has changed.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use cdn::Digest;
use serde_json::Value;

use crate::target::Live;

/// Objects that are remembered; beyond that the memory starts anew.
const MOST: usize = 100_000;

/// By UID. Lost with the process, and worth no more than one line in a report.
#[derive(Debug, Default)]
pub(super) struct Glances(Mutex<HashMap<String, Glance>>);

#[derive(Debug, PartialEq, Eq)]
struct Glance {
    resource_version: String,
    /// Moves when a declared field does; its time counts seconds only.
    content: Digest,
    /// Moves when the specification does; none for kinds that do not count.
    generation: Option<i64>,
}

impl Glances {
    /// Remembers an object, and says whether it is another than before - by a change of what is declared, not of its
    /// status. One that was never looked at has changed.
    pub(super) fn remember(&self, live: &Live, object: &Value) -> bool {
        let glance = Glance {
            resource_version: live.resource_version.clone(),
            content: live.content,
            generation: object.pointer("/metadata/generation").and_then(Value::as_i64),
        };
        let mut all = self.lock();
        if all.len() >= MOST {
            all.clear();
        }
        let Some(before) = all.insert(live.uid.clone(), glance) else { return true };
        let now = &all[&live.uid];
        let same_but_status =
            now.generation.is_some() && (now.generation, now.content) == (before.generation, before.content);
        before.resource_version != now.resource_version && !same_but_status
    }

    /// Whether it was looked at.
    pub(super) fn knows(&self, uid: &str) -> bool {
        self.lock().contains_key(uid)
    }

    /// Forgets one that is gone.
    pub(super) fn forget(&self, uid: &str) {
        self.lock().remove(uid);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Glance>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use cdn::document::Health;
    use serde_json::json;

    use super::*;

    fn live(version: &str, content: &[u8]) -> Live {
        Live {
            uid: "u".into(),
            resource_version: version.into(),
            content: Digest::of(content),
            owner: None,
            adopted: false,
            deleting: false,
            scaler: None,
            finished: None,
            health: Health::Healthy,
        }
    }

    #[test]
    fn a_status_that_moves_is_no_change() {
        let (one, two) = (json!({"metadata": {"generation": 1}}), json!({"metadata": {"generation": 2}}));
        let glances = Glances::default();
        assert!(glances.remember(&live("1", b"a"), &one));
        assert!(!glances.remember(&live("1", b"a"), &one));
        assert!(!glances.remember(&live("2", b"a"), &one));
        assert!(glances.remember(&live("3", b"a"), &two));
        assert!(glances.remember(&live("4", b"b"), &two));
        assert!(glances.remember(&live("5", b"b"), &json!({})));
        assert!(glances.remember(&live("6", b"b"), &json!({})));
    }
}
