//! Services: what is rendered, where it belongs, which release it follows, and what becomes of what it leaves.

use std::collections::BTreeMap;

use cdn::document::{Health, ServiceOptions, Sync};
use cdn::wire::{PublishStatus, Renderer};
use cdn::{ClusterId, Digest, ProjectName, ServiceName};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::selector::Selector;

/// A service as people see it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Service {
    /// `project/name`.
    #[schema(value_type = String)]
    pub name: ServiceName,
    /// With explicit targets, or with a selector.
    pub kind: ServiceKind,
    /// What was put.
    pub spec: ServiceSpec,
    /// Which release it runs.
    pub follow: Follow,
    /// The release that clusters are assigned now; none before the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub release: Option<Digest>,
    /// The newest release; none before the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub latest: Option<Digest>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Its ETag's number: grows with every change of the spec or of what it follows.
    pub version: u64,
    /// How many clusters report it, by health; only in the answer for one service.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub health: BTreeMap<String, u64>,
    /// What its publisher last said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub publish: Option<Published>,
}

/// What a service's publisher last said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Published {
    /// When.
    pub at: Timestamp,
    /// Whether it has looked at the service as it is described now; none where it does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current: Option<bool>,
    /// What.
    #[serde(flatten)]
    pub status: PublishStatus,
}

/// How a service stands in one of the clusters that it is assigned to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Standing {
    /// The cluster's name.
    pub cluster: String,
    /// The cluster.
    #[schema(value_type = String)]
    pub id: ClusterId,
    /// The release that its last report names; none where that names none, or does not name the service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub release: Option<Digest>,
    /// Whether what is there is what should be, by the same report.
    #[schema(value_type = String)]
    pub sync: Sync,
    /// Whether it works, by the same report.
    #[schema(value_type = String)]
    pub health: Health,
}

/// How a service finds its clusters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub enum ServiceKind {
    /// Explicit targets.
    ServiceDeployment,
    /// A selector.
    GlobalService,
}

/// Which release a service runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case", tag = "mode")]
pub enum Follow {
    /// Always the newest.
    Latest,
    /// This one, until resumed.
    Pinned {
        /// The release.
        #[schema(value_type = String)]
        release: Digest,
    },
}

/// The `spec` of a `ServiceDeployment` or `GlobalService` document.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ServiceSpec {
    /// The name of a source of the same project.
    pub source: String,
    /// The folder in the source, relative; empty for its top.
    #[serde(default)]
    pub path: String,
    /// The namespace of objects that name none.
    pub namespace: String,
    /// What makes manifests of the folder: `{"plain": {}}`, `{"kustomize": {}}` or `{"helm": {...}}`.
    #[serde(default)]
    #[schema(value_type = Object)]
    pub renderer: Renderer,
    /// Targets of a `ServiceDeployment`: names or ids of clusters. A name that is not there yet counts once it joins.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub clusters: Vec<String>,
    /// Targets of a `GlobalService`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selector: Option<Selector>,
    /// Services of the same project that must be applied and healthy first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub depends_on: Vec<String>,
    /// How agents treat it.
    #[serde(default)]
    pub options: Options,
}

/// How agents treat a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Options {
    /// Whether objects that left the bundle are deleted; true unless said.
    #[serde(default = "yes")]
    pub prune: bool,
    /// Whether the service is left as it is: no apply, no repair, no prune.
    #[serde(default)]
    pub suspend: bool,
    /// Former names of the service, in the same project: their objects become its own (a rename).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub formerly: Vec<String>,
    /// What becomes of its objects in a cluster that is no longer a target.
    #[serde(default)]
    pub on_unassign: OnUnassign,
}

fn yes() -> bool {
    true
}

impl Default for Options {
    fn default() -> Self {
        Self { prune: true, suspend: false, formerly: Vec::new(), on_unassign: OnUnassign::default() }
    }
}

impl ServiceSpec {
    /// The services that it depends on; names were checked when it was put.
    pub fn depends_on_names(&self, project: &ProjectName) -> Vec<ServiceName> {
        full_names(&self.depends_on, project)
    }
}

impl Options {
    /// As sets carry them.
    pub(crate) fn to_wire(&self, project: &ProjectName) -> ServiceOptions {
        let formerly = full_names(&self.formerly, project);
        ServiceOptions { prune: self.prune, suspend: self.suspend, formerly }
    }
}

fn full_names(names: &[String], project: &ProjectName) -> Vec<ServiceName> {
    names.iter().filter_map(|name| ServiceName::new(project.clone(), name).ok()).collect()
}

/// What becomes of a service's objects in a cluster that is no longer a target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnUnassign {
    /// Nothing is removed: the cluster keeps them, repairs them no longer and shows the service as `Unassigned` until
    /// a person removes it. A label that somebody mistyped never deletes anything.
    #[default]
    Keep,
    /// They stay and are no longer ours: a removal with mode `orphan` is written.
    Orphan,
    /// They are deleted, on the same proof as every prune: a removal with mode `delete` is written.
    Delete,
}

/// Which active clusters a change of a service's targets concerns.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Reach {
    /// How many it was meant for.
    pub before: u64,
    /// How many it is meant for from now on.
    pub after: u64,
    /// How many of them are new.
    pub joining: u64,
    /// How many it is no longer meant for; `onUnassign` says what becomes of its objects there.
    pub leaving: u64,
    /// The names of some of those that leave, at most 16.
    pub leaves: Vec<String>,
}
