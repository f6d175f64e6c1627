//! Why a fetch failed, in the words that callers branch on and people can act on.

use std::error::Error;
use std::io;
use std::time::Duration;

use reqwest::Url;

use crate::settings::human;

/// A fetch that gave no answer: where, and why. The place is scheme, host, port and path - never a user name, a
/// password, a query or a fragment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{at}: {cause}")]
pub struct FetchError {
    /// The place that was asked.
    pub at: String,
    /// Why there is no answer.
    pub cause: Cause,
}

/// Why a fetch failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Cause {
    /// The request could not be made: a URL or a header that cannot be.
    #[error("cannot be asked: {0}")]
    BadRequest(&'static str),
    /// The host's name has no address.
    #[error("no address for this host: {0}; check the name and this machine's DNS")]
    Dns(String),
    /// Nobody answers at the address, or the proxy refuses.
    #[error("cannot connect: {0}; check the address, the firewall and the proxy settings")]
    Connect(String),
    /// The two sides could not agree on TLS; mostly a certificate that is not trusted.
    #[error(
        "TLS failed: {0}; if this site has a certificate authority of its own, name its file with --ca-file"
    )]
    Tls(String),
    /// A bound in time was reached.
    #[error("{} within {}", .0.what(), human(*.1))]
    Timeout(Bound, Duration),
    /// The body is, or claims to be, larger than the caller allows.
    #[error("the body is larger than the {limit} bytes that are allowed here")]
    TooLarge {
        /// The most that the caller would take.
        limit: u64,
    },
    /// The body came slower than the least rate.
    #[error("the body came too slowly: {got} bytes in {}, at least {least} are wanted", human(*.window))]
    TooSlow {
        /// What came in the window.
        got: u64,
        /// What should have come.
        least: u64,
        /// The length of the window.
        window: Duration,
    },
    /// The connection ended inside the body.
    #[error("the connection was cut after {got} bytes of the body: {why}")]
    Cut {
        /// Bytes that had come, all of them already given to the caller.
        got: u64,
        /// How it ended.
        why: String,
    },
    /// A redirect that is not followed.
    #[error("redirect refused: {0}")]
    RedirectRefused(&'static str),
    /// The other side does not speak HTTP as agreed, or closed before an answer.
    #[error("no usable answer: {0}")]
    Protocol(String),
}

/// The bound in time that was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// Name, connection and TLS.
    Connect,
    /// From the connection to the head of the answer.
    Answer,
    /// The whole exchange.
    Deadline,
}

impl Bound {
    fn what(self) -> &'static str {
        match self {
            Self::Connect => "no connection",
            Self::Answer => "no answer",
            Self::Deadline => "not complete",
        }
    }
}

/// A URL as it may be shown.
pub(super) fn place(url: &Url) -> String {
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}://{}{port}{}", url.scheme(), url.host_str().unwrap_or_default(), url.path())
}

/// What an error of the client below means. Only its innermost reason is kept: the layers around it say URLs.
pub(super) fn cause_of(error: &reqwest::Error, connect_timeout: Duration) -> Cause {
    if error.is_connect() && error.is_timeout() {
        return Cause::Timeout(Bound::Connect, connect_timeout);
    }
    if let Some(tls) = find::<rustls::Error>(error) {
        return Cause::Tls(tls.to_string());
    }
    let why = innermost(error);
    if error.is_dns() {
        Cause::Dns(why)
    } else if error.is_connect() {
        Cause::Connect(why)
    } else if error.is_builder() {
        Cause::BadRequest("this URL cannot be sent")
    } else {
        Cause::Protocol(why)
    }
}

pub(super) fn innermost(error: &(dyn Error + 'static)) -> String {
    chain(error).last().map(ToString::to_string).unwrap_or_default()
}

fn find<'e, E: Error + 'static>(error: &'e (dyn Error + 'static)) -> Option<&'e E> {
    chain(error).find_map(|link| link.downcast_ref::<E>())
}

/// An error and its sources. An `io::Error` hides the error inside it from `source`, so it is opened here.
fn chain<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    std::iter::successors(error.source(), |link| {
        let link: &'e (dyn Error + 'static) = *link;
        let inside = link.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        match inside {
            Some(inside) => Some(inside as &(dyn Error + 'static)),
            None => link.source(),
        }
    })
}
