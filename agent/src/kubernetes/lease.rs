//! One agent at a time in a cluster, by a `Lease`: two of different identities would share one inventory, and each would
//! take the other's objects for its own (law L7).
//!
//! As in client-go's leader election no two clocks are compared: another's Lease stands as long as it is seen to change
//! within its duration by our own clock, and every write names the version that was read.

mod tenure;

use cdn::ObjectId;
use http::Method;
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::api::Ask;
use super::delete::delete;
use super::inventory_store::{Store, names_namespace};
use super::observe;
use super::refusal::{Act, refusal};
use super::resource::Resource;
use super::trouble::Trouble;
use crate::target::{Claim, KindRef, Refusal};

pub(super) use tenure::Tenure;
use tenure::{Found, Verdict};

const NAME: &str = "windlass-agent";
const MANAGER: &str = "windlass-agent";
/// Looks in one pass: whoever was faster is found at the second one.
const LOOKS: usize = 2;

/// The cluster's Lease, in the namespace of the inventory.
#[derive(Debug)]
pub(super) struct Lease<'a> {
    pub(super) store: Store<'a>,
}

impl Lease<'_> {
    /// Takes or renews it; answers who else holds it.
    pub(super) async fn claim(&self, tenure: &mut Tenure, claim: &Claim) -> Result<Option<String>, Refusal> {
        let mut faster = None;
        for _ in 0..LOOKS {
            let now = Instant::now();
            let object = match self.read().await {
                Ok(object) => object,
                // Seen here a short while ago: that it cannot be read now does not make it go.
                Err(trouble) => return tenure.other(now).map(Some).ok_or_else(|| self.failed(&trouble)),
            };
            let found = object.as_ref().map(|object| Found::read(object, Timestamp::now()));
            match tenure.judge(found.as_ref(), claim, now) {
                Verdict::Ours => return Ok(None),
                Verdict::Anothers(holder) => return Ok(Some(holder)),
                Verdict::Write => {}
            }
            match self.write(object, claim).await {
                Ok(()) => {
                    tenure.renewed(now);
                    return Ok(None);
                }
                Err(trouble) if trouble.code() == Some(409) => faster = Some(trouble),
                Err(trouble) => return Err(self.failed(&trouble)),
            }
        }
        Ok(faster.map(|trouble| format!("somebody who is faster ({trouble})")))
    }

    /// Takes it away: an agent that leaves.
    pub(super) async fn remove(&self) -> Result<(), Refusal> {
        let found = self.read().await.map_err(|trouble| self.failed(&trouble))?;
        let uid = found.as_ref().and_then(|object| object.pointer("/metadata/uid")?.as_str());
        match uid {
            Some(uid) => delete(self.store.api, &resource(), &self.id(), uid, None).await.map(drop),
            None => Ok(()),
        }
    }

    async fn read(&self) -> Result<Option<Value>, Trouble> {
        observe::fetch(self.store.api, &resource(), &self.id(), false).await
    }

    /// Writes it on top of what was read; the namespace is created where it is missing.
    async fn write(&self, found: Option<Value>, claim: &Claim) -> Result<(), Trouble> {
        let collection = resource().collection(Some(self.store.namespace));
        let (method, path) = match &found {
            Some(_) => (Method::PUT, format!("{collection}/{NAME}?fieldManager={MANAGER}")),
            None => (Method::POST, format!("{collection}?fieldManager={MANAGER}")),
        };
        let metadata = json!({"name": NAME, "namespace": self.store.namespace});
        let mut object = found.unwrap_or_else(|| {
            json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata, "spec": {}})
        });
        renew(&mut object, claim, Timestamp::now());
        let body = serde_json::to_vec(&object).expect("JSON can be written");
        let ask = || Ask::with(method.clone(), path.clone(), "application/json", body.clone());
        match self.store.api.send(ask()).await {
            Err(trouble) if names_namespace(&trouble) && self.store.create_namespace().await.is_ok() => {
                self.store.api.send(ask()).await.map(drop)
            }
            answer => answer.map(drop),
        }
    }

    fn failed(&self, trouble: &Trouble) -> Refusal {
        let refusal = refusal(Act::Apply, &self.id(), trouble);
        let message = format!("Lease {}/{NAME}: {}", self.store.namespace, refusal.message);
        Refusal { message, ..refusal }
    }

    fn id(&self) -> ObjectId {
        let (kind, namespace) = (resource().kind, Some(self.store.namespace.to_owned()));
        ObjectId { group: kind.group, kind: kind.kind, namespace, name: NAME.to_owned() }
    }
}

fn resource() -> Resource {
    let kind = KindRef {
        group: "coordination.k8s.io".to_owned(),
        version: "v1".to_owned(),
        kind: "Lease".to_owned(),
    };
    Resource { kind, plural: "leases".to_owned(), namespaced: true, lists: true }
}

/// Makes it ours as of now; what else somebody wrote to it stays.
fn renew(object: &mut Value, claim: &Claim, now: Timestamp) {
    let now = format!("{now:.6}");
    let spec = &mut object["spec"];
    if !spec.is_object() {
        *spec = json!({});
    }
    let before = spec["holderIdentity"].as_str().unwrap_or_default();
    if before != claim.holder {
        let transitions = i64::from(!before.is_empty());
        let so_far = spec["leaseTransitions"].as_i64().unwrap_or(0);
        spec["leaseTransitions"] = json!(so_far.saturating_add(transitions).min(i64::from(i32::MAX)));
        spec["acquireTime"] = json!(now);
        spec["holderIdentity"] = json!(claim.holder);
    }
    spec["leaseDurationSeconds"] = json!(claim.lasting.as_secs());
    spec["renewTime"] = json!(now);
}
