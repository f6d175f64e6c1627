//! Why nothing could be fetched, origin by origin, in words that name the host, and the next step.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use cdn::{Digest, Key};
use program::http::{Cause, StatusCode};
use program::settings::human;

use crate::health::Tracked;

/// No origin gave what was wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotFetched {
    /// What was wanted, as a path.
    pub key: String,
    /// What came of it, in the order in which origins were asked.
    pub tried: Vec<Attempt>,
}

/// What came of one origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// The origin, as it may be shown.
    pub origin: String,
    /// Why it gave nothing.
    pub why: Why,
}

/// Why one origin gave nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Why {
    /// Nothing lies there (yet): an edge may not have it, so it is worth asking again soon (FAULTS C9).
    #[error("not there yet (404)")]
    Absent,
    /// Other bytes than the digest names, also past the caches.
    #[error("{0}")]
    Mismatch(Box<Mismatch>),
    /// The caller's proof did not accept what came.
    #[error("not accepted: {0}")]
    NotAccepted(String),
    /// Other bytes came from there a while ago.
    #[error("not asked for {} more: {before}", human(Duration::from_secs(left.as_secs())))]
    Avoided {
        /// Until it is asked again.
        left: Duration,
        /// What came.
        before: Box<Mismatch>,
    },
    /// The signed length is more than this program reads.
    #[error("longer than the {limit} bytes that are ever read")]
    TooLong {
        /// The bound.
        limit: u64,
    },
    /// An answer with another status.
    #[error("answers with status {status}{}", hint(*status))]
    Status {
        /// The status.
        status: StatusCode,
        /// How long it asked to wait.
        wait: Option<Duration>,
    },
    /// No answer, or not all of it.
    #[error("{0}")]
    Http(Cause),
    /// The answer was a part that was not asked for.
    #[error("answers with a part that was not asked for")]
    WrongRange,
    /// A folder could not be read.
    #[error("{0}")]
    Folder(String),
    /// The credential for its host cannot be had.
    #[error("{0}")]
    Credential(String),
    /// The others had used up the time for all of them.
    #[error("not asked: no time was left")]
    NoTime,
}

/// Bytes that are not what was wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// Who served them.
    pub host: String,
    /// The digest that was wanted.
    pub expected: Digest,
    /// The length that was signed, where it was.
    pub length: Option<u64>,
    /// The digest of what came; none when it was cut off because it was too long.
    pub actual: Option<Digest>,
    /// Bytes that came.
    pub bytes: u64,
    /// What it looks like, if that says something.
    pub looks_like: Option<String>,
}

impl NotFetched {
    /// Whether all origins that were asked said that nothing lies there.
    pub fn is_absent(&self) -> bool {
        !self.tried.is_empty() && self.tried.iter().all(|attempt| matches!(attempt.why, Why::Absent))
    }

    /// Whether bytes that were not what was wanted are among the reasons, now or within the last hour.
    pub fn is_content_mismatch(&self) -> bool {
        self.tried.iter().any(|attempt| matches!(attempt.why, Why::Mismatch(_) | Why::Avoided { .. }))
    }

    pub(crate) fn without_asking(key: &Key, why: Why) -> Self {
        Self { key: key.to_string(), tried: vec![Attempt { origin: "here".to_owned(), why }] }
    }

    pub(crate) fn absent(key: &Key, list: &[Arc<Tracked>]) -> Self {
        let absent =
            |tracked: &Arc<Tracked>| Attempt { origin: tracked.origin.to_string(), why: Why::Absent };
        Self { key: key.to_string(), tried: list.iter().map(absent).collect() }
    }
}

impl fmt::Display for NotFetched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.tried.is_empty() {
            return write!(f, "{} cannot be fetched: no origin is known; name one with --origin", self.key);
        }
        write!(f, "{} cannot be fetched", self.key)?;
        for (number, Attempt { origin, why }) in self.tried.iter().enumerate() {
            write!(f, "{} {origin}: {why}", if number == 0 { ":" } else { ";" })?;
        }
        Ok(())
    }
}

impl std::error::Error for NotFetched {}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.actual {
            Some(actual) => write!(f, "other bytes came: {actual} of {} bytes", self.bytes)?,
            None => write!(f, "other bytes came: more than {}", self.bytes)?,
        }
        write!(f, ", expected {}", self.expected)?;
        if let Some(length) = self.length {
            write!(f, " of {length} bytes")?;
        }
        match &self.looks_like {
            Some(form) => write!(f, "; it looks like {form} from {}", self.host),
            None => Ok(()),
        }
    }
}

impl Why {
    /// Whether the origin itself seems to be away or unwell, rather than this one object.
    pub(crate) fn is_ill(&self) -> bool {
        match self {
            Self::Http(_) | Self::Folder(_) => true,
            Self::Status { status, .. } => status.is_server_error() || status.as_u16() == 429,
            Self::Absent
            | Self::Mismatch(_)
            | Self::NotAccepted(_)
            | Self::Avoided { .. }
            | Self::TooLong { .. }
            | Self::WrongRange
            | Self::Credential(_)
            | Self::NoTime => false,
        }
    }
}

fn hint(status: StatusCode) -> &'static str {
    match status.as_u16() {
        401 | 403 => "; give the token of this host with --origin-token-file, or let it be read by all",
        _ => "",
    }
}
