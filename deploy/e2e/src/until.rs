//! Waiting for what is to happen, with a deadline, and with what was seen last where it does not.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};

const GLANCE: Duration = Duration::from_millis(100);

/// Looks until `look` gives something, at most `within`. Its error means "not yet", and is part of ours at the end: so
/// a failed test tells what was there instead.
pub async fn until<T>(what: &str, within: Duration, mut look: impl AsyncFnMut() -> Result<T>) -> Result<T> {
    let deadline = Instant::now() + within;
    loop {
        match look().await {
            Ok(seen) => return Ok(seen),
            Err(not_yet) if Instant::now() >= deadline => {
                return Err(not_yet).with_context(|| format!("not after {within:?}: {what}"));
            }
            Err(_) => tokio::time::sleep(GLANCE).await,
        }
    }
}
