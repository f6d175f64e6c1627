//! Small words that tables and descriptions share: states, ages, labels, names of services.

use std::collections::BTreeMap;

use anyhow::Result;
use api::routes::releases::Release;
use api::selector::Selector;
use cdn::document::HoldReason;
use cdn::{Digest, ProjectName, ServiceName};
use clap::builder::PossibleValuesParser;
use jiff::Timestamp;
use serde::Serialize;

use crate::exit::{Exit, Failure};

/// A state's word as people see it: the wire's `progressing` is `Progressing`.
pub(crate) fn word<T: Serialize>(state: &T) -> String {
    let value = serde_json::to_value(state).unwrap_or_default();
    let text = value.as_str().unwrap_or_default();
    let mut chars = text.chars();
    chars.next().map(|first| first.to_ascii_uppercase().to_string() + chars.as_str()).unwrap_or_default()
}

/// How long ago something was, in kubectl's two-unit form: `5m`, `3h20m`, `12d`.
pub(crate) fn age(at: Timestamp) -> String {
    age_at(at, Timestamp::now())
}

fn age_at(at: Timestamp, now: Timestamp) -> String {
    let seconds = now.as_second().saturating_sub(at.as_second()).max(0);
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    let two = |whole, of, rest, parts| {
        if rest == 0 { format!("{whole}{of}") } else { format!("{whole}{of}{rest}{parts}") }
    };
    match (seconds, minutes, hours, days) {
        (..120, ..) => format!("{seconds}s"),
        (_, ..10, ..) => two(minutes, 'm', seconds % 60, 's'),
        (_, ..180, ..) => format!("{minutes}m"),
        (_, _, ..8, _) => two(hours, 'h', minutes % 60, 'm'),
        (_, _, ..48, _) => format!("{hours}h"),
        (_, _, _, ..8) => two(days, 'd', hours % 24, 'h'),
        (_, _, _, _) => format!("{days}d"),
    }
}

/// The age of something that may not have happened.
pub(crate) fn maybe_age(at: Option<Timestamp>) -> String {
    at.map(age).unwrap_or_default()
}

/// Labels as kubectl shows them.
pub(crate) fn labels(labels: &BTreeMap<String, String>) -> String {
    labels.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(",")
}

/// A digest's first digits, for a table.
pub(crate) fn short(digest: Option<Digest>) -> String {
    digest.map(|digest| digest.short()).unwrap_or_default()
}

/// The first characters of a commit.
pub(crate) fn commit(revision: &str) -> String {
    let hex = revision.strip_prefix("sha256:").unwrap_or(revision);
    hex.chars().take(12).collect()
}

/// Whether a revision is the commit that these are the first digits of.
pub(crate) fn is_commit(revision: &str, digits: &str) -> bool {
    revision.strip_prefix("sha256:").unwrap_or(revision).starts_with(digits)
}

/// A service's name as people type it: `project/name`, or `name` in the project `default`.
pub(crate) fn service(text: &str) -> Result<ServiceName> {
    let parsed = match text.split_once('/') {
        Some(_) => text.parse(),
        None => ServiceName::new(ProjectName::default(), text),
    };
    parsed.map_err(|why| {
        Failure::new(Exit::Usage, format!("`{text}` names no service"))
            .why(why)
            .next("write `project/name`, or `name` for the project `default`")
            .into()
    })
}

/// Fewer digits of a digest fit too much by chance.
const ENOUGH: usize = 6;

