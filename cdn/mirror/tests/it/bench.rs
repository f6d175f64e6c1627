//! A mirror of a folder of its own, and clients for it.

use std::fs;
use std::path::Path;
use std::time::Duration;

use cdn::{Digest, Key};
use mirror::{Limits, Mirror, MirrorSettings, Served};
use reqwest::{Client, RequestBuilder};
use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

pub(crate) const LARGE: u64 = 60 << 20;

pub(crate) struct Bench {
    folder: TempDir,
    pub(crate) url: String,
    pub(crate) served: Served,
    pub(crate) stop: CancellationToken,
    pub(crate) task: JoinSet<()>,
}

impl Bench {
    pub(crate) async fn start() -> Self {
        Self::with(|_| {}).await
    }

    pub(crate) async fn limited(limits: Limits) -> Self {
        Self::with(|settings| settings.limits = limits).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut MirrorSettings)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut settings = MirrorSettings::new(folder.path());
        change(&mut settings);
        let mirror = Mirror::bind("127.0.0.1:0".parse().unwrap(), &settings).await.unwrap();
        let (url, served, stop) = (mirror.url(), mirror.served(), CancellationToken::new());
        let mut task = JoinSet::new();
        task.spawn(mirror.serve(stop.clone()));
        Self { folder, url, served, stop, task }
    }

    pub(crate) fn address(&self) -> &str {
        self.url.split("://").nth(1).unwrap()
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn lay(&self, key: &Key, bytes: &[u8]) {
        let path = self.path().join(key.path());
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    pub(crate) fn object(&self, bytes: &[u8]) -> Key {
        let key = Key::Object(Digest::of(bytes));
        self.lay(&key, bytes);
        key
    }

    /// Sixty megabytes of nothing, which cost neither memory nor disk.
    pub(crate) fn large(&self) -> Key {
        let key = self.object(b"large");
        fs::File::options().write(true).open(self.path().join(key.path())).unwrap().set_len(LARGE).unwrap();
        key
    }

    pub(crate) fn get(&self, client: &Client, key: &Key) -> RequestBuilder {
        client.get(format!("{}{key}", self.url))
    }

    pub(crate) async fn stopped(&mut self) {
        self.stop.cancel();
        while self.task.join_next().await.is_some() {}
    }
}

/// A client that speaks HTTP/1.1, and one that speaks HTTP/2 from the first byte.
pub(crate) fn clients() -> [Client; 2] {
    program::install_crypto();
    let builder = || Client::builder().timeout(Duration::from_secs(20)).tls_certs_only([]);
    [builder().http1_only().build().unwrap(), builder().http2_prior_knowledge().build().unwrap()]
}

/// Waits for a condition, at most ten seconds.
pub(crate) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..1_000 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{what}: not within ten seconds");
}
