//! `Publisher`: the store, the keys, the allow list and the programs, opened once for the daemon, for CI and for a person.

use anyhow::Context;
use cdn::Secret;
use cdn::wire::{Source, Wanted, WantedService};
use store::Store;
use tokio::sync::RwLock;

use crate::allow::AllowFile;
use crate::api::Api;
use crate::memory::Memory;
use crate::public::PublicOrigin;
use crate::refusals::Refusals;
use crate::release::Releases;
use crate::render::Workshop;
use crate::settings::Settings;
use crate::source::Repository;
use crate::trust;

/// Everything that publishing needs.
#[derive(Debug)]
pub struct Publisher {
    pub(crate) workshop: Workshop,
    pub(crate) allow: AllowFile,
    pub(crate) releases: RwLock<Releases>,
    pub(crate) api: Option<Api>,
    pub(crate) memory: Memory,
    pub(crate) refusals: Refusals,
}

impl Publisher {
    /// Opens the store, the keys, the allow list and the programs that the settings name.
    pub async fn open(settings: &Settings) -> anyhow::Result<Self> {
        let settings =
            &settings.clone().in_full().context("this process's own folder is gone; start it in another")?;
        let workshop = Workshop::open(settings.workshop()).await?;
        let allow = AllowFile::open(settings.allow.clone())?;
        let store = Store::open(&settings.store).await.context("open the store")?;
        let roots = trust::follow_roots(trust::read_roots(&settings.root)?, &store).await?;
        let keys = trust::read_keys(&settings.release_key)?;
        let client = settings.client()?;
        let public = settings.public_origin.as_ref().map(|url| PublicOrigin::new(client.clone(), url));
        let api = match (&settings.api, &settings.token_file) {
            (Some(url), Some(file)) => {
                let token = Secret::new(program::settings::read_secret(file)?);
                Some(Api::new(client, url, token))
            }
            (_, _) => None,
        };
        let releases = RwLock::new(Releases::new(store, roots, keys).read_by(public));
        Ok(Self {
            workshop,
            allow,
            releases,
            api,
            memory: Memory::new(&settings.cache),
            refusals: Refusals::default(),
        })
    }

    /// Gives up what it holds of the store for itself alone.
    pub async fn close(&self) {
        self.releases.read().await.store().close().await;
    }

    /// The api that says what is wanted, if there is one.
    pub fn api(&self) -> Option<&Api> {
        self.api.as_ref()
    }

    /// Clears the cache of what no wanted service names.
    pub(crate) async fn sweep(&self, wanted: &Wanted) {
        let repository = |wanted: &WantedService| match &wanted.source {
            Source::Git(git) => git.url.parse().ok(),
            Source::Directory(_) => None,
        };
        let named: Vec<Repository> = wanted.known().filter_map(repository).collect();
        self.workshop.sweep(&named).await;
        self.memory.sweep(wanted).await;
    }

    /// Takes the newest root that the store holds.
    pub async fn follow_roots(&self) -> Result<(), trust::TrustError> {
        let mut releases = self.releases.write().await;
        let roots = trust::follow_roots(releases.roots().clone(), releases.store()).await?;
        releases.renew(roots);
        Ok(())
    }
}
