//! A value to a type, strictly: what does not fit is said with its path, and a mistyped word with the one meant.

use serde::de::DeserializeOwned;
use serde_json::Value;

/// How like two words must be for one to be proposed; clap's own measure for flags.
const LIKE: f64 = 0.7;

/// Reads a value that stands at `at`; the error names the path.
pub(super) fn read<T: DeserializeOwned>(value: Value, at: &str) -> Result<T, String> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        let inner = error.path().to_string();
        let why = error.inner().to_string();
        let path = match (at, inner.as_str()) {
            ("", "." | "") => "document".to_owned(),
            (at, "." | "") => at.to_owned(),
            ("", inner) => inner.to_owned(),
            (at, inner) => format!("{at}.{inner}"),
        };
        format!("{path}: {why}{}", proposal(&why))
    })
}

/// What was probably meant, where serde names what it knows: ``unknown field `x`, expected one of `a`, `b` ``.
fn proposal(why: &str) -> String {
    if !why.starts_with("unknown") {
        return String::new();
    }
    let mut words = why.split('`').skip(1).step_by(2);
    words.next().map(|wrong| hint(wrong, words)).unwrap_or_default()
}

/// `; did you mean ...?`, if one of the known words is like the wrong one.
pub(super) fn hint<'w>(wrong: &str, known: impl IntoIterator<Item = &'w str>) -> String {
    let likeness = |word: &'w str| (strsim::jaro_winkler(&wrong.to_lowercase(), &word.to_lowercase()), word);
    let best =
        known.into_iter().map(likeness).filter(|(like, _)| *like > LIKE).max_by(|a, b| a.0.total_cmp(&b.0));
    best.map(|(_, word)| format!("; did you mean `{word}`?")).unwrap_or_default()
}
