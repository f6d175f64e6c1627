//! A whole fleet of separate processes, set up as an operator sets it up.

mod start;
mod watch;

use std::fs;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tempfile::TempDir;
use testbed::{Cluster, Postgres, Process, S3, free_port};

use crate::content::Content;
use crate::operator::Operator;
use crate::programs::Programs;
use crate::site::{Site, SiteOptions};
use crate::target::Target;
use crate::wire::Wire;

/// A fleet: its keys, api, publisher, content, and the operator.
#[derive(Debug)]
pub struct Rig {
    /// Whoever runs `windlass`.
    pub operator: Operator,
    /// The control plane.
    pub api: Process,
    /// From sources to bundles.
    pub publisher: Process,
    /// In front of the api: what agents, the publisher and the operator say to it.
    pub wire: Wire,
    /// In front of what serves the content: where agents are told to fetch.
    pub edge: Wire,
    /// The store and what serves it.
    pub content: Content,
    /// Where the api keeps its state.
    pub database: Database,
    programs: &'static Programs,
    cluster: Option<Part<Cluster>>,
    names: AtomicU32,
    /// The name and the log of each agent so far.
    agents: Mutex<Vec<(String, PathBuf)>>,
    observe: String,
    folder: TempDir,
}

/// Where the api keeps its state.
#[derive(Debug)]
pub enum Database {
    /// A server.
    Postgres(Part<Postgres>),
    /// A file.
    Sqlite(PathBuf),
}

/// A part that other tests use as well, or one of this fleet alone, which it may break.
#[derive(Debug)]
pub enum Part<T: 'static> {
    /// Of all tests.
    Shared(&'static T),
    /// Of this fleet, and of those it is lent to.
    Own(Arc<T>),
}

impl<T> Clone for Part<T> {
    fn clone(&self) -> Self {
        match self {
            Self::Shared(part) => Self::Shared(part),
            Self::Own(part) => Self::Own(Arc::clone(part)),
        }
    }
}

impl<T> Part<T> {
    /// One's own.
    pub fn own(part: T) -> Self {
        Self::Own(Arc::new(part))
    }

    /// To break it; an error where others use it too.
    pub fn alone(&mut self) -> Result<&mut T> {
        match self {
            Self::Own(part) => Arc::get_mut(part).context("this part is lent to somebody"),
            Self::Shared(_) => bail!("this part is shared by all tests: take one of your own"),
        }
    }
}

impl<T> Deref for Part<T> {
    type Target = T;

    fn deref(&self) -> &T {
        match self {
            Self::Shared(part) => part,
            Self::Own(part) => part,
        }
    }
}

impl Rig {
    /// SeaweedFS, nginx, PostgreSQL, and sites in a real cluster with its controllers.
    pub async fn full() -> Result<Self> {
        let (s3, postgres) = tokio::try_join!(S3::shared(), Postgres::shared())?;
        Self::on((Part::Shared(s3), Part::Shared(postgres))).await
    }

    /// The same with an S3 server and a database of its own, to break.
    pub async fn full_alone() -> Result<Self> {
        let (s3, postgres) = tokio::try_join!(S3::start(), Postgres::start())?;
        Self::on((Part::own(s3), Part::own(postgres))).await
    }

    /// A folder behind windlass-mirror, SQLite, and sites that are folders.
    pub async fn embedded() -> Result<Self> {
        let programs = Programs::built().await?;
        let folder = start::folder()?;
        let content = Content::folder(programs, folder.path().join("store")).await?;
        let database = Database::Sqlite(folder.path().join("windlass.db"));
        start::Parts { programs, folder, content, database, cluster: None }.start().await
    }

    /// The same with sites in a cluster of the caller's.
    pub async fn in_cluster(cluster: Part<Cluster>) -> Result<Self> {
        let mut rig = Box::pin(Self::embedded()).await?;
        rig.cluster = Some(cluster);
        Ok(rig)
    }

    async fn on((s3, postgres): (Part<S3>, Part<Postgres>)) -> Result<Self> {
        let (programs, cluster) = tokio::try_join!(Programs::built(), Cluster::shared_with_controllers())?;
        let folder = start::folder()?;
        let content = Content::bucket(s3, folder.path()).await?;
        let database = Database::Postgres(postgres);
        start::Parts { programs, folder, content, database, cluster: Some(Part::Shared(cluster)) }
            .start()
            .await
    }

    /// A site that joins with a new token: an agent, and a target of its own.
    pub async fn site(&self, name: &str) -> Result<Site> {
        self.site_with(name, SiteOptions::default()).await
    }

