//! `windlass delete`: takes things away, and says before what that does to the clusters.

use anyhow::Result;
use api::routes::clusters::Cluster;
use api::routes::removals::{NewRemoval, Removal};
use api::routes::services::{Deleted, Service};
use cdn::ServiceName;
use cdn::document::RemovalMode;
use clap::{Args, Subcommand, ValueEnum};
use program::http::Method;
use program::progress::count;
use serde_json::Value;

use crate::exit::Exit;
use crate::get::{self, nouns};
use crate::server::{Terms, escaped};
use crate::session::Session;
use crate::words::service_arg;

/// `windlass delete`.
#[derive(Debug, Subcommand)]
pub(crate) enum Delete {
    /// Take a service away from its clusters, or from one
    #[command(before_help = "Examples:
  windlass delete service default/web --mode delete --cluster site-1   # from one cluster, no target of it any more
  windlass delete service default/web --mode orphan                    # from all; its objects stay, no longer ours
  windlass delete service default/web --mode delete                    # from all, and it is forgotten")]
    Service(DeleteService),
    /// Forget a source; no service may use it any more
    #[command(before_help = "Examples:
  windlass delete source default/harbour")]
    Source(DeleteSource),
    /// Forget a cluster: its credential is useless at once, what it runs goes on running
    #[command(before_help = "Examples:
  windlass delete cluster site-4")]
    Cluster(DeleteCluster),
}

/// `windlass delete service`.
#[derive(Args, Debug)]
pub(crate) struct DeleteService {
    /// The service
    #[arg(value_name = "SERVICE", value_parser = service_arg)]
    service: ServiceName,
    /// What becomes of its objects in the clusters
    #[arg(long, value_name = "MODE")]
    mode: Mode,
    /// Only from this cluster, of which it is no target any more
    #[arg(long, value_name = "NAME")]
    cluster: Option<String>,
}

/// What becomes of a service's objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Mode {
    /// They are deleted, on the same proof as every prune; what was there before Windlass stays, no longer ours
    Delete,
    /// They stay, no longer ours
    Orphan,
}

/// `windlass delete source`.
#[derive(Args, Debug)]
pub(crate) struct DeleteSource {
    /// The source: project/name, or name in the project `default`
    #[arg(value_name = "SOURCE", value_parser = service_arg)]
    source: ServiceName,
}

/// `windlass delete cluster`.
#[derive(Args, Debug)]
pub(crate) struct DeleteCluster {
    /// Its name or id
    #[arg(value_name = "NAME")]
    name: String,
}

impl Delete {
    /// Does it.
    pub(crate) async fn run(self, session: &Session) -> Result<Exit> {
        match self {
            Self::Service(service) => match service.cluster.clone() {
                Some(cluster) => service.of_one(session, &cluster).await,
                None => service.whole(session).await,
            },
            Self::Source(source) => source.run(session).await,
            Self::Cluster(cluster) => cluster.run(session).await,
        }
    }
}

impl DeleteService {
    fn effect(&self) -> &'static str {
        match self.mode {
            Mode::Delete => {
                "its objects are deleted there, each on the same proof as every prune; what was there before Windlass \
                 stays as it is, no longer ours"
            }
            Mode::Orphan => "its objects stay there as they are, no longer ours and no longer repaired",
        }
    }

    fn word(&self) -> &'static str {
        match self.mode {
            Mode::Delete => "delete",
            Mode::Orphan => "orphan",
        }
    }

    async fn whole(self, session: &Session) -> Result<Exit> {
        let server = session.server()?;
        let name = &self.service;
        let read: crate::server::Read<Service> = server.read(&format!("/v1/services/{name}")).await?;
        let running: u64 = read.body.health.values().sum();
        session.out.hint(&format!(
            "{name} ({}) goes to: {}\nReported by {}; {}.",
            crate::words::word(&read.body.kind),
            nouns::targets(&read.body),
            count(running, "cluster"),
            self.effect()
        ));
        session.confirm(&format!("Delete service {name} from the fleet?")).await?;
        let path = format!("/v1/services/{name}?mode={}", self.word());
        let terms = Terms { if_match: read.etag.as_deref(), idempotency_key: None };
        let deleted: Deleted = server.change(Method::DELETE, &path, None::<&()>, terms).await?;
        session
            .out
            .line(&format!("service/{name} deleted, told to {}", count(deleted.removals, "cluster")))?;
        session.out.hint("see how far they are with `windlass get removals`");
        Ok(Exit::Ok)
    }

    async fn of_one(self, session: &Session, cluster: &str) -> Result<Exit> {
        let server = session.server()?;
        let cluster: Cluster = get::cluster(&server, cluster).await?.cluster;
        let name = &self.service;
        session.out.hint(&format!("{name} at {}: {}.", cluster.name, self.effect()));
        session.confirm(&format!("Take service {name} away from cluster {}?", cluster.name)).await?;
        let mode = match self.mode {
            Mode::Delete => RemovalMode::Delete,
            Mode::Orphan => RemovalMode::Orphan,
        };
        let new = NewRemoval { cluster: cluster.id.to_string(), service: name.clone(), mode };
        let removal: Removal = server.create("/v1/removals", &new).await?;
        session.out.line(&format!("removal/{} created: {name} at {}", removal.id, removal.cluster_name))?;
        Ok(Exit::Ok)
    }
}

impl DeleteSource {
    async fn run(self, session: &Session) -> Result<Exit> {
        let server = session.server()?;
        session.confirm(&format!("Forget source {}?", self.source)).await?;
        let path = format!("/v1/sources/{}", self.source);
        let _answer: Value = server.change(Method::DELETE, &path, None::<&()>, Terms::default()).await?;
        session.out.line(&format!("source/{} deleted", self.source))?;
        Ok(Exit::Ok)
    }
}

impl DeleteCluster {
    async fn run(self, session: &Session) -> Result<Exit> {
        let server = session.server()?;
        let cluster = get::cluster(&server, &self.name).await?.cluster;
        session.out.hint(&format!(
            "{} ({}) runs {}. What it runs stays there, no longer repaired from here; to take it away, \
             delete its services first.",
            cluster.name,
            cluster.id,
            count(cluster.services, "service")
        ));
        session.confirm(&format!("Forget cluster {}? Its agent has to join anew.", cluster.name)).await?;
        let path = format!("/v1/clusters/{}", escaped(cluster.id.as_str()));
        let _answer: Value = server.change(Method::DELETE, &path, None::<&()>, Terms::default()).await?;
        session.out.line(&format!("cluster/{} deleted", cluster.name))?;
        Ok(Exit::Ok)
    }
}
