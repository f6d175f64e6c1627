//! What a request's conditions and ranges mean (RFC 9110, sections 13 and 14). Pure.

use hyper::HeaderMap;
use hyper::header::{self, HeaderName};

/// Which bytes to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// All of them.
    Whole,
    /// From the first to the last, both included.
    Part {
        /// The first byte.
        first: u64,
        /// The last byte.
        last: u64,
    },
    /// A range that lies outside.
    Nothing,
}

/// Whether the reader holds this content already.
pub fn not_modified(headers: &HeaderMap, etag: &str) -> bool {
    headers
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|list| list.split(','))
        .map(str::trim)
        // Weak comparison, as 13.1.2 says: a cache on the way may have weakened our tag.
        .any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag)
}

/// The part of `length` bytes that is asked for. Several ranges at once, units other than bytes and what cannot be read
/// are answered by the whole, as a server may.
pub fn wanted(headers: &HeaderMap, etag: &str, length: u64) -> Wanted {
    let Some(range) = text(headers, &header::RANGE) else { return Wanted::Whole };
    // Of other content than the reader began with, the rest would be useless. Strong comparison (13.1.5).
    if headers.contains_key(header::IF_RANGE) && text(headers, &header::IF_RANGE) != Some(etag) {
        return Wanted::Whole;
    }
    range.strip_prefix("bytes=").and_then(|range| part(range.trim(), length)).unwrap_or(Wanted::Whole)
}

fn part(range: &str, length: u64) -> Option<Wanted> {
    let (first, last) = range.split_once('-')?;
    let number = |text: &str| {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        // More digits than fit are still a number: one that lies outside.
        digits.then(|| text.parse().unwrap_or(u64::MAX))
    };
    let (first, last) = match (first, last) {
        ("", last) => {
            let count = number(last)?;
            if count == 0 {
                return Some(Wanted::Nothing);
            }
            (length.saturating_sub(count), u64::MAX)
        }
        (first, "") => (number(first)?, u64::MAX),
        (first, last) => (number(first)?, number(last)?),
    };
    if first > last {
        return None;
    }
    if first >= length {
        return Some(Wanted::Nothing);
    }
    Some(Wanted::Part { first, last: last.min(length - 1) })
}

fn text<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

#[cfg(test)]
mod tests;
