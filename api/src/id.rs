//! Ids of rows: a prefix that says of what, and a `UUIDv7` (RFC 9562), so that ids grow with time and a keyset page by id is
//! a page by age.

use std::fmt::Write as _;

/// A new id such as `jt_0198...`.
pub(crate) fn new(prefix: &str, now_ms: i64) -> String {
    let mut bytes = cdn::secret::random::<16>();
    bytes[..6].copy_from_slice(&now_ms.to_be_bytes()[2..]);
    bytes[6] = (bytes[6] & 0x0f) | 0x70;
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
        let (early, late) = (super::new("jt", 1_700_000_000_000), super::new("jt", 1_700_000_000_001));
        assert!(early < late && early.len() == 35, "{early} {late}");
        assert_eq!(&early[15..16], "7");
    }
}
