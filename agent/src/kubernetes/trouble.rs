//! `Trouble`: what comes instead of an answer, before anyone decides what it means.

use std::fmt;

use http::StatusCode;
use kube::core::Status;

/// Why there is no answer of success.
#[derive(Debug)]
pub enum Trouble {
    /// Nothing came, or the connection broke; why.
    Silent(String),
    /// The answer is longer than is read, in bytes.
    TooLong(usize),
    /// The answer is not what was asked for; what it is.
    Garbage(String),
    /// The server said no.
    Refused(Box<Status>),
}

impl Trouble {
    /// The status that the body says, or what the status line alone tells: a proxy's page is nothing to quote.
    pub(super) fn refused(code: StatusCode, body: &[u8]) -> Self {
        let mut status: Status = serde_json::from_slice(body).unwrap_or_default();
        status.code = code.as_u16();
        Self::Refused(Box::new(status))
    }

    /// The status, where the server said no.
    pub(super) fn status(&self) -> Option<&Status> {
        match self {
            Self::Refused(status) => Some(status),
            Self::Silent(_) | Self::TooLong(_) | Self::Garbage(_) => None,
        }
    }

    /// The code of the status line, where the server said no.
    pub(super) fn code(&self) -> Option<u16> {
        self.status().map(|status| status.code)
    }

    /// Whether no API server was reached: no answer, or one that a proxy gives where nothing is behind it.
    pub(super) fn is_nobody_there(&self) -> bool {
        match self {
            Self::Silent(_) => true,
            Self::Refused(status) => matches!(status.code, 502..=504),
            Self::TooLong(_) | Self::Garbage(_) => false,
        }
    }

    /// Whether it is proved that `plural`/`name` is not there: the server names just that object in its 404. One that
    /// does not is about the path: a new aggregated API answers so at first (FAULTS F1).
    pub(super) fn proves_missing(&self, plural: &str, name: &str) -> bool {
        let Some(status) = self.status() else { return false };
        let details = status.details.as_ref();
        status.code == 404
            && status.reason == "NotFound"
            && details.is_some_and(|details| details.kind == plural && details.name == name)
    }
}

/// Without any text of the server's own that could echo an object.
impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Silent(why) => write!(f, "the API server did not answer: {why}"),
            Self::TooLong(limit) => write!(f, "the API server's answer is longer than {limit} bytes"),
            Self::Garbage(what) => write!(f, "the API server's answer cannot be read: {what}"),
            Self::Refused(status) if status.reason.is_empty() => {
                write!(f, "the API server answered {}", status.code)
            }
            Self::Refused(status) => write!(f, "the API server answered {} {}", status.code, status.reason),
        }
    }
}
