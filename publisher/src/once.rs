//! Publishing one service once, for CI and for a person: the same code as the daemon's, the description from the api or
//! from the command line.

use std::path::{Component, Path};

use anyhow::{Context, bail};
use cdn::ServiceName;
use cdn::wire::{DirectorySource, GitSource, Newest, Source, WantedService};
use program::progress::Progress;

use crate::publish::Published;
use crate::publisher::Publisher;
use crate::renderer::RendererArgs;

/// Which service, and - unless the api is to say it - where it comes from.
#[derive(Clone, Debug, clap::Args)]
pub struct OnceArgs {
    /// The service: project/name
    #[arg(value_name = "SERVICE")]
    pub service: ServiceName,
    /// Git repository; without it and --from-directory, the api describes the service
    #[arg(long = "from-git", value_name = "URL", conflicts_with = "from_directory")]
    pub from_git: Option<String>,
    /// Folder of this machine
    #[arg(long, value_name = "FOLDER")]
    pub from_directory: Option<String>,
    /// Branch, tag or full commit id
    #[arg(long = "ref", value_name = "REF", default_value = "main")]
    pub reference: String,
    /// Folder within the source
    #[arg(long, value_name = "FOLDER", default_value = "")]
    pub path: String,
    /// Namespace of objects that name none; the service's name unless said
    #[arg(long, value_name = "NAMESPACE")]
    pub namespace: Option<String>,
    /// What makes manifests of the folder.
    #[command(flatten)]
    pub renderer: RendererArgs,
}

impl OnceArgs {
    /// The description on the command line, if there is one.
    pub fn described(&self) -> Option<WantedService> {
        let source = match (&self.from_git, &self.from_directory) {
            (Some(url), _) => Source::Git(GitSource { url: url.clone(), reference: self.reference.clone() }),
            (None, Some(path)) => Source::Directory(DirectorySource { path: in_full(path) }),
            (None, None) => return None,
        };
        let namespace = self.namespace.clone().unwrap_or_else(|| self.service.name().to_owned());
        Some(WantedService {
            name: self.service.clone(),
            source,
            path: self.path.clone(),
            namespace,
            renderer: self.renderer.renderer().unwrap_or_default(),
            newest: Newest::Unsaid,
        })
    }
}

/// A folder as descriptions name it, in full; a person need not. Where it climbs, it is the folder that this leads to.
fn in_full(path: &str) -> String {
    let climbs = Path::new(path).components().any(|part| part == Component::ParentDir);
    let full = if climbs { std::fs::canonicalize(path) } else { std::path::absolute(path) };
    full.map_or_else(|_| path.to_owned(), |path| path.display().to_string())
}

impl Publisher {
    /// Publishes one service, described on the command line or else by the api.
    pub async fn once(&self, args: &OnceArgs, progress: &dyn Progress) -> anyhow::Result<Published> {
        let wanted = match args.described() {
            Some(wanted) => wanted,
            None => self.described_by_api(&args.service).await?,
        };
        let service = &wanted.name;
        self.publish(&wanted, progress).await.with_context(|| format!("publish {service}"))
    }

    async fn described_by_api(&self, service: &ServiceName) -> anyhow::Result<WantedService> {
        let Some(api) = &self.api else {
            bail!("nothing says where {service} comes from; give --from-git or --from-directory, or --api");
        };
        let list = api.wanted(None).await?.context("the api lists nothing")?;
        let mut services = list.wanted.services.into_iter();
        services
            .find(|wanted| wanted.name == *service)
            .with_context(|| format!("the api does not want {service}; apply its description first"))
    }
}
