//! A store in a bucket: conditional PUT with a sha256 that the server checks, and GET by exact key. No LIST, no HEAD;
//! the one DELETE is that of a lock of ours (`sole`).

mod connect;
mod failure;
mod probe;
mod sole;
mod wire;

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use cdn::Key;

use crate::error::check_digest;
use crate::{Cause, Found, Put, StoreArgs, StoreError, SwapError, Version};
use sole::Sole;
use wire::{Bucket, Condition, Sent};

/// How often a conditional PUT is sent anew when the server says that another one was under way (409).
const TURNS: usize = 5;

/// A bucket, or a prefix in one.
#[derive(Clone, Debug)]
pub struct S3 {
    bucket: Arc<Bucket>,
    /// None: the server itself keeps writers apart. Else: what keeps others away.
    sole: Option<Arc<Sole>>,
}

impl S3 {
    pub(crate) async fn open(bucket: &str, prefix: &str, args: &StoreArgs) -> Result<Self, StoreError> {
        let shown = match &args.s3_endpoint {
            Some(endpoint) => format!("{} at {}", args.store, connect::shown(endpoint)),
            None => args.store.to_string(),
        };
        let fail = |cause| StoreError { store: shown.clone(), place: "open".to_owned(), cause };
        let client = connect::client(args).await.map_err(fail)?;
        let bucket = Bucket::new(client, (bucket, prefix), shown.clone());
        let conditional = probe::conditional(&bucket).await.map_err(fail)?;
        if !conditional {
            tracing::warn!(
                store = shown,
                "this S3 server ignores conditional PUT: one writer at a time, held by a lock object"
            );
        }
        let bucket = Arc::new(bucket);
        let sole = (!conditional).then(|| Arc::new(Sole::new(Arc::clone(&bucket))));
        Ok(Self { bucket, sole })
    }

    pub(crate) async fn close(&self) {
        if let Some(sole) = &self.sole {
            sole.release().await;
        }
    }

    pub(crate) async fn put(&self, key: &Key, bytes: Bytes) -> Result<Put, StoreError> {
        self.put_new(key, bytes).await.map_err(|cause| self.fail(key, cause))
    }

    pub(crate) async fn get(&self, key: &Key) -> Result<Option<Found>, StoreError> {
        self.read(key).await.map_err(|cause| self.fail(key, cause))
    }

    pub(crate) async fn swap(
        &self,
        key: &Key,
        bytes: Bytes,
        expected: Option<&Version>,
    ) -> Result<Version, SwapError> {
        let fail = |cause| self.fail(key, cause);
        let Some(sole) = &self.sole else {
            let condition = match expected {
                Some(version) => Condition::IfMatch(version.0.clone()),
                None => Condition::IfNew,
            };
            return match self.write(key, &bytes, &condition).await.map_err(fail)? {
                Some(version) => Ok(version),
                None => self.outcome(key, &bytes).await,
            };
        };
        let turn = sole.turn(key).await.map_err(fail)?;
        let found = self.read(key).await.map_err(fail)?;
        if found.as_ref().map(|found| &found.version) != expected {
            return concluded(found, &bytes);
        }
        turn.still(connect::longest(bytes.len() as u64)).map_err(fail)?;
        let written = self.write(key, &bytes, &Condition::None).await.map_err(fail)?;
        written.ok_or_else(|| fail(Cause::Refused("a plain PUT was answered by 412".to_owned())).into())
    }

    async fn put_new(&self, key: &Key, bytes: Bytes) -> Result<Put, Cause> {
        if self.sole.is_none() && self.write(key, &bytes, &Condition::IfNew).await?.is_some() {
            return Ok(Put::New);
        }
        // Something is there (or the answer to our own PUT got lost): what, is read back, since readers will.
        let condition = match self.read(key).await {
            Ok(Some(found)) if found.bytes == bytes => return Ok(Put::AlreadyThere),
            Ok(Some(found)) if check_digest(key, &found.bytes).is_ok() => return Err(Cause::Different),
            Ok(Some(found)) => self.repair(key, Some(found.version)),
            Ok(None) => Condition::IfNew,
            Err(Cause::TooLarge { .. }) => self.repair(key, None),
            Err(cause) => return Err(cause),
        };
        let condition = if self.sole.is_some() { Condition::None } else { condition };
        match self.write(key, &bytes, &condition).await? {
            Some(_) => Ok(Put::New),
            None => Err(Cause::Busy("another writer changes the same key".to_owned())),
        }
    }

    fn repair(&self, key: &Key, damaged: Option<Version>) -> Condition {
        tracing::warn!(store = %self, %key, "a stored object was damaged; it is replaced by the right bytes");
        damaged.map_or(Condition::None, |version| Condition::IfMatch(version.0))
    }

    /// What a swap came to whose condition did not hold.
    async fn outcome(&self, key: &Key, bytes: &Bytes) -> Result<Version, SwapError> {
        concluded(self.get(key).await?, bytes)
    }

    /// Writes; none when the condition does not hold.
    async fn write(&self, key: &Key, bytes: &Bytes, condition: &Condition) -> Result<Option<Version>, Cause> {
        for turn in 1.. {
            match self.bucket.put(&key.path(), Some(key), bytes.clone(), condition).await? {
                Sent::Stored(version) => return Ok(Some(Version(version))),
                Sent::NotMet => return Ok(None),
                Sent::Collided if turn < TURNS => wire::pause().await,
                Sent::Collided => break,
            }
        }
        Err(Cause::Busy("other writers change the same key without end".to_owned()))
    }

    async fn read(&self, key: &Key) -> Result<Option<Found>, Cause> {
        self.bucket.get(&key.path(), key.max_bytes()).await
    }

    fn fail(&self, key: &Key, cause: Cause) -> StoreError {
        StoreError { store: self.to_string(), place: key.to_string(), cause }
    }
}

fn concluded(found: Option<Found>, bytes: &Bytes) -> Result<Version, SwapError> {
    match found {
        Some(found) if found.bytes == *bytes => Ok(found.version),
        found => Err(SwapError::Conflict(found)),
    }
}

impl fmt::Display for S3 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.bucket.shown)
    }
}
