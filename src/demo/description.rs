//! The demo's fleet as documents: the example's own `fleet.yaml`, less what this machine has no tools for; or one service
//! for the visitor's folder.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::Path;

use anyhow::{Context as _, Result};
use program::http::Method;
use publisher::manifests::yaml::{self, YamlLimits};
use serde_json::{Value, json};

use super::repository::Repository;
use crate::server::{Server, Terms};

/// Which services and sites there are.
pub(super) struct Description {
    /// What the api is told.
    pub(super) documents: Vec<Value>,
    /// Sites by name, with their labels.
    pub(super) sites: BTreeMap<String, BTreeMap<String, String>>,
    /// What was left out, for people.
    pub(super) left_out: Vec<String>,
    /// The programs that it was left out for the want of.
    pub(super) lacking: Vec<&'static str>,
}

/// What this machine can render.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tools {
    kustomize: bool,
    helm: bool,
}

impl Tools {
    /// Looks for the programs.
    pub(super) fn find(search_path: &OsStr) -> Self {
        let has = |name: &str| std::env::split_paths(search_path).any(|folder| folder.join(name).is_file());
        Self { kustomize: has("kustomize") || has("kubectl"), helm: has("helm") }
    }

    fn lacking(self) -> Vec<&'static str> {
        let programs = [(self.kustomize, "kustomize (or kubectl)"), (self.helm, "helm")];
        programs.into_iter().filter_map(|(there, name)| (!there).then_some(name)).collect()
    }

    fn can(self, renderer: &Value) -> bool {
        match (renderer.get("kustomize"), renderer.get("helm")) {
            (Some(_), _) => self.kustomize,
            (_, Some(_)) => self.helm,
            (None, None) => true,
        }
    }
}

impl Description {
    /// The example's fleet, from the repository's own description.
    pub(super) fn example(repository: &Repository, tools: Tools) -> Result<Self> {
        let text = repository.read("fleet.yaml")?;
        let documents =
            yaml::read(text.as_bytes(), YamlLimits::default()).context("read the example's fleet.yaml")?;
        let mut description = Self {
            documents: Vec::new(),
            sites: BTreeMap::new(),
            left_out: Vec::new(),
            lacking: tools.lacking(),
        };
        for mut document in documents.into_iter().map(|read| read.value) {
            let name = document["metadata"]["name"].as_str().unwrap_or_default().to_owned();
            match document["kind"].as_str() {
                Some("Cluster") => {
                    let labels = serde_json::from_value(document["metadata"]["labels"].take())
                        .context("read labels")?;
                    description.sites.insert(name, labels);
                }
                Some("Source") => {
                    document["spec"] = json!({ "git": { "url": repository.url(), "ref": "main" } });
                    description.documents.push(document);
                }
                Some(_) if tools.can(&document["spec"]["renderer"]) => description.documents.push(document),
                Some(_) => description.left_out.push(name),
                None => {}
            }
        }
        Ok(description)
    }

    /// One service of the visitor's folder, at three sites.
    pub(super) fn visitor(repository: &Repository, path: &str) -> Self {
        let folder = repository.folder().join(path);
        let sites: BTreeMap<_, _> = (1..=3).map(|n| (format!("site-{n}"), BTreeMap::new())).collect();
        let names: Vec<_> = sites.keys().collect();
        let source = json!({ "git": { "url": repository.url(), "ref": "main" } });
        let service = json!({
            "source": "yours", "path": path, "namespace": "default", "renderer": renderer(&folder), "clusters": names,
        });
        let document =
            |kind: &str, spec| json!({ "kind": kind, "metadata": { "name": "yours" }, "spec": spec });
        let documents = vec![document("Source", source), document("ServiceDeployment", service)];
        Self { documents, sites, left_out: Vec::new(), lacking: Vec::new() }
    }

    /// How many services there are.
    pub(super) fn services(&self) -> usize {
        self.documents.iter().filter(|document| document["kind"] != "Source").count()
    }

    /// Tells the api.
    pub(super) async fn apply(&self, server: &Server) -> Result<()> {
        for document in &self.documents {
            let room = match document["kind"].as_str() {
                Some("Source") => "sources",
                Some("GlobalService") => "global-services",
                Some(_) | None => "services",
            };
            let name = document["metadata"]["name"].as_str().unwrap_or_default();
            let path = format!("/v1/{room}/default/{name}");
            let _made: Value =
                server.change(Method::PUT, &path, Some(&document["spec"]), Terms::default()).await?;
        }
        Ok(())
    }
}

/// What makes manifests of a folder, by what lies in it.
fn renderer(folder: &Path) -> Value {
    if folder.join("Chart.yaml").is_file() {
        json!({ "helm": {} })
    } else if ["kustomization.yaml", "kustomization.yml", "Kustomization"]
        .iter()
        .any(|name| folder.join(name).is_file())
    {
        json!({ "kustomize": {} })
    } else {
        json!({ "plain": {} })
    }
}
