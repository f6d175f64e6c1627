//! `Key`: every place in a store, its content type, its cache policy and its bound, as one exhaustive enum.

use std::fmt;

use crate::limits::{Limits, VALUES_BYTES};
use crate::{ClusterId, Digest, ServiceName};

/// A place in a store. Readers get exactly one key: there is no listing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// `/v1/o/<sha256 of the stored bytes>`: immutable.
    Object(Digest),
    /// `/v1/root/<n>.json`: immutable; the chain of roots.
    Root(u64),
    /// `/v1/head/<project>/<service>.json`: moved by compare-and-set.
    Head(ServiceName),
    /// `/v1/routes/<T>.json`: which deltas lead to T; grows.
    Routes(Digest),
    /// `/v1/desired/<cluster id>`: for agents that poll the CDN.
    Desired(ClusterId),
}

/// Whether what lies at a key may change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Put once; a second put of the same key is the same content.
    Never,
    /// Replaced by compare-and-set.
    CompareAndSet,
}

impl Key {
    /// The path, without a leading slash: what follows an origin's URL, and the name in a bucket or folder.
    pub fn path(&self) -> String {
        match self {
            Self::Object(digest) => format!("v1/o/{}", digest.hex()),
            Self::Root(version) => format!("v1/root/{version}.json"),
            Self::Head(service) => format!("v1/head/{}/{}.json", service.project(), service.name()),
            Self::Routes(bundle) => format!("v1/routes/{}.json", bundle.hex()),
            Self::Desired(cluster) => format!("v1/desired/{cluster}"),
        }
    }

    /// Reads a path, with or without a leading slash; `None` for every other place.
    pub fn parse(path: &str) -> Option<Self> {
        let path = path.strip_prefix('/').unwrap_or(path).strip_prefix("v1/")?;
        let (room, rest) = path.split_once('/')?;
        let key = match room {
            "o" => Self::Object(Digest::from_hex(rest).ok()?),
            "root" => Self::Root(rest.strip_suffix(".json")?.parse().ok()?),
            "head" => Self::Head(rest.strip_suffix(".json")?.parse().ok()?),
            "routes" => Self::Routes(Digest::from_hex(rest.strip_suffix(".json")?).ok()?),
            "desired" => Self::Desired(rest.parse().ok()?),
            _ => return None,
        };
        // One place has one spelling: `root/007.json` is not `root/7.json`.
        key.path().strip_prefix("v1/").is_some_and(|spelling| spelling == path).then_some(key)
    }

    /// Whether what lies there may change.
    pub fn change(&self) -> Change {
        match self {
            Self::Object(_) | Self::Root(_) => Change::Never,
            Self::Head(_) | Self::Routes(_) | Self::Desired(_) => Change::CompareAndSet,
        }
    }

    /// `Content-Type`.
    pub fn content_type(&self) -> &'static str {
        match self {
            Self::Object(_) => "application/octet-stream",
            Self::Root(_) | Self::Head(_) | Self::Routes(_) | Self::Desired(_) => "application/json",
        }
    }

    /// `Cache-Control`.
    pub fn cache_control(&self) -> &'static str {
        match self {
            Self::Object(_) | Self::Root(_) => "public, max-age=31536000, immutable",
            Self::Head(_) => "public, max-age=5, stale-while-revalidate=30, stale-if-error=86400",
            Self::Routes(_) => "public, max-age=60, stale-while-revalidate=600, stale-if-error=86400",
            Self::Desired(_) => "public, max-age=5, stale-while-revalidate=30, stale-if-error=604800",
        }
    }

    /// `Cache-Control` of a 404: short, so that an edge does not hide what was just published (FAULTS C9).
    pub const fn cache_control_of_absence() -> &'static str {
        "public, max-age=5"
    }

    /// The most bytes that a reader takes from there.
    pub fn max_bytes(&self) -> u64 {
        match self {
            Self::Object(_) => Limits::DEFAULT.stored_bytes,
            Self::Root(_) | Self::Head(_) | Self::Routes(_) | Self::Desired(_) => 2 * VALUES_BYTES as u64,
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "/{}", self.path())
    }
}
