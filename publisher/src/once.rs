//! Publishing one service once, for CI and for a person: the same code as the daemon's, the description from the api or
//! from the command line.

use std::path::{Component, Path};

use cdn::ServiceName;
use cdn::wire::{Described, DirectorySource, GitSource, Newest, Source, WantedService};
use program::progress::Progress;

use crate::api::ApiError;
use crate::publish::{PublishError, Published, status};
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
            asked: None,
        })
    }
}

/// A folder as descriptions name it, in full; a person need not. Where it climbs, it is the folder that this leads to.
fn in_full(path: &str) -> String {
    let climbs = Path::new(path).components().any(|part| part == Component::ParentDir);
    let full = if climbs { std::fs::canonicalize(path) } else { std::path::absolute(path) };
    full.map_or_else(|_| path.to_owned(), |path| path.display().to_string())
}

/// Why a service was not published.
#[derive(Debug, thiserror::Error)]
pub enum OnceError {
    /// Neither the command line nor an api describes it.
    #[error("nothing says where {0} comes from; give --from-git or --from-directory, or --api")]
    Undescribed(ServiceName),
    /// The api lists other services.
    #[error("the api does not want {0}; apply its description first")]
    NotWanted(ServiceName),
    /// The api did not give its list.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// It was not rendered, or not released.
    #[error("publish {service}")]
    Publish {
        /// Which service.
        service: ServiceName,
        /// Why.
        #[source]
        why: PublishError,
    },
}

impl Publisher {
    /// Publishes one service, described on the command line or else by the api.
    pub async fn once(&self, args: &OnceArgs, progress: &dyn Progress) -> Result<Published, OnceError> {
        let wanted = match args.described() {
            Some(wanted) => wanted,
            None => self.described_by_api(&args.service).await?,
        };
        let published = self.publish(&wanted, progress).await;
        if wanted.asked.is_some() {
            // Who waits for the api's own description to be looked at learns that it was, without a daemon too.
            self.tell_anew(&wanted.name).await;
            self.tell(status(&wanted.name, wanted.asked, None, &published)).await;
        }
        published.map_err(|why| OnceError::Publish { service: wanted.name, why })
    }

    async fn described_by_api(&self, service: &ServiceName) -> Result<WantedService, OnceError> {
        let api = self.api.as_ref().ok_or_else(|| OnceError::Undescribed(service.clone()))?;
        let wanted = api.wanted(None).await?.map(|list| list.wanted).unwrap_or_default();
        for described in wanted.services {
            match described {
                Described::Known(wanted) if wanted.name == *service => return Ok(wanted),
                Described::Unknown(unknown) if unknown.service().as_ref() == Some(service) => {
                    let why = PublishError::Unknown { why: unknown.why };
                    return Err(OnceError::Publish { service: service.clone(), why });
                }
                Described::Known(_) | Described::Unknown(_) => {}
            }
        }
        Err(OnceError::NotWanted(service.clone()))
    }
}
