//! The reading side of the content plane: an ordered list of [`Origin`]s, from which content is taken only when it is
//! proved.
//!
//! - [`Origins::object`] gives the bytes that a digest names: bounded, then hashed, then given.
//! - [`Origins::document`] gives what the caller accepts at a key - accepting is the caller's proof, a signature.
//!
//! A mismatch drops the bytes, is tried once more past the caches, and then it is the next origin's turn; the object
//! is not asked for there for an hour. A body that was cut is resumed where it ended. An origin that does not answer
//! stays in the list, behind the others, for a while. This is the one layer that retries: the client below does not,
//! and the caller comes back with its next pass.

mod args;
mod credentials;
mod download;
mod failure;
mod folder;
mod health;
mod meters;
mod origin;

use std::fmt::Display;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use cdn::{Digest, Key};
use program::http::{Client, MinRate};
use tokio::time::Instant;

pub use args::{BadOrigins, OriginArgs};
pub use credentials::{BadCredential, Credentials};
pub use failure::{Attempt, Mismatch, NotFetched, Why};
pub use health::OriginStatus;
pub use origin::{BadOrigin, Origin};

use download::{Asked, Body, Download};
use health::Tracked;

/// Origins that a signed document may append.
const MOST_APPENDED: usize = cdn::limits::DESIRED_LIST;
/// One origin may use its whole budget; all together use at most three.
const BUDGETS: u32 = 3;

/// Where content is read from, in order. Clones share connections, health and counters.
#[derive(Clone, Debug)]
pub struct Origins {
    shared: Arc<Shared>,
    list: Arc<[Arc<Tracked>]>,
}

#[derive(Debug)]
struct Shared {
    client: Client,
    credentials: Credentials,
    patience: Patience,
    bytes: AtomicU64,
}

/// How long to bear with an origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// The most time for one object at one origin, beside the time that its bytes take at the least rate.
    pub grace: Duration,
    /// The least rate of a body.
    pub min_rate: MinRate,
    /// How long an object is not asked for where its bytes were others.
    pub avoid: Duration,
}

impl Default for Patience {
    /// A minute, 1 kB/s over 30 s, an hour.
    fn default() -> Self {
        Self { grace: Duration::from_mins(1), min_rate: MinRate::default(), avoid: Duration::from_hours(1) }
    }
}

impl Patience {
    fn budget(&self, bytes: u64) -> Duration {
        let rate = self.min_rate.bytes_per_second;
        self.grace + Duration::from_secs(bytes.checked_div(rate).unwrap_or_default())
    }
}

impl Origins {
    /// Origins of this program's own settings, first one first.
    pub fn new(list: Vec<Origin>, client: Client) -> Self {
        meters::describe();
        let list = list.into_iter().map(|origin| Arc::new(Tracked::new(origin, false))).collect();
        let (credentials, patience) = (Credentials::default(), Patience::default());
        Self { shared: Arc::new(Shared { client, credentials, patience, bytes: AtomicU64::new(0) }), list }
    }

    /// The same with credentials and patience of the caller's; counting starts anew.
    #[must_use]
    pub fn with(self, credentials: Credentials, patience: Patience) -> Self {
        let (client, bytes) = (self.shared.client.clone(), AtomicU64::new(0));
        Self { shared: Arc::new(Shared { client, credentials, patience, bytes }), ..self }
    }

    /// The origins of this program's own settings, followed by those of a signed document, in place of what an earlier
    /// document appended. Only http and https can be appended; what cannot be used is logged and left out.
    #[must_use]
    pub fn with_more<U: AsRef<str>>(&self, urls: &[U]) -> Self {
        let mut list: Vec<Arc<Tracked>> =
            self.list.iter().filter(|tracked| !tracked.appended).cloned().collect();
        for url in urls.iter().take(MOST_APPENDED).map(AsRef::as_ref) {
            match Origin::parse_remote(url) {
                Ok(origin) if list.iter().any(|tracked| tracked.origin == origin) => {}
                Ok(origin) => {
                    // A known one keeps its health and its counters.
                    let known = self.list.iter().find(|tracked| tracked.origin == origin).cloned();
                    list.push(known.unwrap_or_else(|| Arc::new(Tracked::new(origin, true))));
                }
                Err(error) => tracing::warn!(%error, "an origin in the assignment is left out"),
            }
        }
        Self { shared: Arc::clone(&self.shared), list: list.into() }
    }

    /// The bytes that `digest` names; at most `length` where it is signed, else at most what any object may have.
    pub async fn object(&self, digest: &Digest, length: Option<u64>) -> Result<Vec<u8>, NotFetched> {
        let key = Key::Object(*digest);
        let limit = length.unwrap_or(u64::MAX).min(key.max_bytes());
        if length.is_some_and(|length| length > limit) {
            return Err(NotFetched::without_asking(&key, Why::TooLong { limit }));
        }
        self.named(*digest, Asked { key: &key, limit, length }).await
    }

    /// The bytes that `digest` names, of a kind that has at most `most` of them: an origin that sends more is cut off
    /// there (FAULTS A6).
    pub async fn object_at_most(&self, digest: &Digest, most: u64) -> Result<Vec<u8>, NotFetched> {
        let key = Key::Object(*digest);
        let limit = most.min(key.max_bytes());
        self.named(*digest, Asked { key: &key, limit, length: None }).await
    }

