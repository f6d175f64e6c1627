//! The writing side of the content plane: one [`Store`], in a folder or in a bucket, behaving alike.
//!
//! - [`Store::put`] puts what never changes: objects and roots. The same bytes again are no news.
//! - [`Store::swap`] moves what changes - heads, routes, desired documents - by compare-and-set: of two writers who
//!   saw the same [`Version`] exactly one wins, and the other is given what lies there now.
//! - [`Store::get`] reads one key. There is no listing, and nothing here deletes.
//!
//! What has been put is durable and whole: a reader, or a crash in between, sees the old content or the new one.
//! A folder's layout is that of [`cdn::Key::path`]; beside it lies `.windlass/` with locks, which no reader asks for.

mod args;
mod directory;
mod error;
mod s3;

use std::fmt;

use bytes::Bytes;
use cdn::Key;
use cdn::key::Change;

pub use args::{BadLocation, Location, StoreArgs};
pub use directory::Directory;
pub use error::{Cause, StoreError, SwapError};
pub use s3::S3;

/// A place to write to. Clones share connections and locks.
#[derive(Clone, Debug)]
pub enum Store {
    /// A folder of this machine.
    Directory(Directory),
    /// A bucket, or a prefix in one.
    S3(S3),
}

/// What a put did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    /// The bytes are there now, and were not before.
    New,
    /// The very same bytes were there already; they have been read back.
    AlreadyThere,
}

/// Which content lies at a key that changes: an opaque text, to be given back to [`Store::swap`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version(String);

/// What lies at a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The content.
    pub bytes: Bytes,
    /// Which content it is.
    pub version: Version,
}

impl Store {
    /// Opens the place that the settings name. A folder is made where it is missing, and what crashed writers left in
    /// it is cleared. A bucket is probed for conditional PUT: one that cannot keep two writers apart is used by one
    /// writer of each kind of document at a time, held by a lock object under `.windlass/` that says so.
    pub async fn open(args: &StoreArgs) -> Result<Self, StoreError> {
        match &args.store {
            Location::Directory(root) => Directory::open(root).await.map(Self::Directory),
            Location::S3 { bucket, prefix } => S3::open(bucket, prefix, args).await.map(Self::S3),
        }
    }

    /// Puts what never changes. The bytes of an object must be those that its key names: that is proved before
    /// anything is sent. Where an object's damaged bytes lie, the right ones replace them; where another root of the
    /// same number lies, it stays and [`Cause::Different`] is the answer.
    pub async fn put(&self, key: &Key, bytes: impl Into<Bytes>) -> Result<Put, StoreError> {
        let bytes = bytes.into();
        self.check(key, &bytes, Change::Never)?;
        match self {
            Self::Directory(directory) => directory.put(key, bytes).await,
            Self::S3(s3) => s3.put(key, bytes).await,
        }
    }

    /// What lies at a key; none where nothing does. Reads at most [`Key::max_bytes`]; an object is proved to be what
    /// its key names.
    pub async fn get(&self, key: &Key) -> Result<Option<Found>, StoreError> {
        let found = match self {
            Self::Directory(directory) => directory.get(key).await,
            Self::S3(s3) => s3.get(key).await,
        }?;
        if let Some(found) = &found {
            error::check_digest(key, &found.bytes).map_err(|got| self.fail(key, Cause::Damaged(got)))?;
        }
        Ok(found)
    }

    /// Moves what changes from `expected` (none: from nothing) to `bytes`, and tells the new version. Who comes second
    /// gets [`SwapError::Conflict`] with what lies there now. Bytes that lie there already are a success whatever was
    /// expected, so that a swap whose answer got lost can simply be tried again: two who write the same bytes both win.
    pub async fn swap(
        &self,
        key: &Key,
        bytes: impl Into<Bytes>,
        expected: Option<&Version>,
    ) -> Result<Version, SwapError> {
        let bytes = bytes.into();
        self.check(key, &bytes, Change::CompareAndSet)?;
        match self {
            Self::Directory(directory) => directory.swap(key, bytes, expected.cloned()).await,
            Self::S3(s3) => s3.swap(key, bytes, expected).await,
        }
    }

    /// Gives up what this process holds for itself alone. Without it, another writer of a bucket without conditional
    /// PUT waits until the lock has stood still for five minutes.
    pub async fn close(&self) {
        match self {
            Self::Directory(_) => {}
            Self::S3(s3) => s3.close().await,
        }
    }

    fn check(&self, key: &Key, bytes: &[u8], change: Change) -> Result<(), StoreError> {
        let cause = if key.change() != change {
            Some(Cause::WrongVerb(change))
        } else if bytes.len() as u64 > key.max_bytes() {
            Some(Cause::TooLarge { limit: key.max_bytes() })
        } else {
            error::check_digest(key, bytes).err().map(Cause::NotItsDigest)
        };
        cause.map_or(Ok(()), |cause| Err(self.fail(key, cause)))
    }

    fn fail(&self, key: &Key, cause: Cause) -> StoreError {
        StoreError { store: self.to_string(), place: key.to_string(), cause }
    }
}

/// The folder's path, or `s3://bucket/prefix` and the endpoint.
impl fmt::Display for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory(directory) => directory.fmt(f),
            Self::S3(s3) => s3.fmt(f),
        }
    }
}
