//! Two clusters, object by object, with all that their API servers have filled in.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tempfile::NamedTempFile;
use testbed::Cluster;

/// What two clusters cannot have in common.
const OWN: [&str; 6] =
    ["uid", "resourceVersion", "creationTimestamp", "managedFields", "generation", "annotations"];
/// What each API server makes for itself, with its own port and authority in it.
const OF_THE_SERVER: [&str; 2] =
    ["Service default/kubernetes", "ConfigMap kube-system/extension-apiserver-authentication"];
/// Annotations of whoever applied it.
const MARKS: &str = "windlass.dev/";

/// Objects by kind, namespace and name.
pub(super) type Objects = BTreeMap<String, Value>;

/// The cluster's kubeconfig with another default namespace.
pub(super) async fn kubeconfig_in(cluster: &Cluster, namespace: &str) -> Result<NamedTempFile> {
    let text = std::fs::read_to_string(cluster.kubeconfig()).context("read the kubeconfig")?;
    let file = NamedTempFile::new().context("a copy of the kubeconfig")?;
    std::fs::write(file.path(), text).context("write the kubeconfig's copy")?;
    let path = file.path().to_str().context("a temporary path is text")?.to_owned();
    let set = ["--kubeconfig", &path, "config", "set-context", "--current", "--namespace", namespace];
    cluster.kubectl(&set).await?;
    Ok(file)
}

/// The kinds of a tree, as kubectl takes them: `plural.group`.
pub(super) async fn kinds_of(cluster: &Cluster, tree: &Path, namespace: &str) -> Result<BTreeSet<String>> {
    let kubeconfig = kubeconfig_in(cluster, namespace).await?;
    let kubeconfig = kubeconfig.path().to_str().context("a temporary path is text")?;
    let tree = tree.to_str().context("a temporary path is text")?;
    let names = cluster
        .kubectl(&["--kubeconfig", kubeconfig, "get", "--recursive", "-f", tree, "-o", "name"])
        .await?;
    let kinds: BTreeSet<String> =
        names.lines().filter_map(|name| name.split_once('/')).map(|(kind, _)| kind.to_owned()).collect();
    ensure!(kinds.len() > 3, "a tree has several kinds: {names}");
    Ok(kinds)
}

/// Every object of these kinds, without what must differ.
pub(super) async fn read(cluster: &Cluster, kinds: &BTreeSet<String>) -> Result<Objects> {
    let kinds: Vec<&str> = kinds.iter().map(String::as_str).collect();
    let text = cluster.kubectl(&["get", &kinds.join(","), "--all-namespaces", "-o", "json"]).await?;
    let list: Value = serde_json::from_str(&text).context("kubectl says JSON")?;
    let items = list.get("items").and_then(Value::as_array).cloned().unwrap_or_default();
    let ours = |object: &Value| {
        let text =
            |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        let id = format!("{} {}/{}", text("/kind"), text("/metadata/namespace"), text("/metadata/name"));
        // The agent's own namespace, and what it keeps there.
        let own = [text("/metadata/namespace"), text("/metadata/name")]
            .iter()
            .any(|it| it.starts_with("windlass-"));
        (!own && !OF_THE_SERVER.contains(&id.as_str())).then(|| (id, bare(object.clone())))
    };
    Ok(items.iter().filter_map(ours).collect())
}

fn bare(mut object: Value) -> Value {
    let annotations = object.pointer("/metadata/annotations").cloned();
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.retain(|name, _| !OWN.contains(&name.as_str()));
        let mut annotations = annotations.and_then(|it| it.as_object().cloned()).unwrap_or_default();
        annotations.retain(|name, _| !name.starts_with(MARKS));
        if !annotations.is_empty() {
            metadata.insert("annotations".to_owned(), annotations.into());
        }
    }
    if let Some(object) = object.as_object_mut() {
        object.remove("status");
    }
    if let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut) {
        // Given by chance, unless the manifest says `None`.
        let headless = spec.get("clusterIP").and_then(Value::as_str) == Some("None");
        spec.retain(|name, _| headless || !matches!(name.as_str(), "clusterIP" | "clusterIPs"));
    }
    object
}

/// An error that names the first few differences.
pub(super) fn same(ours: &Objects, theirs: &Objects) -> Result<()> {
    let all: BTreeSet<&String> = ours.keys().chain(theirs.keys()).collect();
    let differ = |id: &&&String| ours.get(**id) != theirs.get(**id);
    let different: Vec<String> = all
        .iter()
        .filter(differ)
        .map(|id| match (ours.get(*id), theirs.get(*id)) {
            (Some(ours), Some(theirs)) => format!("{id}: {}", first_difference("", ours, theirs)),
            (None, Some(_)) => format!("{id}: only kubectl made it"),
            (Some(_) | None, None) => format!("{id}: only the agent made it"),
        })
        .collect();
    let some = different.iter().take(10).cloned().collect::<Vec<_>>().join("\n");
    ensure!(different.is_empty(), "{} of {} objects differ:\n{some}", different.len(), all.len());
    Ok(())
}

fn first_difference(at: &str, ours: &Value, theirs: &Value) -> String {
    if let (Value::Object(a), Value::Object(b)) = (ours, theirs) {
        let keys: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
        for key in keys {
            let (one, other) = (a.get(key).unwrap_or(&Value::Null), b.get(key).unwrap_or(&Value::Null));
            if one != other {
                return first_difference(&format!("{at}/{key}"), one, other);
            }
        }
    }
    let cut = |value: &Value| value.to_string().chars().take(200).collect::<String>();
    format!("{at} is {} by the agent, {} by kubectl", cut(ours), cut(theirs))
}
