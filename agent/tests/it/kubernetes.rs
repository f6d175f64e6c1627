//! The Kubernetes target against a real API server. Each test has a namespace of its own.

mod apply;
mod conflict;
mod delete;
mod inventory;
mod observe;
mod outage;
mod refusals;
mod served;
mod wire;

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use agent::kubernetes::Kubernetes;
use agent::target::{
    Address, Applied, KindRef, KubernetesSettings, Live, OWNER, OwnerMark, Prepared, Refusal, Seen, Target,
};
use anyhow::{Context as _, Result, bail};
use cdn::{Digest, Object, ObjectId, ServiceName};
use serde_json::{Value, json};
use testbed::Cluster;

/// One namespace of a shared cluster, and a target that looks at it.
struct Bench {
    cluster: &'static Cluster,
    target: Target,
    namespace: String,
}

impl Bench {
    async fn new(prefix: &str) -> Result<Self> {
        Self::on(Box::pin(Cluster::shared()).await?, prefix).await
    }

    async fn on(cluster: &'static Cluster, prefix: &str) -> Result<Self> {
        let namespace = cluster.create_namespace(prefix).await?;
        let target = target(cluster.kubeconfig(), &namespace).await?;
        Ok(Self { cluster, target, namespace })
    }

    /// A bench in the same namespace, for another user.
    async fn of(&self, user: &str) -> Result<Target> {
        target(&self.cluster.kubeconfig_of(user)?, &self.namespace).await
    }

    async fn kubectl(&self, args: &[&str]) -> Result<String> {
        self.cluster.kubectl(&[args, &["-n", &self.namespace]].concat()).await
    }

    async fn kubectl_with(&self, object: &Value, args: &[&str]) -> Result<String> {
        self.cluster
            .kubectl_with(&object.to_string(), &[args, &["-n", &self.namespace, "-f", "-"]].concat())
            .await
    }

    /// A `ConfigMap` here.
    fn config(&self, name: &str, data: &Value) -> Value {
        json!({"apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": name, "namespace": self.namespace}, "data": data})
    }

    /// A Deployment here, of no replicas, with this image.
    fn deployment(&self, name: &str, image: &str) -> Value {
        json!({"apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": name, "namespace": self.namespace},
            "spec": {"replicas": 0, "selector": {"matchLabels": {"app": name}}, "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": "main", "image": image}]}}}})
    }

    async fn apply(&self, prepared: &Prepared) -> Result<Applied, Refusal> {
        self.target.apply(prepared).await
    }

    async fn seen(&self, object: &Value) -> Result<Seen> {
        let at = address(object)?;
        self.target.observe(std::slice::from_ref(&at)).await.remove(&at.id).context("it is in the answer")
    }

    async fn live(&self, object: &Value) -> Result<Live> {
        match self.seen(object).await? {
            Seen::Live(live) => Ok(live),
            other @ (Seen::Missing | Seen::Unknown(_)) => bail!("{other:?}"),
        }
    }

    /// The object as the server has it.
    async fn get(&self, what: &str, name: &str) -> Result<Value> {
        let text = self.kubectl(&["get", what, name, "-o", "json", "--show-managed-fields"]).await?;
        Ok(serde_json::from_str(&text)?)
    }
}

async fn target(kubeconfig: &Path, namespace: &str) -> Result<Target> {
    let settings = KubernetesSettings {
        kubeconfig: Some(kubeconfig.to_owned()),
        context: None,
        namespace: format!("{namespace}-agent"),
        request_timeout: Duration::from_secs(20),
    };
    Ok(Target::Kubernetes(Kubernetes::connect(&settings).await?))
}

fn fleet() -> Digest {
    Digest::of(b"root 1")
}

fn service(name: &str) -> ServiceName {
    name.parse().expect("the tests name services rightly")
}

/// The object with the mark of its service, to be applied where nothing was seen.
fn prepared(owner: &str, object: &Value) -> Result<Prepared> {
    let id = Object::from_value(object)?.id().clone();
    let mut marked = object.clone();
    let mark = OwnerMark::new(fleet(), service(owner), &id);
    marked["metadata"]["annotations"][OWNER] = json!(mark.to_string());
    Ok(Prepared {
        service: service(owner),
        object: Object::from_value(&marked)?,
        former: BTreeSet::new(),
        seen: None,
    })
}

/// The same, to be applied to an object that was seen.
fn prepared_for(owner: &str, object: &Value, seen: &Live) -> Result<Prepared> {
    Ok(Prepared { seen: Some(seen.uid.clone()), ..prepared(owner, object)? })
}

fn address(object: &Value) -> Result<Address> {
    let object = Object::from_value(object)?;
    Ok(Address { id: object.id().clone(), version: object.version().to_owned() })
}

fn kind(group: &str, version: &str, kind: &str) -> KindRef {
    KindRef { group: group.to_owned(), version: version.to_owned(), kind: kind.to_owned() }
}

fn id_of(object: &Value) -> Result<ObjectId> {
    Ok(Object::from_value(object)?.id().clone())
}

/// Whoever owns fields of it.
fn managers(object: &Value) -> Vec<&str> {
    let entries = object.pointer("/metadata/managedFields").and_then(Value::as_array);
    entries.into_iter().flatten().filter_map(|entry| entry["manager"].as_str()).collect()
}

/// Waits until a condition holds: things that the server does by itself, in its own time.
async fn until(what: &str, mut holds: impl AsyncFnMut() -> Result<bool>) -> Result<()> {
    for _ in 0..300 {
        if holds().await? {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    bail!("waited 30 s in vain: {what}")
}
