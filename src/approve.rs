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
use crate::get;
use crate::server::{Terms, escaped};
use crate::session::{self, Session};
use crate::words::labels;

/// `windlass approve`.
#[derive(Debug, Subcommand)]
pub(crate) enum Approve {
    /// Let a cluster that has joined begin to poll
    #[command(before_help = "Examples:
  windlass approve cluster site-4")]
    Cluster(ClusterName),
    /// Let an agent do exactly what a hold describes, once
    #[command(before_help = "Examples:
  windlass get holds
  windlass approve hold 4be1c2d3e4f5
  windlass approve hold sha256:4be1... --key approver.key --yes")]
    Hold(ApproveHold),
}

/// A cluster.
#[derive(Args, Debug)]
pub(crate) struct ClusterName {
    /// The cluster's name or id
    #[arg(value_name = "NAME")]
    name: String,
}

/// `windlass approve hold`.
#[derive(Args, Debug)]
pub(crate) struct ApproveHold {
    /// The hold's digest, or its first digits
    #[arg(value_name = "DIGEST")]
    digest: String,
    /// The cluster that is meant, where several report this digest
    #[arg(long, value_name = "NAME")]
    cluster: Option<String>,
    /// An approver's key, where root lists approvers; may be given several times
    #[arg(long = "key", value_name = "FILE")]
    keys: Vec<PathBuf>,
}

/// Let a cluster go on that is stopped: two agents used its identity, or its agent is ahead of the database
#[derive(Args, Debug)]
#[command(before_help = "Examples:
  windlass describe cluster site-1
  windlass recover site-1")]
pub(crate) struct Recover {
    #[command(flatten)]
    cluster: ClusterName,
}

impl Approve {
    /// Does it.
    pub(crate) async fn run(self, session: &Session) -> Result<Exit> {
        match self {
            Self::Cluster(cluster) => cluster.approve(session).await,
            Self::Hold(hold) => hold.run(session).await,
        }
    }
}

impl ClusterName {
    async fn approve(self, session: &Session) -> Result<Exit> {
        let server = session.server()?;
        let cluster = get::cluster(&server, &self.name).await?.cluster;
        if cluster.state == ClusterState::Active {
            session.out.line(&format!("cluster/{} is active already", cluster.name))?;
            return Ok(Exit::Ok);
        }
        session.out.hint(&format!(
            "{} ({}) joined at {} with {}, labels: {}",
            cluster.name,
            cluster.id,
            cluster.joined_at,
            cluster.join_token.as_deref().unwrap_or("an unknown token"),
            labels(&cluster.labels),
        ));
        session.confirm(&format!("Let cluster {} receive what its labels select?", cluster.name)).await?;
        let path = format!("/v1/clusters/{}/approve", escaped(cluster.id.as_str()));
        let _answer: Value = server.change(Method::POST, &path, None::<&()>, Terms::default()).await?;
        session.out.line(&format!("cluster/{} approved", cluster.name))?;
        Ok(Exit::Ok)
    }
}

impl ApproveHold {
    async fn run(self, session: &Session) -> Result<Exit> {
        let server = session.server()?;
        let hold = find_hold(&server, &self.digest, self.cluster.as_deref()).await?;
        let digest = hold.hold.digest.context("a hold is found by its digest")?;
        let sign = |path: &PathBuf| {
            let key = SigningKey::from_text(&session::secret(path)?)
                .with_context(|| format!("{} does not hold a private key", path.display()))?;
            anyhow::Ok(Signature::approve(digest, &key))
        };
        let signatures = self.keys.iter().map(sign).collect::<Result<Vec<_>>>()?;
        session.out.hint(&effect(&hold));
        session.confirm(&format!("Let cluster {} do this, once?", hold.cluster_name)).await?;
        let path = format!("/v1/holds/{}/approve", escaped(&digest.to_string()));
        // What was shown is what is approved.
        let body = Body { signatures, cluster: Some(hold.cluster.to_string()) };
        let approval: Approval = server.change(Method::POST, &path, Some(&body), Terms::default()).await?;
        session.out.line(&format!("hold/{} approved by {}", approval.hold, approval.approved_by))?;
        Ok(Exit::Ok)
    }
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
        let cluster = get::cluster(&server, &self.cluster.name).await?.cluster;
        let difference = difference(&cluster).ok_or_else(|| {
            Failure::new(Exit::Failed, format!("cluster {} needs no recovery", cluster.name))
                .next(format!("see `windlass describe cluster {}`", cluster.name))
        })?;
        session.out.hint(&difference);
        session.confirm(&format!("Let cluster {} go on?", cluster.name)).await?;
        let path = format!("/v1/clusters/{}/recover", escaped(cluster.id.as_str()));
        let _answer: Value = server.change(Method::POST, &path, None::<&()>, Terms::default()).await?;
        session.out.line(&format!("cluster/{} recovered", cluster.name))?;
        Ok(Exit::Ok)
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