    /// The same with settings of its own.
    pub async fn site_with(&self, name: &str, options: SiteOptions) -> Result<Site> {
        let token = self.path(&format!("{name}.join"));
        let mut words = vec!["join-token", "create", "--approve", "-o", "name"];
        words.extend(options.labels.iter().flat_map(|label| ["--label", label]));
        let said = self.operator.runs(&words).await?;
        fs::write(&token, said).context("write the join token")?;
        crate::content::private(&token)?;
        let target = match (&options.folder, &self.cluster) {
            (Some(folder), _) => Target::Directory(folder.clone()),
            (None, Some(cluster)) => Target::Kubernetes(cluster.clone()),
            (None, None) => Target::Directory(self.path(&format!("site-{name}"))),
        };
        let site = Site::start(self, name, (token, target), options).await?;
        self.remember(&site);
        Ok(site)
    }

    /// An agent on a copy of a site's state, with another folder as its target.
    pub async fn copy_of(&self, site: &Site, state: &Path, folder: &Path) -> Result<Site> {
        let options = SiteOptions { state: Some(state.to_owned()), ..SiteOptions::default() };
        let token = self.path(&format!("{}.join", site.name));
        let target = Target::Directory(folder.to_owned());
        let copy = Site::start(self, &site.name, (token, target), options).await?;
        self.remember(&copy);
        Ok(copy)
    }

    fn remember(&self, site: &Site) {
        let log = site.agent.folder().join("windlass-agent.log");
        self.agents.lock().unwrap_or_else(PoisonError::into_inner).push((site.name.clone(), log));
    }

    /// A second publisher, with a credential and a cache of its own.
    pub async fn another_publisher(&self, name: &str) -> Result<Process> {
        start::publisher(self, name).await
    }

    /// Ends the database as a power cut would.
    pub async fn kill_database(&mut self) -> Result<()> {
        match &mut self.database {
            Database::Postgres(server) => server.alone()?.kill().await,
            Database::Sqlite(_) => bail!("SQLite lives in the api"),
        }
    }

    /// Starts it again, on the same data.
    pub async fn start_database(&mut self) -> Result<()> {
        match &mut self.database {
            Database::Postgres(server) => server.alone()?.start_again().await,
            Database::Sqlite(_) => bail!("SQLite lives in the api"),
        }
    }

    /// A namespace for a service, made where there is a cluster.
    pub async fn namespace(&self, prefix: &str) -> Result<String> {
        match &self.cluster {
            Some(cluster) => cluster.create_namespace(prefix).await,
            None => Ok(format!("{prefix}-{}", self.names.fetch_add(1, Ordering::Relaxed))),
        }
    }

    /// What the publisher may render: anything of this machine, and these Secrets in plain. Takes effect by a restart.
    pub async fn allow_plain_secrets(&mut self, secrets: &[&str]) -> Result<()> {
        self.publisher.stop().await?;
        start::write_allow_list(self.folder.path(), secrets)?;
        self.publisher.start_again().await
    }

    /// Everything goes dark: api, publisher, store, CDN, and every wire to them.
    pub async fn black_out(&mut self) -> Result<()> {
        self.wire.cut().await;
        self.edge.cut().await;
        self.publisher.kill().await?;
        self.api.kill().await?;
        self.content.kill().await
    }

    /// Everything comes back.
    pub async fn light_up(&mut self) -> Result<()> {
        self.content.start_again().await?;
        self.edge.mend().await?;
        self.api.start_again().await?;
        self.wire.mend().await?;
        self.publisher.start_again().await
    }

    /// The folder of keys, as `keys init` made it.
    pub fn keys(&self) -> PathBuf {
        self.path("keys")
    }

    /// A file of this fleet's folder, which is also the operator's home.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn programs(&self) -> &'static Programs {
        self.programs
    }

    /// One of the api's metrics, summed over its labels.
    pub async fn metric(&self, name: &str) -> Result<f64> {
        metric(&self.observe, name).await
    }

    /// The status that the api's `/readyz` answers with.
    pub async fn readiness(&self) -> Result<u16> {
        watch::status(&self.observe, "/readyz").await
    }
}

/// An address of this machine that nobody else listens on.
pub(crate) fn address() -> Result<String> {
    Ok(format!("127.0.0.1:{}", free_port()?))
}

/// Enough on a machine where several fleets start at once.
pub(crate) const PATIENCE: Duration = Duration::from_mins(2);

pub(crate) use watch::metric;

fn text(path: &Path) -> Result<String> {
    path.to_str().map(str::to_owned).context("a temporary path is text")
}
