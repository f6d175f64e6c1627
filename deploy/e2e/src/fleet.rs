//! A service as an operator describes it, for `windlass apply -f`.

use serde_json::{Value, json};

use crate::Repository;

/// A service with explicit targets, and the source that it comes from.
#[derive(Clone, Debug)]
pub struct Service {
    name: String,
    source: Value,
    path: String,
    namespace: String,
    renderer: Value,
    clusters: Vec<String>,
    options: Value,
}

impl Service {
    /// The plain manifests of a repository's folder, as `default/<name>`.
    pub fn new(name: &str, repository: &Repository, path: &str, namespace: &str) -> Self {
        Self {
            name: name.to_owned(),
            source: json!({ "git": { "url": repository.url(), "ref": "main" } }),
            path: path.to_owned(),
            namespace: namespace.to_owned(),
            renderer: json!({ "plain": {} }),
            clusters: Vec::new(),
            options: json!({ "prune": true }),
        }
    }

    /// Its name in the fleet: `default/<name>`.
    pub fn full_name(&self) -> String {
        format!("default/{}", self.name)
    }

    /// Its namespace in the clusters.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// At one more site.
    #[must_use]
    pub fn at(mut self, cluster: &str) -> Self {
        self.clusters.push(cluster.to_owned());
        self
    }

    /// The two documents.
    pub(crate) fn documents(&self) -> String {
        let head = |kind: &str| {
            json!({ "apiVersion": "windlass.dev/v1alpha1", "kind": kind,
                "metadata": { "name": self.name, "project": "default" } })
        };
        let mut source = head("Source");
        source["spec"] = self.source.clone();
        let mut service = head("ServiceDeployment");
        service["spec"] = json!({
            "source": self.name, "path": self.path, "namespace": self.namespace, "renderer": self.renderer,
            "clusters": self.clusters, "options": self.options,
        });
        format!("{source}\n---\n{service}\n")
    }
}
