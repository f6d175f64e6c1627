//! Which redirects are followed, and what goes along: a credential never leaves the place it was given for (FAULTS C2).

use ::http::{HeaderMap, Method, StatusCode, header};
use reqwest::Url;

pub(super) const MOST: usize = 3;

/// What to do with an answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// It is the answer.
    Answer,
    /// Ask there.
    Follow(Url),
    /// Neither: tell the caller.
    Refuse(&'static str),
}

pub(super) fn decide(method: &Method, from: &Url, status: StatusCode, headers: &HeaderMap) -> Next {
    let redirect = matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308);
    let Some(location) = headers.get(header::LOCATION).filter(|_| redirect) else {
        return Next::Answer;
    };
    if method != Method::GET && method != Method::HEAD {
        return Next::Refuse("only reading follows a redirect; set the final address in the settings");
    }
    let Some(to) = location.to_str().ok().and_then(|location| from.join(location).ok()) else {
        return Next::Refuse("its target is not a URL");
    };
    match (from.scheme(), to.scheme()) {
        ("http" | "https", "https") | ("http", "http") => {}
        ("https", "http") => return Next::Refuse("it leads from https to http"),
        _ => return Next::Refuse("its target is neither http nor https"),
    }
    if !to.username().is_empty() || to.password().is_some() {
        return Next::Refuse("its target carries a user name");
    }
    Next::Follow(to)
}

/// Scheme, host and port are those of the place that the credentials were given for.
pub(super) fn same_place(one: &Url, other: &Url) -> bool {
    one.origin() == other.origin()
}

/// What may go to another place: a list of what is harmless, since a credential can have any header's name.
pub(super) fn harmless(headers: &HeaderMap) -> HeaderMap {
    let allowed = [
        header::ACCEPT,
        header::ACCEPT_ENCODING,
        header::IF_MODIFIED_SINCE,
        header::IF_NONE_MATCH,
        header::IF_RANGE,
        header::RANGE,
    ];
    headers
        .iter()
        .filter(|(name, value)| allowed.contains(name) && !value.is_sensitive())
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

#[cfg(test)]
mod tests;
