//! Columns of text and bigint as what they mean, and back; one that cannot be read is an error of the query.

use std::str::FromStr;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Result;

/// `($1,$2),($3,$4)`: the list of a batch. Made of numbers alone.
pub(crate) fn rows(count: usize, columns: usize) -> String {
    let row = |row: usize| {
        let row: Vec<String> = (1..=columns).map(|column| format!("${}", row * columns + column)).collect();
        format!("({})", row.join(","))
    };
    (0..count).map(row).collect::<Vec<_>>().join(",")
}

/// A column's text as what it must be.
pub(crate) fn text<T: FromStr>(text: &str) -> Result<T>
where
    T::Err: std::error::Error + Send + Sync + 'static,
{
    text.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))
}

/// A column's text as what may be there.
pub(crate) fn maybe<T: FromStr>(column: Option<&str>) -> Result<Option<T>>
where
    T::Err: std::error::Error + Send + Sync + 'static,
{
    column.map(text).transpose()
}

/// A column's JSON.
pub(crate) fn json<T: DeserializeOwned>(text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(|error| sqlx::Error::Decode(Box::new(error)))
}

/// A word of a wire enum, as the column holds it.
pub(crate) fn word<T: Serialize>(value: &T) -> String {
    let value = serde_json::to_value(value).expect("a wire enum becomes JSON");
    value.as_str().expect("a wire enum is a word").to_owned()
}

/// The wire enum of a column's word.
pub(crate) fn of_word<T: DeserializeOwned>(word: &str) -> Result<T> {
    serde_json::from_value(word.into()).map_err(|error| sqlx::Error::Decode(Box::new(error)))
}

/// A document as a column's text.
pub(crate) fn to_json<T: Serialize>(value: &T) -> String {
    String::from_utf8(cdn::json::canonical_of(value)).expect("JSON is UTF-8 text")
}

/// A count or a sequence as the database holds it. What does not fit is refused where it comes in; bent to fit, it would
/// be another number, with none above it (FAULTS A3).
pub(crate) fn int(n: u64) -> Result<i64> {
    i64::try_from(n).map_err(|error| sqlx::Error::Encode(Box::new(error)))
}

/// The same the other way; the database holds nothing below 0.
pub(crate) fn nat(n: i64) -> u64 {
    u64::try_from(n).unwrap_or(0)
}
