//! Ids of rows: a prefix that says of what, and a `UUIDv7` (RFC 9562), so that ids grow with time and a keyset page by id is
//! a page by age.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};

/// The last tick given: milliseconds, and below them 12 bits that count within one (RFC 9562, 6.2, method 1).
static LAST: AtomicU64 = AtomicU64::new(0);

/// A new id such as `jt_0198...`; of one process each is above the one before.
pub(crate) fn new(prefix: &str, now_ms: i64) -> String {
    let now = u64::try_from(now_ms).unwrap_or(0) << 12;
    let next = |last: u64| now.max(last + 1);
    let last = LAST.fetch_update(Ordering::AcqRel, Ordering::Acquire, |last| Some(next(last)));
    let tick = next(last.unwrap_or_default());
    let mut bytes = cdn::secret::random::<16>();
    bytes[..6].copy_from_slice(&(tick >> 12).to_be_bytes()[2..]);
    bytes[6..8].copy_from_slice(&(0x7000 | (tick & 0x0fff)).to_be_bytes()[6..]);
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let mut id = format!("{prefix}_");
    for byte in bytes {
        // A String takes every write.
        let _written: std::fmt::Result = write!(id, "{byte:02x}");
    }
    id
}

#[cfg(test)]
mod tests {
    #[test]
    fn ids_grow_with_time() {
        let ids: Vec<String> = (0..5_000).map(|n| super::new("jt", 1_700_000_000_000 + n / 1_000)).collect();
        assert!(ids.is_sorted_by(|a, b| a < b));
        assert!(ids.iter().all(|id| id.len() == 35 && &id[15..16] == "7"), "{:?}", ids.first());
    }
}
