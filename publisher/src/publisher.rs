//! `Publisher`: the store, the keys, the allow list and the programs, opened once for the daemon, for CI and for a person.

use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use anyhow::Context;
use cdn::Secret;
use cdn::wire::{Source, Wanted, WantedService};
use store::Store;

use crate::allow::AllowFile;
use crate::api::Api;
use crate::memory::Memory;
use crate::public::PublicOrigin;
use crate::refusals::Refusals;
use crate::release::Releases;
use crate::render::Workshop;
use crate::settings::Settings;
use crate::source::Repository;
use crate::trust::{self, TrustError};

/// Everything that publishing needs.
#[derive(Debug)]
pub struct Publisher {
    pub(crate) workshop: Workshop,
    pub(crate) allow: AllowFile,
    releases: RwLock<Arc<Releases>>,
    release_keys: Vec<PathBuf>,
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
        let releases = RwLock::new(Arc::new(Releases::new(store, roots, keys).read_by(public)));
        Ok(Self {
            workshop,
            allow,
            releases,
            release_keys: settings.release_key.clone(),
            api,
            memory: Memory::new(&settings.cache),
            refusals: Refusals::default(),
        })
    }

    /// Gives up what it holds of the store for itself alone.
    pub async fn close(&self) {
        self.releases().store().close().await;
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

    /// The store, and what is signed by now. Who has begun with it ends with it: nobody waits for a new root, and no new
    /// root for anybody.
    pub(crate) fn releases(&self) -> Arc<Releases> {
        Arc::clone(&self.releases.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes the newest root that the store holds.
    pub async fn follow_roots(&self) -> Result<(), TrustError> {
        let releases = self.releases();
        let roots = trust::follow_roots(releases.roots().clone(), releases.store()).await?;
        if roots.newest().version() > releases.trust().version() {
            tracing::info!(root = roots.newest().version(), "a new root counts");
            self.renew(releases.by(roots));
        }
        Ok(())
    }

    /// Reads the release keys again: they are changed by writing others into their files.
    pub(crate) async fn look_at_keys(&self) -> Result<(), TrustError> {
        let files = self.release_keys.clone();
        // They may lie on a disk that is slow to answer.
        let read = tokio::task::spawn_blocking(move || trust::read_keys(&files)).await;
        // Broken off with the program.
        let Ok(read) = read else { return Ok(()) };
        let (keys, releases) = (read?, self.releases());
        if let Some(renewed) = releases.with_keys(keys) {
            tracing::info!(keys = ?renewed.key_ids(), "the release keys have changed");
            self.renew(renewed);
        }
        Ok(())
    }

    fn renew(&self, releases: Releases) {
        *self.releases.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(releases);
    }
}
