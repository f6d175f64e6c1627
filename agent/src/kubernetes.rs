//! The Kubernetes target: server-side apply, discovery by kind, health by kstatus rules.
//!
//! In reading order: `api` (the one way to the server) and `trouble`; `resource` and `served` (what is served, proved);
//! `observe`, `glances`, `list`, `live`, `health`, `uses`, `search` (looking); `apply`, `conflict`, `ownership`, `rewrite` (making it so); `delete`,
//! `release`; `refusal` and `scrub` (saying why not); `inventory_store`; `lease` (one agent at
//! a time).

mod api;
mod apply;
pub mod conflict;
mod delete;
mod glances;
mod health;
mod inventory_store;
mod lease;
pub mod list;
mod live;
mod observe;
mod ownership;
mod refusal;
mod release;
mod resource;
mod rewrite;
pub mod scrub;
mod search;
mod served;
mod trouble;
mod uses;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use cdn::document::HoldReason;
use cdn::{Digest, ObjectId, ServiceName};
use tokio::sync::Mutex;

use crate::target::{
    Address, Applied, Claim, Deleted, KindRef, KubernetesSettings, Marked, NotLoaded, Prepared, Refusal,
    Seen, Served, Sharded, Uses,
};
use api::{ApiServer, Ask};
use glances::Glances;
use inventory_store::Store;
use lease::{Lease, Tenure};
use observe::Eye;
use refusal::Act;
use resource::Resource;
use served::Catalog;

/// A cluster, by its API server.
#[derive(Debug)]
pub struct Kubernetes {
    api: ApiServer,
    catalog: Catalog,
    glances: Glances,
    tenure: Mutex<Tenure>,
    /// The agent's own namespace.
    namespace: String,
}

impl Kubernetes {
    /// Connects. Fails only for what a person must correct (no kubeconfig, an unknown context): a cluster that does
    /// not answer at present is answered by each call's refusal.
    pub async fn connect(settings: &KubernetesSettings) -> anyhow::Result<Self> {
        Ok(Self {
            api: ApiServer::connect(settings).await?,
            catalog: Catalog::default(),
            glances: Glances::default(),
            tenure: Mutex::default(),
            namespace: settings.namespace.clone(),
        })
    }

    pub(crate) async fn home(&self) -> Result<String, Refusal> {
        let (resource, id) = inventory_store::namespace("kube-system");
        let found = observe::fetch(&self.api, &resource, &id, true).await;
        let object = found.map_err(|trouble| refusal::refusal(Act::Apply, &id, &trouble))?;
        let uid = object.as_ref().and_then(|object| object.pointer("/metadata/uid")?.as_str());
        let strange =
            || Refusal::passing(HoldReason::ApplyFailed, "the cluster has no namespace kube-system");
        uid.map(str::to_owned).ok_or_else(strange)
    }

    /// Every server that is there has something to say about its version, if only that we may not ask.
    pub(crate) async fn silence(&self) -> Option<String> {
        let trouble = self.api.send(Ask::get("/version".to_owned())).await.err()?;
        trouble.is_nobody_there().then(|| trouble.to_string())
    }

    pub(crate) async fn claim(&self, claim: &Claim) -> Result<Option<String>, Refusal> {
        let mut tenure = self.tenure.lock().await;
        Lease { store: self.store() }.claim(&mut tenure, claim).await
    }

    pub(crate) async fn served(&self, kinds: &BTreeSet<KindRef>) -> BTreeMap<KindRef, Served> {
        served::served(&self.api, &self.catalog, kinds).await
    }

    pub(crate) async fn wait_served(
        &self,
        kinds: &BTreeSet<KindRef>,
        within: Duration,
    ) -> BTreeMap<KindRef, Served> {
        served::wait_served(&self.api, &self.catalog, kinds, within).await
    }

    pub(crate) async fn observe(&self, addresses: &[Address]) -> BTreeMap<ObjectId, Seen> {
        let unknown: BTreeSet<KindRef> =
            addresses.iter().map(Address::kind).filter(|kind| self.catalog.get(kind).is_none()).collect();
        if !unknown.is_empty() {
            self.served(&unknown).await;
        }
        let (mut seen, mut wanted) = (BTreeMap::new(), Vec::new());
        for address in addresses {
            if let Some(resource) = self.catalog.get(&address.kind()) {
                wanted.push((resource, address.id.clone()));
            } else {
                let why = format!("{} is not served at present", address.kind());
                seen.insert(address.id.clone(), Seen::Unknown(why));
            }
        }
        seen.extend(observe::observe(self.eye(), wanted).await);
        seen
    }

