//! `PublicOrigin`: the store as everybody else reads it. What is released is read there before the head points to it,
//! so that no agent hears of what its edge does not have yet (FAULTS C9).

use std::time::Duration;

use anyhow::ensure;
use cdn::{Digest, Key};
use program::http::{Bounds, Client, Request, StatusCode};
use program::schedule::jitter;
use tokio::time::{Instant, sleep};

/// How long an object may take to show: an edge keeps the word that there is nothing for 5 s.
const PATIENCE: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_secs(1);
/// How long one look may take: a large object comes over a slow line.
const LOOK: Duration = Duration::from_mins(2);

/// A URL that agents read the store by.
#[derive(Clone, Debug)]
pub(crate) struct PublicOrigin {
    client: Client,
    url: String,
}

/// An object that has been put is not to be read by the public URL.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{at} does not give what was put into the store: {why}; check that --public-origin leads to this store. The head \
     was not moved"
)]
pub struct NotPublic {
    at: String,
    why: String,
}

/// Whether a text is such a URL.
pub(crate) fn check_url(url: &str) -> anyhow::Result<()> {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    ensure!(
        rest.is_some_and(|rest| !rest.is_empty() && !rest.contains(['@', '?', '#', ' '])),
        "--public-origin must be https://HOST/PATH, without credentials, query or fragment"
    );
    Ok(())
}

impl PublicOrigin {
    pub(crate) fn new(client: Client, url: &str) -> Self {
        Self { client, url: url.trim_end_matches('/').to_owned() }
    }

    /// Waits for an object to be there, whole; not for ever.
    pub(crate) async fn shows(&self, digest: Digest) -> Result<(), NotPublic> {
        let key = Key::Object(digest);
        let at = format!("{}{key}", self.url);
        let until = Instant::now() + PATIENCE;
        while let Err(why) = self.read(&at, &key, digest).await {
            if Instant::now() + PAUSE >= until {
                return Err(NotPublic { at, why });
            }
            sleep(PAUSE / 2 + jitter(PAUSE)).await;
        }
        Ok(())
    }

    async fn read(&self, at: &str, key: &Key, digest: Digest) -> Result<(), String> {
        let bounds = Bounds::new(key.max_bytes(), LOOK);
        let answer =
            self.client.fetch(Request::get(at), bounds).await.map_err(|why| why.cause.to_string())?;
        if answer.status != StatusCode::OK {
            return Err(format!("it answers {}", answer.status));
        }
        let got = Digest::of(&answer.body);
        if got == digest { Ok(()) } else { Err(format!("the bytes there are {got}")) }
    }
}
