//! `windlass approve` and `windlass recover`: decisions that only a person takes, each with its effect printed first.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use api::routes::clusters::{Cluster, ClusterState};
use api::routes::holds::{Approval, Approve as Body, Hold};
use cdn::SigningKey;
use cdn::envelope::Signature;
use clap::{Args, Subcommand};
use program::http::Method;
use serde_json::Value;

use crate::describe::find_hold;
use crate::exit::{Exit, Failure};
use crate::keys::private_key;
use crate::server::{Query, Server, Terms, escaped};
use crate::session::Session;
use crate::several::{self, Clusters};
use crate::words::{labels, reason, selector};

/// `windlass approve`.
#[derive(Debug, Subcommand)]
pub(crate) enum Approve {
    /// Let clusters that have joined begin to poll
    #[command(before_help = "Examples:
  windlass approve cluster site-4
  windlass approve cluster site-4 site-5 site-6
  windlass approve cluster -l region=north")]
    Cluster(Clusters),
    /// Let agents do exactly what holds describe, once
    #[command(before_help = "Examples:
  windlass get holds
  windlass approve hold 4be1c2d3e4f5
  windlass approve hold sha256:4be1... --key approver.key --yes
  windlass approve hold -l region=north --reason PruneBudget")]
    Hold(ApproveHold),
}

/// `windlass approve hold`.
#[derive(Args, Debug)]
#[group(id = "which holds", args = ["digests", "selector", "all"], required = true, multiple = true)]
pub(crate) struct ApproveHold {
    /// Digests of holds, or their first digits
    #[arg(value_name = "DIGEST", conflicts_with_all = ["selector", "all", "reason"])]
    digests: Vec<String>,
    /// All that wait for a yes at clusters with these labels
    #[arg(short = 'l', long, value_name = "SELECTOR", value_parser = selector, conflicts_with = "all")]
    selector: Option<String>,
    /// All that wait for a yes
    #[arg(long)]
    all: bool,
    /// Of those, only the ones with this reason
    #[arg(long, value_name = "CODE", value_parser = reason(), hide_possible_values = true)]
    reason: Option<String>,
    /// The cluster that is meant, where several report a digest; else only holds of this cluster
    #[arg(long, value_name = "NAME")]
    cluster: Option<String>,
    /// An approver's key, where root lists approvers; may be given several times
    #[arg(long = "key", value_name = "FILE")]
    keys: Vec<PathBuf>,
}

/// Let clusters go on that are stopped: two agents used one identity, or an agent is ahead of the database
#[derive(Args, Debug)]
#[command(before_help = "Examples:
  windlass get clusters --state AgentAhead
  windlass recover site-1
  windlass recover site-1 site-2
  windlass recover --all                 # after a restored backup; their number and names are shown first")]
pub(crate) struct Recover {
    #[command(flatten)]
    clusters: Clusters,
}

impl Approve {
    /// Does it.
    pub(crate) async fn run(self, session: &Session) -> Result<Exit> {
        match self {
            Self::Cluster(clusters) => clusters.approve(session).await,
            Self::Hold(hold) => hold.run(session).await,
        }
    }
}

impl Clusters {
    async fn approve(self, session: &Session) -> Result<Exit> {
        let server = session.server()?;
        let (active, waiting): (Vec<_>, Vec<_>) = self
            .read(&server, |cluster| cluster.state == ClusterState::Pending)
            .await?
            .into_iter()
            .partition(|cluster| cluster.state == ClusterState::Active);
        for cluster in active {
            session.out.line(&format!("cluster/{} is active already", cluster.name))?;
        }
        let Some(first) = waiting.first() else {
            if self.names.is_empty() {
                session.out.hint("no such cluster waits for a yes");
            }
            return Ok(Exit::Ok);
        };
        let effects: Vec<String> = waiting.iter().map(joined).collect();
        let one = format!("Let cluster {} receive what its labels select?", first.name);
        let several = "let each receive what its labels select?";
        several::confirm(session, &effects, &one, ("cluster", several)).await?;
        let approve = async |cluster: &Cluster| change(&server, cluster, "approve", "approved").await;
        several::each(session, &waiting, named, approve).await
    }
}

/// How a cluster came here.
fn joined(cluster: &Cluster) -> String {
    format!(
        "{} ({}) joined at {} with {}, labels: {}",
        cluster.name,
        cluster.id,
        cluster.joined_at,
        cluster.join_token.as_deref().unwrap_or("an unknown token"),
        labels(&cluster.labels),
    )
}

fn named(cluster: &Cluster) -> String {
    format!("cluster/{}", cluster.name)
}

