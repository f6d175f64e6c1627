//! Keyset pages: every list has a bound, and the next page begins behind the last key of this one.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Entries of a page unless said.
const LIMIT: u32 = 100;
/// The most entries of a page.
const MAX_LIMIT: u32 = 1_000;

/// One page of a list.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Page<T> {
    /// The entries.
    pub items: Vec<T>,
    /// The cursor of the next page; absent on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// Which page.
#[derive(Clone, Debug, Default, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct PageQuery {
    /// At most this many entries; 100 unless said, at most 1,000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// `next` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

impl PageQuery {
    /// How many entries to read: one more than asked for tells whether there is a next page.
    pub(crate) fn rows(&self) -> i64 {
        rows(self.limit)
    }
}

/// How many rows to read for a page of so many entries.
pub(crate) fn rows(limit: Option<u32>) -> i64 {
    i64::from(limit.unwrap_or(LIMIT).clamp(1, MAX_LIMIT)) + 1
}

impl<T> Page<T> {
    /// A page of what was read by [`rows`]; `key` is the cursor behind an entry.
    pub(crate) fn of(mut items: Vec<T>, rows: i64, key: impl Fn(&T) -> String) -> Self {
        let limit = usize::try_from(rows - 1).unwrap_or(usize::MAX);
        let is_cut = items.len() > limit;
        items.truncate(limit);
        let next = if is_cut { items.last().map(key) } else { None };
        Self { items, next }
    }

    /// The same page of other entries.
    pub(crate) fn map<U>(self, to: impl FnMut(T) -> U) -> Page<U> {
        Page { items: self.items.into_iter().map(to).collect(), next: self.next }
    }
}
