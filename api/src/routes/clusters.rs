//! Clusters, for people: `GET|PATCH|DELETE /v1/clusters/{cluster}`, `GET /v1/clusters`, and the three decisions
//! `POST /v1/clusters/{cluster}/approve|revoke|recover`. `{cluster}` is an id or a name.

use std::collections::BTreeMap;

use cdn::document::{Health, ProjectValues, Removal, Report, Sync};
use cdn::{ClusterId, Digest, ProjectName, ServiceName};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// A registered cluster.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Cluster {
    /// Its random id.
    #[schema(value_type = String)]
    pub id: ClusterId,
    /// Its name, a DNS label, unique in the fleet.
    pub name: String,
    /// What selectors look at; set by its join token or a person, never by the cluster.
    pub labels: BTreeMap<String, String>,
    /// The projects whose services may come here; empty means every project.
    #[schema(value_type = Vec<String>)]
    pub projects: Vec<ProjectName>,
    /// Whether it may poll.
    pub state: ClusterState,
    /// When it joined.
    pub joined_at: Timestamp,
    /// The join token that it used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub join_token: Option<String>,
    /// Its last poll, to about a minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_seen: Option<Timestamp>,
    /// The agent's version.
    pub agent: String,
    /// The sequence of its assignment; 0 before the first.
    pub seq: u64,
    /// The set that it should run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub set: Option<Digest>,
    /// When it last reported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reported_at: Option<Timestamp>,
    /// The sequence that it has accepted, by its last report.
    pub reported_seq: u64,
    /// Whether what is wanted is what is applied, over all its services.
    #[schema(value_type = String)]
    pub sync: Sync,
    /// Whether what is applied works, over all its services.
    #[schema(value_type = String)]
    pub health: Health,
    /// Services that it reported.
    pub services: u64,
    /// Holds that it reported.
    pub holds: u64,
    /// Since when two agents seem to use its identity; it gets nothing until a person recovers it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duplicate_since: Option<Timestamp>,
    /// The sequence that its agent holds, where that is above ours: the database is older than the fleet. It gets
    /// nothing until a person recovers it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_ahead: Option<u64>,
}

/// Whether a cluster may poll.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ClusterState {
    /// A person has to approve it first.
    Pending,
    /// It may.
    Active,
    /// No more. What it runs goes on running.
    Revoked,
}

/// One cluster with all that is known of it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ClusterDetail {
    /// What the list shows too.
    #[serde(flatten)]
    pub cluster: Cluster,
    /// Its values, by project.
    #[schema(value_type = Object)]
    pub values: BTreeMap<ProjectName, ProjectValues>,
    /// What it should run.
    pub assigned: Vec<Assigned>,
    /// What it should take away.
    #[schema(value_type = Vec<Object>)]
    pub removals: Vec<Removal>,
    /// Services that are meant for it and are left out, and why.
    pub notes: Vec<String>,
    /// Its last report.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub report: Option<Report>,
}

/// A service that a cluster should run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Assigned {
    /// The service.
    #[schema(value_type = String)]
    pub service: ServiceName,
    /// Its release.
    #[schema(value_type = String)]
    pub release: Digest,
}

/// `PATCH /v1/clusters/{cluster}`: what is given replaces what was; what is absent stays.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ClusterChange {
    /// A new name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// All labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<BTreeMap<String, String>>,
    /// All projects; empty means every project.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<String>>)]
    pub projects: Option<Vec<ProjectName>>,
    /// All values, by project.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub values: Option<BTreeMap<ProjectName, ProjectValues>>,
}

/// Which clusters.
#[derive(Clone, Debug, Default, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ClusterQuery {
    /// A label selector as kubectl writes it: `env=prod,region in (north,south),!canary`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selector: Option<String>,
    /// Only this state: `pending`, `active` or `revoked`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(inline)]
    pub state: Option<ClusterState>,
    /// Only names that begin so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// At most this many entries; 100 unless said, at most 1,000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// `next` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}
