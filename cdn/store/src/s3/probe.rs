//! Whether an S3 server honours conditional PUT. Some ignore it without a word, and two writers would undo each other.

use bytes::Bytes;

use super::wire::{Bucket, Condition, Sent};
use crate::Cause;

const PLACE: &str = ".windlass/probe";
const WORDS: &[u8] = br#"{"says":"written at start, to learn whether this server honours conditional PUT"}"#;
/// An ETag that no content has.
const NOBODYS: &str = "\"00000000000000000000000000000000-windlass\"";

/// Writes an object of our own twice "only where nothing lies", and once "only where something else lies". A server
/// that does as it is told refuses the second and the third.
pub(super) async fn conditional(bucket: &Bucket) -> Result<bool, Cause> {
    for _ in 0..2 {
        match attempt(bucket, &Condition::IfNew).await? {
            Some(true) => {}
            Some(false) => {
                return Ok(attempt(bucket, &Condition::IfMatch(NOBODYS.to_owned())).await? == Some(false));
            }
            None => return Ok(false),
        }
    }
    Ok(false)
}

/// Whether it was written; none where the server does not know the condition.
async fn attempt(bucket: &Bucket, condition: &Condition) -> Result<Option<bool>, Cause> {
    match bucket.put(PLACE, None, Bytes::from_static(WORDS), condition).await {
        Ok(Sent::Stored(_)) => Ok(Some(true)),
        // A collision says that somebody else probes at this moment, and that the server keeps us apart.
        Ok(Sent::NotMet | Sent::Collided) => Ok(Some(false)),
        Err(Cause::Refused(why)) if why.starts_with("status 400") || why.contains("NotImplemented") => {
            tracing::info!(why, "conditional PUT is not known to this server");
            Ok(None)
        }
        // 501 counts as a failing server elsewhere; here it is the answer.
        Err(Cause::Busy(why)) if why.contains("NotImplemented") => Ok(None),
        Err(cause) => Err(cause),
    }
}
