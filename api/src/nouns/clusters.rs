//! Clusters: who they are, and whether they may poll.

use std::collections::BTreeMap;

use cdn::document::{Health, Sync};
use cdn::{ClusterId, Digest, ProjectName};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

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
    /// Its last poll, as far as this api knows: exact for polls that came here, else to about ten minutes.
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
    /// Whether what is wanted is what is applied, over all its services: pending where its last report is of an earlier
    /// assignment, unknown where it has not been seen for five intervals.
    #[schema(value_type = String)]
    pub sync: Sync,
    /// Whether what is applied works, over all its services; unknown where it has not been seen for five intervals.
    #[schema(value_type = String)]
    pub health: Health,
    /// Services that it reported.
    pub services: u64,
    /// Holds that it reported.
    pub holds: u64,
    /// Since when two agents seem to use its identity; it gets nothing until a person recovers it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duplicate_since: Option<Timestamp>,
    /// The sequence that its agent holds, where this database never issued it: the database is older than the fleet. It
    /// gets nothing until a person recovers it.
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
