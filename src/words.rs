//! Small words that tables and descriptions share: states, ages, labels, names of services.

use std::collections::BTreeMap;

use anyhow::Result;
use api::routes::releases::Release;
use cdn::{Digest, ProjectName, ServiceName};
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
    match () {
        () if seconds < 120 => format!("{seconds}s"),
        () if minutes < 10 && seconds % 60 > 0 => format!("{minutes}m{}s", seconds % 60),
        () if minutes < 180 => format!("{minutes}m"),
        () if hours < 8 && minutes % 60 > 0 => format!("{hours}h{}m", minutes % 60),
        () if hours < 48 => format!("{hours}h"),
        () if days < 8 && hours % 24 > 0 => format!("{days}d{}h", hours % 24),
        () => format!("{days}d"),
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

/// The one release among these whose digest begins with some digits. `whose` says whose releases they are.
pub(crate) fn one_release(digits: &str, releases: &[Release], whose: &str) -> Result<Digest> {
    let hex = digits.strip_prefix("sha256:").unwrap_or(digits);
    let mut fitting = releases.iter().filter(|release| release.digest.hex().starts_with(hex));
    match (fitting.next(), fitting.next()) {
        (Some(one), None) if hex.len() >= 6 => Ok(one.digest),
        (None, _) => Err(Failure::new(Exit::NotFound, format!("{whose} has no release `{digits}`"))
            .next("see them with `windlass get releases`")
            .into()),
        (Some(_), _) => Err(Failure::new(Exit::Usage, format!("`{digits}` is not one release of {whose}"))
            .why("it fits several, or has fewer than 6 digits")
            .next("give more of the digest")
            .into()),
    }
}

/// A clap value parser for services.
pub(crate) fn service_arg(text: &str) -> Result<ServiceName, String> {
    service(text).map_err(|error| error.to_string())
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
