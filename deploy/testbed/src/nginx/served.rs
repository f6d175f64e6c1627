//! One line of nginx's access log.

use anyhow::{Context, Result};
use serde_json::Value;

/// One request that nginx has answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Served {
    /// `GET` and the like.
    pub method: String,
    /// Path and query, as asked for.
    pub path: String,
    /// The status that the client got.
    pub status: u16,
    /// Bytes sent to the client, head and body.
    pub bytes_sent: u64,
    /// Bytes of the body alone.
    pub body_bytes: u64,
    /// What the cache said: `HIT`, `MISS`, `EXPIRED`, `STALE`, `REVALIDATED`, `UPDATING`; empty for plain files.
    pub cache: String,
    /// Bytes read from the origin for this request; 0 when it was not asked.
    pub origin_bytes: u64,
}

impl Served {
    pub(super) fn parse(line: &str) -> Result<Self> {
        let value: Value = serde_json::from_str(line).with_context(|| format!("nginx logged `{line}`"))?;
        let text = |name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let number = |name: &str| value.get(name).and_then(Value::as_u64).unwrap_or_default();
        Ok(Self {
            method: text("method"),
            path: text("path"),
            status: u16::try_from(number("status")).unwrap_or_default(),
            bytes_sent: number("bytes_sent"),
            body_bytes: number("body_bytes"),
            cache: text("cache"),
            origin_bytes: sum(&text("origin_bytes")),
        })
    }
}

/// One number for each origin that was asked, as `12, 345`; `-` or nothing when none was.
fn sum(numbers: &str) -> u64 {
    numbers.split([',', ':', ' ']).filter_map(|number| number.parse::<u64>().ok()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_that_were_asked_twice_are_added_up() {
        assert_eq!((sum("12, 345"), sum("-"), sum("")), (357, 0, 0));
    }
}
