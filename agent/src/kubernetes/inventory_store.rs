//! The inventory, kept in the cluster: an index and shards, a `ConfigMap` each, in a namespace of the agent's own. What is
//! read is proved by digests; what is written is read back in the answer to the write.

use std::collections::{BTreeMap, BTreeSet};

use cdn::document::HoldReason;
use cdn::{Digest, ObjectId};
use http::Method;
use k8s_openapi::ByteString;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::api::{ApiServer, Ask};
use super::delete::delete;
use super::observe;
use super::refusal::{Act, refusal};
use super::resource::{Resource, segment};
use super::trouble::Trouble;
use crate::target::{KindRef, NotLoaded, Refusal, Sharded};

const INDEX: &str = "windlass-inventory";
const LABEL: &str = "windlass.dev/inventory";
/// The label, in a namespace that was made for the inventory alone.
const MADE_HERE: &str = "/metadata/labels/windlass.dev~1inventory";
const KEY: &str = "content";
const DIGEST: &str = "windlass.dev/digest";
const MANAGER: &str = "windlass-inventory";
/// Shards on one page of the list: each is up to 700 KB as base64.
const PAGE: usize = 8;

/// Where the inventory lies.
#[derive(Debug)]
pub(super) struct Store<'a> {
    pub(super) api: &'a ApiServer,
    /// The agent's own namespace.
    pub(super) namespace: &'a str,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Stored {
    metadata: Metadata,
    #[serde(default)]
    binary_data: BTreeMap<String, ByteString>,
}

#[derive(Deserialize)]
struct Metadata {
    name: String,
    uid: String,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Content<'a> {
    binary_data: BTreeMap<&'a str, ByteString>,
}

#[derive(Default, Deserialize)]
struct Page {
    #[serde(default)]
    metadata: Continue,
    items: Vec<Stored>,
}

#[derive(Default, Deserialize)]
struct Continue {
    #[serde(default, rename = "continue")]
    next: String,
}

