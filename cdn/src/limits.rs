//! The sizes that two programs must agree on, or one document must keep to (law L5). What one document may have is its
//! `MAX_BYTES`; what one program alone bears is beside the code that bears it.

/// Bounds on what is read from outside. The defaults are the product's; tests make smaller ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// A bundle's uncompressed tar, in bytes.
    pub bundle_bytes: u64,
    /// A stored encoding of a bundle, in bytes.
    pub stored_bytes: u64,
    /// Files in one bundle.
    pub entries: usize,
    /// One Kubernetes object as canonical JSON, in bytes. etcd refuses more than about 1.4 MB, and an object
    /// above that can no longer be repaired (FAULTS F24).
    pub object_bytes: usize,
    /// Nesting of JSON and YAML.
    pub depth: usize,
    /// Unpacked bytes per stored byte.
    pub ratio: u64,
}

impl Limits {
    /// What every program uses.
    pub const DEFAULT: Self = Self {
        bundle_bytes: 128 << 20,
        stored_bytes: 64 << 20,
        entries: 20_000,
        object_bytes: 1 << 20,
        depth: 64,
        ratio: 1_000,
    };
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// Signatures that are read from one envelope; more is refused (FAULTS A10).
pub const SIGNATURES: usize = 16;
/// Roots of one chain: a fleet makes one in months or years, and who offers more does it to keep a reader busy.
pub const ROOTS: u64 = 1_000;
/// Keys of one role.
pub const KEYS: usize = 16;
/// Entries of each list in a `desired`.
pub const DESIRED_LIST: usize = 64;
/// Services in one set.
pub const SET_SERVICES: usize = 2_000;
/// Bytes of a `values` document.
pub const VALUES_BYTES: usize = 64 << 10;
/// Bytes of the small objects that may ride beside a `desired` in a poll's answer.
pub const INLINE_BYTES: usize = 16 << 10;
/// Bytes of a whole answer to a poll.
pub const POLL_BYTES: usize = 256 << 10;
/// Bytes of a report.
pub const REPORT_BYTES: usize = 1 << 20;
/// Holds and services named in one report.
pub const REPORT_LIST: usize = 2_000;
/// Characters of free text in a report: a message, a next step.
pub const TEXT_CHARS: usize = 500;
