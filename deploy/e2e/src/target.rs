//! What is there at a site, looked at past the agent: in the cluster through kubectl, in a folder as files. So one
//! scenario holds for both.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use testbed::Cluster;

use crate::rig::Part;

/// Where an agent makes things so.
#[derive(Debug)]
pub enum Target {
    /// A cluster.
    Kubernetes(Part<Cluster>),
    /// A folder.
    Directory(PathBuf),
}

/// An object: kind, namespace, name. Kinds are unique in these tests, so no group is needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Id {
    kind: String,
    namespace: Option<String>,
    name: String,
}

impl Id {
    /// An object in a namespace.
    pub fn new(kind: &str, namespace: &str, name: &str) -> Self {
        Self { kind: kind.to_owned(), namespace: Some(namespace.to_owned()), name: name.to_owned() }
    }

    /// An object of the whole cluster.
    pub fn of_the_cluster(kind: &str, name: &str) -> Self {
        Self { kind: kind.to_owned(), namespace: None, name: name.to_owned() }
    }

    fn is(&self, value: &Value) -> bool {
        let text = |pointer: &str| value.pointer(pointer).and_then(Value::as_str);
        text("/kind") == Some(&self.kind)
            && text("/metadata/name") == Some(&self.name)
            && text("/metadata/namespace") == self.namespace.as_deref()
    }

    fn args<'a>(&'a self, verb: &'a str) -> Vec<&'a str> {
        let mut args = vec![verb, &self.kind, &self.name];
        if let Some(namespace) = &self.namespace {
            args.extend(["--namespace", namespace]);
        }
        args
    }
}

impl Target {
    /// The object, if it is there.
    pub async fn find(&self, id: &Id) -> Result<Option<Value>> {
        match self {
            Self::Kubernetes(cluster) => {
                let args = [id.args("get"), vec!["--ignore-not-found", "-o", "json"]].concat();
                let text = cluster.kubectl(&args).await?;
                if text.trim().is_empty() { Ok(None) } else { Ok(Some(serde_json::from_str(&text)?)) }
            }
            Self::Directory(folder) => Ok(file_of(folder, id)?.map(|(_, value)| value)),
        }
    }

    /// What keeps pods of a namespace from becoming ready, for the text of an error.
    pub async fn trouble(&self, namespace: &str) -> String {
        let Self::Kubernetes(cluster) = self else { return String::new() };
        let mut said = String::new();
        for what in [
            &["get", "nodes", "-o", "wide"][..],
            &["get", "pods,events", "-n", namespace, "-o", "wide"],
            &["get", "pods,deployments", "-n", namespace, "-o", "jsonpath={.items[*].status}"],
            &["get", "leases", "-n", "kube-node-lease", "-o", "jsonpath={.items[*].spec}"],
        ] {
            said += &cluster.kubectl(what).await.unwrap_or_else(|error| format!("{error:#}"));
        }
        said + &cluster.controllers_log()
    }

    /// The object; it is an error when it is not there.
    pub async fn get(&self, id: &Id) -> Result<Value> {
        self.find(id).await?.with_context(|| format!("{id:?} is not there"))
    }

    /// A field of the object, by its JSON pointer.
    pub async fn field(&self, id: &Id, pointer: &str) -> Result<Value> {
        let object = self.get(id).await?;
        object.pointer(pointer).cloned().with_context(|| format!("{id:?} has no {pointer}: {object}"))
    }

    /// An error unless a field has this value.
    pub async fn has(&self, id: &Id, pointer: &str, value: impl Into<Value>) -> Result<()> {
        let (found, value) = (self.field(id, pointer).await?, value.into());
        ensure!(found == value, "{pointer} of {id:?} is {found}, not {value}");
        Ok(())
    }

    /// An error unless the object is gone.
    pub async fn lacks(&self, id: &Id) -> Result<()> {
        match self.find(id).await? {
            None => Ok(()),
            Some(object) => bail!("{id:?} is still there: {object}"),
        }
    }

    /// Deletes the object, as somebody at the site might.
    pub async fn delete(&self, id: &Id) -> Result<()> {
        match self {
            Self::Kubernetes(cluster) => cluster.kubectl(&id.args("delete")).await.map(drop),
            Self::Directory(folder) => {
                let (file, _) = file_of(folder, id)?.with_context(|| format!("{id:?} is not there"))?;
                fs::remove_file(&file).with_context(|| format!("remove {}", file.display()))
            }
        }
    }

    /// Gives a field of the object another value, as somebody at the site might.
    pub async fn edit(&self, id: &Id, pointer: &str, value: impl Into<Value>) -> Result<()> {
        let value = value.into();
        match self {
            Self::Kubernetes(cluster) => {
                let patch =
                    serde_json::json!([{ "op": "replace", "path": pointer, "value": value }]).to_string();
                let args = [id.args("patch"), vec!["--type=json", "--patch", &patch]].concat();
                cluster.kubectl(&args).await.map(drop)
            }
            Self::Directory(folder) => {
                let (file, mut object) =
                    file_of(folder, id)?.with_context(|| format!("{id:?} is not there"))?;
                *object.pointer_mut(pointer).with_context(|| format!("{id:?} has no {pointer}"))? = value;
                fs::write(&file, object.to_string()).with_context(|| format!("write {}", file.display()))
            }
        }
    }
}

/// The file that holds an object, whatever it is called.
fn file_of(folder: &Path, id: &Id) -> Result<Option<(PathBuf, Value)>> {
    let Ok(entries) = fs::read_dir(folder) else { return Ok(None) };
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() {
            if let Some(found) = file_of(&path, id)? {
                return Ok(Some(found));
            }
            continue;
        }
        // What is being replaced in this moment is looked at again.
        let read = fs::read(&path).ok().and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok());
        if let Some(value) = read.filter(|value| id.is(value)) {
            return Ok(Some((path, value)));
        }
    }
    Ok(None)
}
