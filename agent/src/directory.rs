//! The directory target: files instead of objects.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use cdn::document::HoldReason;
use cdn::{ObjectId, ServiceName};

use crate::target::{Address, Applied, Deleted, KindRef, Prepared, Refusal, Seen, Served, Sharded};

/// Not built yet: answers every question with "unknown" and refuses every change.
#[derive(Debug)]
pub struct Directory {
    pub(crate) deletes: bool,
}

fn not_yet() -> Refusal {
    Refusal::lasting(HoldReason::ApplyFailed, "this target is not built yet")
}

#[expect(clippy::unused_async, reason = "the signatures that `Target` calls; their bodies follow")]
impl Directory {
    pub(crate) async fn home(&self) -> Result<String, Refusal> {
        Err(not_yet())
    }

    pub(crate) async fn served(&self, kinds: &BTreeSet<KindRef>) -> BTreeMap<KindRef, Served> {
        kinds.iter().map(|kind| (kind.clone(), Served::Unknown("not built yet".to_owned()))).collect()
    }

    pub(crate) async fn wait_served(
        &self,
        kinds: &BTreeSet<KindRef>,
        _within: Duration,
    ) -> BTreeMap<KindRef, Served> {
        self.served(kinds).await
    }

    pub(crate) async fn observe(&self, addresses: &[Address]) -> BTreeMap<ObjectId, Seen> {
        let unknown = |at: &Address| (at.id.clone(), Seen::Unknown("not built yet".to_owned()));
        addresses.iter().map(unknown).collect()
    }

    pub(crate) async fn apply(&self, _prepared: &Prepared) -> Result<Applied, Refusal> {
        Err(not_yet())
    }

    pub(crate) async fn delete(
        &self,
        _address: &Address,
        _uid: &str,
        _resource_version: Option<&str>,
    ) -> Result<Deleted, Refusal> {
        Err(not_yet())
    }

    pub(crate) async fn release(
        &self,
        _address: &Address,
        _uid: &str,
        _service: &ServiceName,
    ) -> Result<(), Refusal> {
        Err(not_yet())
    }

    pub(crate) async fn load_inventory(&self) -> Result<Option<Sharded>, Refusal> {
        Err(not_yet())
    }

    pub(crate) async fn save_inventory(&self, _inventory: &Sharded) -> Result<(), Refusal> {
        Err(not_yet())
    }
}
