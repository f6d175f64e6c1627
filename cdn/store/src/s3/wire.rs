//! What a bucket is asked: PUT under a condition, GET, and DELETE of the lock object.

use std::fmt;
use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::Builder;
use aws_sdk_s3::primitives::ByteStream;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::{Bytes, BytesMut};
use cdn::{Digest, Key};
use tokio::time::timeout;

use super::connect::patience;
use super::failure::{self, Failed};
use crate::{Cause, Found, Version};

const PAUSE: Duration = Duration::from_millis(100);

/// A bucket and what each of our keys begins with.
pub(super) struct Bucket {
    client: Client,
    name: String,
    prefix: String,
    pub(super) shown: String,
}

/// When a PUT may happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Condition {
    /// Always.
    None,
    /// Only where nothing lies (`If-None-Match: *`).
    IfNew,
    /// Only where this ETag lies (`If-Match`).
    IfMatch(String),
}

/// What came of a PUT.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Sent {
    /// It lies there, under this ETag.
    Stored(String),
    /// The condition did not hold (412, or nothing there to match).
    NotMet,
    /// Another conditional PUT of the same key was under way (409): to be sent anew.
    Collided,
}

impl Bucket {
    pub(super) fn new(client: Client, (name, prefix): (&str, &str), shown: String) -> Self {
        let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
        Self { client, name: name.to_owned(), prefix, shown }
    }

    /// Puts bytes at a path, with the type and cache policy of its key.
    pub(super) async fn put(
        &self,
        path: &str,
        key: Option<&Key>,
        bytes: Bytes,
        condition: &Condition,
    ) -> Result<Sent, Cause> {
        let sum = BASE64_STANDARD.encode(Digest::of(&bytes).as_bytes());
        let (if_new, if_match) = match condition {
            Condition::None => (None, None),
            Condition::IfNew => (Some("*".to_owned()), None),
            Condition::IfMatch(etag) => (None, Some(etag.clone())),
        };
        let time = patience(bytes.len() as u64);
        let request = self
            .client
            .put_object()
            .bucket(&self.name)
            .key(format!("{}{path}", self.prefix))
            .content_type(key.map_or("application/json", Key::content_type))
            .cache_control(key.map_or("no-store", Key::cache_control))
            .checksum_sha256(sum)
            .set_if_none_match(if_new)
            .set_if_match(if_match)
            .body(ByteStream::from(bytes))
            .customize()
            .config_override(Builder::new().timeout_config(time));
        match Box::pin(request.send()).await {
            Ok(answer) => match answer.e_tag {
                Some(etag) => Ok(Sent::Stored(etag)),
                None => Err(Cause::Refused("a PUT was answered without an ETag".to_owned())),
            },
            Err(error) => match failure::of(&error) {
                Failed::NotMet => Ok(Sent::NotMet),
                Failed::NoSuchKey if matches!(condition, Condition::IfMatch(_)) => Ok(Sent::NotMet),
                Failed::NoSuchKey => Err(Cause::Refused("a PUT was answered by 404".to_owned())),
                Failed::Collided => Ok(Sent::Collided),
                Failed::Other(cause) => Err(cause),
            },
        }
    }

    /// Reads at most `limit` bytes from a path; none where nothing lies.
    pub(super) async fn get(&self, path: &str, limit: u64) -> Result<Option<Found>, Cause> {
        let request = self.client.get_object().bucket(&self.name).key(format!("{}{path}", self.prefix));
        let answer = match Box::pin(request.send()).await {
            Ok(answer) => answer,
            Err(error) => {
                return match failure::of(&error) {
                    Failed::NoSuchKey => Ok(None),
                    Failed::NotMet | Failed::Collided => {
                        Err(Cause::Refused("a plain GET was answered by a condition".to_owned()))
                    }
                    Failed::Other(cause) => Err(cause),
                };
            }
        };
        let Some(etag) = answer.e_tag else {
            return Err(Cause::Refused("a GET was answered without an ETag".to_owned()));
        };
        let claimed = answer.content_length.and_then(|length| u64::try_from(length).ok()).unwrap_or(0);
        if claimed > limit {
            return Err(Cause::TooLarge { limit });
        }
        let time = patience(limit).operation_attempt_timeout().unwrap_or_default();
        let cut = || Cause::Unreachable("the body did not come in time".to_owned());
        let bytes = timeout(time, collect(answer.body, claimed, limit)).await.map_err(|_| cut())??;
        Ok(Some(Found { bytes, version: Version(etag) }))
    }

    /// Removes an object of our own under `.windlass/`.
    pub(super) async fn remove(&self, path: &str) -> Result<(), Cause> {
        let request = self.client.delete_object().bucket(&self.name).key(format!("{}{path}", self.prefix));
        match Box::pin(request.send()).await {
            Ok(_) => Ok(()),
            Err(error) => match failure::of(&error) {
                Failed::NoSuchKey => Ok(()),
                Failed::NotMet | Failed::Collided => Err(Cause::Refused("a removal was refused".to_owned())),
                Failed::Other(cause) => Err(cause),
            },
        }
    }
}

async fn collect(mut body: ByteStream, claimed: u64, limit: u64) -> Result<Bytes, Cause> {
    let capacity = program::http::capacity(claimed);
    let mut bytes = BytesMut::with_capacity(capacity);
    while let Some(piece) = body.next().await {
        let piece = piece.map_err(|error| Cause::Unreachable(failure::innermost(&error)))?;
        if (bytes.len() + piece.len()) as u64 > limit {
            return Err(Cause::TooLarge { limit });
        }
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes.freeze())
}

/// A random moment, so that those who met do not meet again.
pub(super) async fn pause() {
    tokio::time::sleep(program::schedule::jitter(PAUSE)).await;
}

impl fmt::Debug for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Bucket").field(&self.shown).finish()
    }
}
