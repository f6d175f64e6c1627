//! A service of three objects, small enough to say what becomes of each of them.

use anyhow::Result;
use e2e::{Id, Repository, Rig, Service, Site};

/// A service, its repository and its objects.
pub(crate) struct Small {
    pub(crate) repository: Repository,
    pub(crate) service: Service,
    pub(crate) web: Id,
    pub(crate) settings: Id,
    pub(crate) notice: Id,
}

/// Where the image's tag stands in the Deployment.
pub(crate) const IMAGE: &str = "/spec/template/spec/containers/0/image";
/// Where the greeting stands in the settings.
pub(crate) const GREETING: &str = "/data/greeting";

const WEB: &str = "apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
        - {name: web, image: 'registry.example.com/web:1.0.0'}
";
const SETTINGS: &str = "# What the page says.
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {greeting: ahoy}
";
const NOTICE: &str = "apiVersion: v1
kind: ConfigMap
metadata: {name: notice}
data: {text: the lock is closed on Mondays}
";

impl Small {
    /// A repository with the manifests, and the service at these sites; not assigned yet.
    pub(crate) async fn new(rig: &Rig, name: &str, sites: &[&str]) -> Result<Self> {
        let repository = Repository::new().await?;
        repository.write("web/web.yaml", WEB)?;
        repository.write("web/settings.yaml", SETTINGS)?;
        repository.write("web/notice.yaml", NOTICE)?;
        repository.commit("A first version").await?;
        let namespace = rig.namespace(name).await?;
        let service = Service::new(name, &repository, "web", &namespace);
        let service = sites.iter().fold(service, |service, site| service.at(site));
        Ok(Self {
            repository,
            service,
            web: Id::new("Deployment", &namespace, "web"),
            settings: Id::new("ConfigMap", &namespace, "settings"),
            notice: Id::new("ConfigMap", &namespace, "notice"),
        })
    }

    /// The same, assigned, published and rolled out; returns the release too.
    pub(crate) async fn running(rig: &Rig, name: &str, sites: &[&str]) -> Result<(Self, String)> {
        let small = Self::new(rig, name, sites).await?;
        rig.assign(&small.service).await?;
        let release = small.rolled_out(rig).await?;
        Ok((small, release))
    }

    /// Waits until the repository's newest commit is published and runs everywhere; returns the release.
    pub(crate) async fn rolled_out(&self, rig: &Rig) -> Result<String> {
        let release = rig.published(&self.service, &self.repository.head().await?).await?;
        rig.rolled_out(&self.service).await?;
        Ok(release)
    }

    /// Commits another greeting; returns the commit.
    pub(crate) async fn greet(&self, greeting: &str) -> Result<String> {
        let text = SETTINGS.replace("ahoy", greeting);
        self.repository.write("web/settings.yaml", &text)?;
        self.repository.commit(&format!("Say {greeting}")).await
    }

    /// Writes the notice, as it was in the first version.
    pub(crate) fn post_the_notice(&self) -> Result<()> {
        self.repository.write("web/notice.yaml", NOTICE)
    }

    /// Writes an object with this many bytes that do not compress.
    pub(crate) fn post_noise(&self, bytes: usize) -> Result<()> {
        let digits = |_| cdn::Digest::from_bytes(cdn::secret::random()).hex();
        let noise: String = (0..bytes.div_ceil(32)).map(digits).collect();
        let head = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: noise}\n";
        self.repository.write("web/noise.yaml", &format!("{head}data: {{noise: '{noise}'}}\n"))
    }

    /// Waits until the site has this greeting.
    pub(crate) async fn greets(&self, rig: &Rig, site: &Site, greeting: &str) -> Result<()> {
        rig.until(&format!("{} says {greeting}", site.name), async || {
            site.target.has(&self.settings, GREETING, greeting).await
        })
        .await
    }
}
