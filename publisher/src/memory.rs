//! What a publisher remembers between passes, and over a restart: enough to do nothing when nothing has changed. All of
//! it may be lost: then it looks again.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use cdn::wire::{PublishStatus, Wanted};
use cdn::{Digest, ServiceName};
use serde::{Deserialize, Serialize};

use crate::api::wanted_of;
use crate::render::RenderKey;
use crate::sweep;

const MAX_BYTES: u64 = 64 << 20;

/// What is remembered of one service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Remembered {
    /// What the bundle was made of.
    pub(crate) key: Option<RenderKey>,
    /// T.
    pub(crate) bundle: Option<Digest>,
    /// The last commit looked at.
    pub(crate) commit: String,
    /// The release that stood then.
    pub(crate) release: Option<Digest>,
    /// The root by which it counted: a later one may have dropped its key.
    #[serde(default)]
    pub(crate) root: u64,
    /// The release that the api knows, and which api that is.
    pub(crate) registered: Option<(String, Digest)>,
    /// What the api was told last.
    pub(crate) told: Option<PublishStatus>,
}

/// The folder where it lies.
#[derive(Clone, Debug)]
pub(crate) struct Memory {
    folder: PathBuf,
}

impl Memory {
    pub(crate) fn new(cache: &Path) -> Self {
        Self { folder: cache.join("services") }
    }

    /// What is remembered of a service; nothing if it cannot be read.
    pub(crate) async fn recall(&self, service: &ServiceName) -> Remembered {
        let file = self.file(service);
        let read = tokio::task::spawn_blocking(move || program::files::read_bounded(&file, MAX_BYTES)).await;
        let bytes = read.ok().and_then(Result::ok).unwrap_or_default();
        serde_json::from_slice(&bytes).unwrap_or_default()
    }

    /// Remembers it.
    pub(crate) async fn keep(&self, service: &ServiceName, remembered: &Remembered) {
        let bytes = cdn::json::canonical_of(remembered);
        self.write(self.file(service), bytes).await;
    }

    /// The list of wanted services that an api gave last.
    pub(crate) async fn wanted(&self) -> Option<Wanted> {
        let file = self.folder.join("wanted.json");
        let read = tokio::task::spawn_blocking(move || program::files::read_bounded(&file, MAX_BYTES)).await;
        wanted_of(&read.ok()?.ok()?).ok()
    }

    /// Keeps that list, so that an api which is away does not stop publishing.
    pub(crate) async fn keep_wanted(&self, body: Vec<u8>) {
        self.write(self.folder.join("wanted.json"), body).await;
    }

    /// Forgets services that are not wanted, of which nothing was written for a day.
    pub(crate) async fn sweep(&self, wanted: &Wanted) {
        let kept: BTreeSet<PathBuf> = wanted.names().map(|service| self.file(&service)).collect();
        let folder = self.folder.clone();
        let swept = tokio::task::spawn_blocking(move || {
            for project in std::fs::read_dir(folder).into_iter().flatten().flatten() {
                let project = project.path();
                for file in sweep::stale(&project, |path| kept.contains(path)) {
                    sweep::remove(&file);
                }
            }
        });
        if let Err(panic) = swept.await {
            tracing::error!(%panic, "sweeping the cache broke off; this is a fault of Windlass");
        }
    }

    fn file(&self, service: &ServiceName) -> PathBuf {
        self.folder.join(service.project().as_str()).join(format!("{}.json", service.name()))
    }

    async fn write(&self, file: PathBuf, bytes: Vec<u8>) {
        let shown = file.display().to_string();
        let written = tokio::task::spawn_blocking(move || {
            let parent = file.parent().ok_or(io::ErrorKind::InvalidInput)?;
            program::files::create_directory(parent, 0o700)?;
            program::files::write_atomic(&file, &bytes, 0o600)
        });
        match written.await.map_err(io::Error::other).and_then(|written| written) {
            Ok(()) => {}
            Err(error) => {
                tracing::warn!(file = shown, %error, "cannot remember; the next pass will look again");
            }
        }
    }
}