    async fn named(&self, digest: Digest, asked: Asked<'_>) -> Result<Vec<u8>, NotFetched> {
        let length = asked.length;
        let prove = |body: Body| {
            let whole = !body.too_long && length.is_none_or(|length| body.bytes.len() as u64 == length);
            if whole && Digest::of(&body.bytes) == digest {
                Ok(body.bytes)
            } else {
                meters::refused();
                Err(Why::Mismatch(Box::new(body.mismatch(digest, length))))
            }
        };
        let found = self.first(asked, prove).await?;
        found.ok_or_else(|| NotFetched::absent(asked.key, &self.list))
    }

    /// What lies at a key, as the first origin has it whose bytes the caller accepts; none when every origin says
    /// that nothing lies there. An origin that could not be asked leaves that open, and is an error.
    pub async fn document<T, E: Display>(
        &self,
        key: &Key,
        mut accept: impl FnMut(&[u8]) -> Result<T, E>,
    ) -> Result<Option<T>, NotFetched> {
        let asked = Asked { key, limit: key.max_bytes(), length: None };
        let prove = |body: Body| {
            if body.too_long {
                let why = format!("larger than the {} bytes that are read there", asked.limit);
                return Err(Why::NotAccepted(body.reason(&why)));
            }
            accept(&body.bytes).map_err(|error| Why::NotAccepted(body.reason(&error)))
        };
        self.first(asked, prove).await
    }

    /// All bytes that came over the network or from a medium, also those that were dropped.
    pub fn bytes_read(&self) -> u64 {
        self.shared.bytes.load(Ordering::Relaxed)
    }

    /// How each origin is, in the order of the list.
    pub fn status(&self) -> Vec<OriginStatus> {
        let now = Instant::now();
        self.list.iter().map(|tracked| tracked.status(now)).collect()
    }

    /// The first proved answer; none when all origins say that there is nothing.
    async fn first<T>(
        &self,
        asked: Asked<'_>,
        mut prove: impl FnMut(Body) -> Result<T, Why>,
    ) -> Result<Option<T>, NotFetched> {
        let budget = self.shared.patience.budget(asked.limit);
        let end = Instant::now() + budget * BUDGETS;
        let mut tried = Vec::new();
        for tracked in health::order(&self.list, Instant::now()) {
            let until = end.min(Instant::now() + budget);
            match self.ask(&tracked, asked, until, &mut prove).await {
                Ok(value) => {
                    tracked.succeeded();
                    return Ok(Some(value));
                }
                Err(why) => {
                    tracked.failed(&why, Instant::now());
                    tell(&tracked, asked.key, &why);
                    tried.push(Attempt { origin: tracked.origin.to_string(), why });
                }
            }
        }
        let absent = !tried.is_empty() && tried.iter().all(|attempt| matches!(attempt.why, Why::Absent));
        if absent {
            return Ok(None);
        }
        tracing::debug!(key = %asked.key, origins = ?self.status(), "no origin gave it");
        Err(NotFetched { key: asked.key.to_string(), tried })
    }

    /// One origin: as it is, and once more past its caches when what came was not what was wanted.
    async fn ask<T>(
        &self,
        tracked: &Tracked,
        asked: Asked<'_>,
        until: Instant,
        prove: &mut impl FnMut(Body) -> Result<T, Why>,
    ) -> Result<T, Why> {
        if let Key::Object(digest) = asked.key
            && let Some(why) = tracked.avoided(digest, Instant::now())
        {
            return Err(why);
        }
        let download = Download { shared: &self.shared, from: tracked, asked, until };
        let first = download.run(false).await.and_then(&mut *prove);
        let unproved = matches!(first, Err(Why::Mismatch(_) | Why::NotAccepted(_)));
        if !unproved {
            return first;
        }
        tracked.mismatched();
        // A folder has no cache in front of it.
        let second =
            if tracked.origin.is_remote() { download.run(true).await.and_then(prove) } else { first };
        if let (Err(Why::Mismatch(mismatch)), Key::Object(_)) = (&second, asked.key) {
            tracked.avoid(mismatch.clone(), Instant::now() + self.shared.patience.avoid);
        }
        second
    }
}

/// Says which origin is of no use, and how it has been: another one may give what was wanted, so nobody else does.
fn tell(tracked: &Tracked, key: &Key, why: &Why) {
    let OriginStatus { origin, failures, resting, avoided, mismatches, .. } = tracked.status(Instant::now());
    match why {
        Why::Mismatch(_) | Why::NotAccepted(_) => {
            tracing::warn!(origin, %key, mismatches, avoided, "an origin gives what it should not: {why}");
        }
        Why::Absent | Why::Avoided { .. } | Why::TooLong { .. } | Why::NoTime => {
            tracing::debug!(origin, %key, "an origin has not got it: {why}");
        }
        Why::Status { .. } | Why::Http(_) | Why::WrongRange | Why::Folder(_) | Why::Credential(_) => {
            tracing::info!(origin, %key, failures, ?resting, "an origin is of no use: {why}");
        }
    }
}