async fn change(server: &Server, cluster: &Cluster, verb: &str, done: &str) -> Result<String> {
    let path = format!("/v1/clusters/{}/{verb}", escaped(cluster.id.as_str()));
    let _answer: Value = server.change(Method::POST, &path, None::<&()>, Terms::default()).await?;
    Ok(format!("{} {done}", named(cluster)))
}

impl ApproveHold {
    async fn run(self, session: &Session) -> Result<Exit> {
        let server = session.server()?;
        let holds = self.holds(&server).await?;
        let Some(first) = holds.first() else {
            session.out.hint("no such hold waits for a yes");
            return Ok(Exit::Ok);
        };
        let keys = self.keys.iter().map(|path| private_key(path)).collect::<Result<Vec<_>>>()?;
        let effects: Vec<String> = holds.iter().map(effect).collect();
        let one = format!("Let cluster {} do this, once?", first.cluster_name);
        several::confirm(session, &effects, &one, ("hold", "let each cluster do this, once?")).await?;
        let named = |hold: &Hold| format!("the hold of {}", hold.cluster_name);
        several::each(session, &holds, named, async |hold| approve(&server, hold, &keys).await).await
    }

    /// What was named; else all that fits and waits.
    async fn holds(&self, server: &Server) -> Result<Vec<Hold>> {
        let mut holds = Vec::new();
        for digest in &self.digests {
            let hold = find_hold(server, digest, self.cluster.as_deref()).await?;
            if !holds.contains(&hold) {
                holds.push(hold);
            }
        }
        if self.digests.is_empty() {
            let query = Query::default()
                .add("cluster", self.cluster.as_deref())
                .add("reason", self.reason.as_deref());
            holds = server.list("/v1/holds", &query).await?;
            holds.retain(|hold| hold.hold.digest.is_some() && hold.approved_at.is_none());
        }
        if let Some(selector) = &self.selector {
            let names = several::names_with(server, selector).await?;
            holds.retain(|hold| names.contains(&hold.cluster_name));
        }
        Ok(holds)
    }
}

async fn approve(server: &Server, hold: &Hold, keys: &[SigningKey]) -> Result<String> {
    let digest = hold.hold.digest.context("a hold is found by its digest")?;
    let signatures = keys.iter().map(|key| Signature::approve(digest, key)).collect();
    let path = format!("/v1/holds/{}/approve", escaped(&digest.to_string()));
    // What was shown is what is approved.
    let body = Body { signatures, cluster: Some(hold.cluster.to_string()) };
    let approval: Approval = server.change(Method::POST, &path, Some(&body), Terms::default()).await?;
    Ok(format!("hold/{} approved by {}", approval.hold, approval.approved_by))
}

fn effect(hold: &Hold) -> String {
    let inner = &hold.hold;
    let service = inner.service.as_ref().map(|service| format!(", service {service}")).unwrap_or_default();
    format!("{} at {}{service}: {}", inner.reason.code(), hold.cluster_name, inner.message)
}

impl Recover {
    /// Does it.
    pub(crate) async fn run(self, session: &Session) -> Result<Exit> {
        let server = session.server()?;
        let stopped = self.clusters.read(&server, |cluster| difference(cluster).is_some()).await?;
        let Some(first) = stopped.first() else {
            session.out.hint("no such cluster is stopped");
            return Ok(Exit::Ok);
        };
        let effect = |cluster: &Cluster| {
            difference(cluster).ok_or_else(|| {
                Failure::new(Exit::Failed, format!("cluster {} needs no recovery", cluster.name))
                    .next(format!("see `windlass describe cluster {}`", cluster.name))
            })
        };
        let effects = stopped.iter().map(effect).collect::<Result<Vec<_>, _>>()?;
        let one = format!("Let cluster {} go on?", first.name);
        several::confirm(session, &effects, &one, ("cluster", "let each go on?")).await?;
        let recover = async |cluster: &Cluster| change(&server, cluster, "recover", "recovered").await;
        several::each(session, &stopped, named, recover).await
    }
}

/// What a person must know before a stopped cluster goes on.
fn difference(cluster: &Cluster) -> Option<String> {
    let name = &cluster.name;
    match (cluster.agent_ahead, cluster.duplicate_since) {
        (Some(held), _) => Some(format!(
            "The agent of {name} holds sequence {held}; this api knows {}. The database is older than the fleet, as \
             after a restored backup.\nGoing on gives {name} what the api knows now, as a newer assignment: what was \
             changed after the backup is undone there.",
            cluster.seq
        )),
        (None, Some(since)) => Some(format!(
            "Two agents have used the identity of {name} since {since}.\nStop one of them first: going on with both \
             stops the cluster again."
        )),
        (None, None) => None,
    }
}
