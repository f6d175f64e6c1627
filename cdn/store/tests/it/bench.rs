//! A place for one test: a fresh folder, or a fresh prefix in a bucket of the shared S3 server.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use aws_sdk_s3::Client;
use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_s3::primitives::ByteStream;
use bytes::Bytes;
use cdn::{Digest, Key};
use store::{Location, Store, StoreArgs, StoreError, SwapError, Version};
use tempfile::TempDir;

pub(crate) struct Bench {
    pub(crate) args: StoreArgs,
    pub(crate) folder: TempDir,
}

impl Bench {
    pub(crate) fn directory() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let args = StoreArgs::at(Location::Directory(folder.path().join("store")));
        Self { args, folder }
    }

    pub(crate) async fn s3() -> Self {
        // One bucket for all: each new one takes its own volumes of the server's disk.
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let s3 = testbed::S3::shared().await.unwrap();
        let prefix = format!("fleet-{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let folder = tempfile::tempdir().unwrap();
        let file = credentials(folder.path(), &s3.access_key, &s3.secret_key);
        let args = StoreArgs {
            s3_endpoint: Some(s3.endpoint.clone()),
            s3_region: Some(s3.region.clone()),
            s3_credentials_file: Some(file),
            ..StoreArgs::at(format!("s3://{}/{prefix}", s3.bucket).parse().unwrap())
        };
        Self { args, folder }
    }

    pub(crate) async fn open(&self) -> Store {
        Store::open(&self.args).await.unwrap()
    }

    /// The same place behind another address.
    pub(crate) fn through(&self, endpoint: String) -> StoreArgs {
        StoreArgs { s3_endpoint: Some(endpoint), ..self.args.clone() }
    }

    /// Puts bytes there behind the store's back, as an attacker or a broken disk would.
    pub(crate) async fn tamper(&self, key: &Key, bytes: &[u8]) {
        match &self.args.store {
            Location::Directory(root) => std::fs::write(root.join(key.path()), bytes).unwrap(),
            Location::S3 { bucket, prefix } => {
                let put = client(&self.args).await.put_object().bucket(bucket);
                let put = put.key(format!("{prefix}/{}", key.path())).body(ByteStream::from(bytes.to_vec()));
                put.send().await.unwrap();
            }
        }
    }
}

/// A client without any of our own rules.
async fn client(args: &StoreArgs) -> Client {
    program::install_crypto();
    let s3 = testbed::S3::shared().await.unwrap();
    let http = aws_smithy_http_client::Builder::new().build_http();
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .endpoint_url(args.s3_endpoint.clone().unwrap())
        .region(Region::new(s3.region.clone()))
        .credentials_provider(Credentials::new(&s3.access_key, &s3.secret_key, None, None, "test"))
        .http_client(http)
        .force_path_style(true);
    Client::from_conf(config.build())
}

pub(crate) fn credentials(folder: &Path, id: &str, secret: &str) -> PathBuf {
    let path = folder.join("credentials");
    let mut file = std::fs::File::create(&path).unwrap();
    writeln!(file, "[default]\naws_access_key_id = {id}\naws_secret_access_key = {secret}").unwrap();
    path
}

pub(crate) fn object(text: &str) -> (Key, Bytes) {
    (Key::Object(Digest::of(text.as_bytes())), Bytes::from(text.to_owned()))
}

pub(crate) fn head(name: &str) -> Key {
    Key::Head(format!("default/{name}").parse().unwrap())
}

pub(crate) async fn text_at(store: &Store, key: &Key) -> Option<String> {
    store.get(key).await.unwrap().map(|found| String::from_utf8(found.bytes.to_vec()).unwrap())
}

/// Moves a key from whatever lies there, until it worked; tells how often another was first.
pub(crate) async fn move_to(store: &Store, key: &Key, text: String) -> usize {
    let mut seen = store.get(key).await.unwrap().map(|found| found.version);
    for conflicts in 0.. {
        match store.swap(key, text.clone(), seen.as_ref()).await {
            Ok(_) => return conflicts,
            Err(SwapError::Conflict(found)) => seen = found.map(|found| found.version),
            Err(SwapError::Store(error)) => panic!("{error}"),
        }
    }
    unreachable!("a swap goes on until it worked")
}

pub(crate) fn conflict(swapped: Result<Version, SwapError>) -> Option<String> {
    match swapped {
        Err(SwapError::Conflict(found)) => {
            found.map(|found| String::from_utf8(found.bytes.to_vec()).unwrap())
        }
        Err(SwapError::Store(error)) => panic!("{error}"),
        Ok(version) => panic!("swapped to {version:?}"),
    }
}

/// Why it failed; the text names the store and the key.
pub(crate) fn cause<T: std::fmt::Debug>(
    done: Result<T, StoreError>,
    store: &Store,
    key: &Key,
) -> store::Cause {
    let error = done.unwrap_err();
    let text = error.to_string();
    assert!(text.starts_with(&format!("{store}: {key}: ")), "{text}");
    error.cause
}