/// Whether a text may be a digest's first digits, such as tables show. It may also be a name.
pub(crate) fn are_digits(text: &str) -> bool {
    text.len() >= ENOUGH && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// The one among `items` whose digest begins with some digits. `none` and `several` say what is wrong otherwise, and
/// `next` what to do then.
pub(crate) fn by_digits<T>(
    digits: &str,
    items: impl IntoIterator<Item = T>,
    digest: impl Fn(&T) -> Option<Digest>,
    what: Lacking<'_>,
) -> Result<T> {
    let hex = digits.strip_prefix("sha256:").unwrap_or(digits);
    let mut fitting =
        items.into_iter().filter(|item| digest(item).is_some_and(|digest| digest.hex().starts_with(hex)));
    match (fitting.next(), fitting.next()) {
        (Some(one), None) if hex.len() >= ENOUGH => Ok(one),
        (None, _) => Err(Failure::new(Exit::NotFound, what.none).next(what.next).into()),
        (Some(_), _) => Err(Failure::new(Exit::Usage, what.several)
            .why(format!("it fits several, or has fewer than {ENOUGH} digits"))
            .next("give more of the digest")
            .into()),
    }
}

/// What is said when some digits do not lead to one thing.
pub(crate) struct Lacking<'t> {
    /// Nothing begins with them.
    pub(crate) none: String,
    /// They do not say which one.
    pub(crate) several: String,
    /// Where to see what there is.
    pub(crate) next: &'t str,
}

/// The one release among these whose digest begins with some digits. `whose` says whose releases they are.
pub(crate) fn one_release(digits: &str, releases: &[Release], whose: &str) -> Result<Digest> {
    let lacking = Lacking {
        none: format!("{whose} has no release `{digits}`"),
        several: format!("`{digits}` is not one release of {whose}"),
        next: "see them with `windlass get releases`; a digest is `sha256:` and 64 hex digits, of which the first 6 may do",
    };
    by_digits(digits, releases, |release| Some(release.digest), lacking).map(|release| release.digest)
}

/// A clap value parser for services.
pub(crate) fn service_arg(text: &str) -> Result<ServiceName, String> {
    service(text).map_err(|error| error.to_string())
}

/// A clap value parser for selectors: a mistake is told before anything is asked.
pub(crate) fn selector(text: &str) -> Result<String, String> {
    if text.trim().is_empty() {
        return Err("an empty selector selects everything; leave it out for that".to_owned());
    }
    text.parse::<Selector>().map(|_| text.to_owned()).map_err(|why| why.to_string())
}

/// A clap value parser for hosts that origins may be on: in the one form that agents compare, or no origin would ever fit.
pub(crate) fn origin_host(text: &str) -> Result<String, String> {
    let url = if text.contains(':') { format!("https://[{text}]/") } else { format!("https://{text}/") };
    let is_plain = !text.is_empty()
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b".-:".contains(&b));
    let is_address = !text.contains(':') || text.parse::<std::net::Ipv6Addr>().is_ok();
    if is_plain && is_address && cdn::trust::host_of(&url) == Some(text) {
        return Ok(text.to_owned());
    }
    Err("write the host alone, in small letters, without scheme and port: cdn.example.com".to_owned())
}

/// A clap value parser for reasons to hold: one that does not exist would silently show nothing.
pub(crate) fn reason() -> PossibleValuesParser {
    PossibleValuesParser::new(HoldReason::ALL.iter().map(|reason| reason.code()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_have_the_form_of_kubectl() {
        let now = Timestamp::UNIX_EPOCH + jiff::Span::new().hours(24_000);
        let age = |seconds: i64| age_at(now - jiff::Span::new().seconds(seconds), now);
        let ages = [0, 119, 120, 125, 3_600, 10_800, 12_000, 100_000, 190_000, 1_000_000, -5].map(age);
        assert_eq!(ages, ["0s", "119s", "2m", "2m5s", "60m", "3h", "3h20m", "27h", "2d4h", "11d", "0s"]);
    }

    #[test]
    fn a_service_without_a_project_is_of_the_default_one() {
        assert_eq!(service("web").expect("a name").to_string(), "default/web");
        assert_eq!(service("pay/web").expect("a name").to_string(), "pay/web");
        assert_eq!(crate::exit::exit_of(&service("a/b/c").expect_err("no name")), Exit::Usage);
    }
}