    pub(crate) async fn apply(&self, prepared: &Prepared) -> Result<Applied, Refusal> {
        let kind = KindRef::of(&prepared.object);
        let resource = self.resource(&kind).await?;
        if let Some(uid) = prepared.seen.as_deref().filter(|uid| !self.glances.knows(uid)) {
            tracing::debug!(object = %prepared.object.id(), uid, "looking at it before it is applied");
            observe::read(self.eye(), &resource, prepared.object.id()).await;
        }
        let applied = apply::apply(&self.api, &resource, prepared).await?;
        let changed = self.glances.remember(&applied.live, &applied.object) || applied.created;
        Ok(Applied { live: applied.live, changed, taken_back: applied.taken_back })
    }

    pub(crate) async fn uses(&self, definitions: &[Address], fleet: Digest) -> BTreeMap<ObjectId, Uses> {
        let mut uses = BTreeMap::new();
        for definition in definitions {
            let found = match self.resource(&definition.kind()).await {
                Ok(resource) => uses::uses(&self.api, &resource, &definition.id, fleet).await,
                Err(refusal) => Uses::Unknown(refusal.message),
            };
            uses.insert(definition.id.clone(), found);
        }
        uses
    }

    pub(crate) async fn marked(&self, fleet: Digest, looked: &BTreeSet<KindRef>) -> Result<Marked, Refusal> {
        let found = search::marked(&self.api, fleet, looked).await;
        found.map_err(|trouble| Refusal::passing(HoldReason::ApplyFailed, trouble.to_string()))
    }

    pub(crate) async fn delete(
        &self,
        address: &Address,
        uid: &str,
        resource_version: Option<&str>,
    ) -> Result<Deleted, Refusal> {
        let resource = self.resource(&address.kind()).await?;
        let deleted = delete::delete(&self.api, &resource, &address.id, uid, resource_version).await?;
        self.glances.forget(uid);
        Ok(deleted)
    }

    pub(crate) async fn release(
        &self,
        address: &Address,
        uid: &str,
        service: &ServiceName,
    ) -> Result<(), Refusal> {
        let resource = self.resource(&address.kind()).await?;
        release::release(&self.api, &resource, &address.id, uid, service).await?;
        self.glances.forget(uid);
        Ok(())
    }

    pub(crate) async fn load_inventory(&self) -> Result<Option<Sharded>, NotLoaded> {
        self.store().load().await
    }

    pub(crate) async fn save_inventory(&self, inventory: &Sharded) -> Result<(), Refusal> {
        self.store().save(inventory).await
    }

    pub(crate) async fn remove_inventory(&self) -> Result<(), Refusal> {
        Lease { store: self.store() }.remove().await?;
        self.store().remove().await
    }

    fn store(&self) -> Store<'_> {
        Store { api: &self.api, namespace: &self.namespace }
    }

    fn eye(&self) -> Eye<'_> {
        Eye { api: &self.api, glances: &self.glances }
    }

    /// How a kind is called in paths, asked for where it is not known yet.
    async fn resource(&self, kind: &KindRef) -> Result<Resource, Refusal> {
        if let Some(resource) = self.catalog.get(kind) {
            return Ok(resource);
        }
        let said = self.served(&BTreeSet::from([kind.clone()])).await;
        match (self.catalog.get(kind), said.get(kind)) {
            (Some(resource), _) => Ok(resource),
            (None, Some(Served::Unknown(why))) => Err(Refusal::passing(HoldReason::KindUnknown, why.clone())),
            (None, Some(Served::Yes { version, .. })) => {
                let message = format!("{kind} is not served; version {version} of it is");
                Err(Refusal::lasting(HoldReason::KindNotServed, message))
            }
            (None, Some(Served::Absent) | None) => {
                Err(Refusal::lasting(HoldReason::KindNotServed, format!("{kind} is not served")))
            }
        }
    }
}