impl Store<'_> {
    /// What is kept; `None` is proved.
    pub(super) async fn load(&self) -> Result<Option<Sharded>, NotLoaded> {
        let stored = self.list().await.map_err(|trouble| self.failed(INDEX, &trouble))?;
        let (mut index, mut shards) = (None, BTreeMap::new());
        for one in stored {
            let (name, bytes) = self.content(one).map_err(NotLoaded::Damaged)?;
            if name == INDEX {
                index = Some(bytes);
            } else {
                shards.insert(Digest::of(&bytes), bytes);
            }
        }
        match index {
            Some(index) => Ok(Some(Sharded { index, shards })),
            None if shards.is_empty() => Ok(None),
            None => Err(NotLoaded::Damaged(self.said(INDEX, "is not there, but parts of the inventory are"))),
        }
    }

    /// Shards first, then the index, then what it no longer names goes: a crash leaves the old or the new one whole.
    pub(super) async fn save(&self, inventory: &Sharded) -> Result<(), Refusal> {
        let names: BTreeMap<String, &Vec<u8>> =
            inventory.shards.iter().map(|(digest, bytes)| (name(*digest), bytes)).collect();
        let kept = self.list().await.map_err(|trouble| self.failed(INDEX, &trouble))?;
        let mut whole = BTreeSet::new();
        let mut extra = Vec::new();
        for one in kept {
            let (name, uid) = (one.metadata.name.clone(), one.metadata.uid.clone());
            if name != INDEX && !names.contains_key(&name) {
                extra.push((name, uid));
            } else if let Ok((name, _)) = self.content(one) {
                whole.insert(name);
            }
        }
        for (name, bytes) in names {
            if !whole.contains(&name) {
                self.put(&name, bytes).await?;
            }
        }
        self.put(INDEX, &inventory.index).await?;
        for (name, uid) in extra {
            let (resource, id) = (resource(), self.id(&name));
            delete(self.api, &resource, &id, &uid, None).await?;
        }
        Ok(())
    }

    /// Takes all of it away; with it goes the namespace, if it was made here for nothing else.
    pub(super) async fn remove(&self) -> Result<(), Refusal> {
        let kept = self.list().await.map_err(|trouble| self.failed(INDEX, &trouble))?;
        // The index last: parts without it are said to be lost, an index without parts as well.
        let (index, parts): (Vec<_>, Vec<_>) = kept.into_iter().partition(|one| one.metadata.name == INDEX);
        for one in parts.into_iter().chain(index) {
            delete(self.api, &resource(), &self.id(&one.metadata.name), &one.metadata.uid, None).await?;
        }
        self.remove_namespace().await
    }

    async fn remove_namespace(&self) -> Result<(), Refusal> {
        let (resource, id) = namespace(self.namespace);
        let found = observe::fetch(self.api, &resource, &id, true).await;
        let Some(found) = found.map_err(|trouble| self.failed(self.namespace, &trouble))? else {
            return Ok(());
        };
        let text = |pointer: &str| found.pointer(pointer).and_then(Value::as_str);
        match (text(MADE_HERE), text("/metadata/uid")) {
            (Some("true"), Some(uid)) => delete(self.api, &resource, &id, uid, None).await.map(drop),
            (_, _) => Ok(()),
        }
    }

    async fn list(&self) -> Result<Vec<Stored>, Trouble> {
        let (mut all, mut next) = (Vec::new(), String::new());
        loop {
            let path = resource().collection(Some(self.namespace));
            let selector = segment(&format!("{LABEL}=true"));
            let path = format!("{path}?labelSelector={selector}&limit={PAGE}&continue={}", segment(&next));
            let answer = self.api.send(Ask::list(path)).await?;
            let page: Page = serde_json::from_slice(&answer.body)
                .map_err(|_| Trouble::Garbage("no list of ConfigMaps".to_owned()))?;
            // What else carries our label is a stranger's, and stays.
            all.extend(page.items.into_iter().filter(|one| is_named_as_ours(&one.metadata.name)));
            if page.metadata.next.is_empty() {
                return Ok(all);
            }
            next = page.metadata.next;
        }
    }

    /// Writes one part; the namespace is created where it is missing.
    async fn put(&self, name: &str, bytes: &[u8]) -> Result<(), Refusal> {
        let answer = match self.send(name, bytes).await {
            Err(trouble) if names_namespace(&trouble) => {
                self.create_namespace().await?;
                self.send(name, bytes).await
            }
            answer => answer,
        };
        let stored = answer.map_err(|trouble| self.failed(name, &trouble))?;
        match self.content(stored) {
            Ok((_, read)) if read == bytes => Ok(()),
            Ok(_) | Err(_) => {
                let message = self.said(name, "was written and reads otherwise");
                Err(Refusal::passing(HoldReason::ApplyFailed, message))
            }
        }
    }

    async fn send(&self, name: &str, bytes: &[u8]) -> Result<Stored, Trouble> {
        let content = Content { binary_data: BTreeMap::from([(KEY, ByteString(bytes.to_vec()))]) };
        let mut object = serde_json::to_value(content).expect("bytes become JSON");
        object["apiVersion"] = json!("v1");
        object["kind"] = json!("ConfigMap");
        object["metadata"] = json!({
            "name": name, "namespace": self.namespace, "labels": {LABEL: "true"},
            "annotations": {DIGEST: Digest::of(bytes).to_string()},
        });
        let body = serde_json::to_vec(&object).expect("JSON can be written");
        let path = format!(
            "{}/{}?fieldManager={MANAGER}&force=true",
            resource().collection(Some(self.namespace)),
            segment(name)
        );
        let answer =
            self.api.send(Ask::with(Method::PATCH, path, "application/apply-patch+yaml", body)).await?;
        serde_json::from_slice(&answer.body).map_err(|_| Trouble::Garbage("no ConfigMap".to_owned()))
    }

    /// Makes the agent's own namespace; one that is there is fine.
    pub(super) async fn create_namespace(&self) -> Result<(), Refusal> {
        let object = json!({
            "apiVersion": "v1", "kind": "Namespace",
            "metadata": {"name": self.namespace, "labels": {LABEL: "true"}},
        });
        let body = serde_json::to_vec(&object).expect("JSON can be written");
        let path = format!("/api/v1/namespaces?fieldManager={MANAGER}");
        match self.api.send(Ask::with(Method::POST, path, "application/json", body)).await {
            Err(trouble) if trouble.code() != Some(409) => Err(self.failed(self.namespace, &trouble)),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// Name and content of one part, if it is what its name or its annotation says; else what is wrong with it.
    fn content(&self, mut stored: Stored) -> Result<(String, Vec<u8>), String> {
        let title = stored.metadata.name;
        let Some(ByteString(bytes)) = stored.binary_data.remove(KEY) else {
            return Err(self.said(&title, "holds nothing"));
        };
        let digest = Digest::of(&bytes);
        let said = stored.metadata.annotations.get(DIGEST).map(String::as_str);
        if said != Some(digest.to_string().as_str()) || (title != INDEX && title != name(digest)) {
            return Err(self.said(&title, "is not what was written"));
        }
        Ok((title, bytes))
    }

    fn failed(&self, name: &str, trouble: &Trouble) -> Refusal {
        let refusal = refusal(Act::Apply, &self.id(name), trouble);
        let message = format!("inventory (ConfigMap {}/{name}): {}", self.namespace, refusal.message);
        Refusal { message, ..refusal }
    }

    fn said(&self, name: &str, what: &str) -> String {
        format!("inventory: ConfigMap {}/{name} {what}", self.namespace)
    }

    fn id(&self, name: &str) -> ObjectId {
        let namespace = Some(self.namespace.to_owned());
        ObjectId { group: String::new(), kind: "ConfigMap".to_owned(), namespace, name: name.to_owned() }
    }
}

/// A namespace, as something to read and to delete.
pub(super) fn namespace(name: &str) -> (Resource, ObjectId) {
    let kind = KindRef { group: String::new(), version: "v1".to_owned(), kind: "Namespace".to_owned() };
    let id =
        ObjectId { group: String::new(), kind: kind.kind.clone(), namespace: None, name: name.to_owned() };
    (Resource { kind, plural: "namespaces".to_owned(), namespaced: false, lists: true }, id)
}

fn resource() -> Resource {
    let kind = KindRef { group: String::new(), version: "v1".to_owned(), kind: "ConfigMap".to_owned() };
    Resource { kind, plural: "configmaps".to_owned(), namespaced: true, lists: true }
}

fn name(digest: Digest) -> String {
    format!("{INDEX}-{}", &digest.hex()[..32])
}

fn is_named_as_ours(name: &str) -> bool {
    let rest = name.strip_prefix(INDEX);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
}

/// Whether it is the namespace that is missing.
pub(super) fn names_namespace(trouble: &Trouble) -> bool {
    let details = trouble.status().and_then(|status| status.details.as_ref());
    trouble.code() == Some(404) && details.is_some_and(|details| details.kind == "namespaces")
}
