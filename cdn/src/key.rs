//! `Key`: every place in a store, its content type, its cache policy and its bound, as one exhaustive enum.

use std::fmt;

use crate::document::{Desired, Document, Head, Root, Routes};
use crate::limits::Limits;
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

/// The folder below `v1/` that all places of one kind lie in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Room {
    /// Objects.
    Objects,
    /// Roots.
    Roots,
    /// Heads, in a folder for each project.
    Heads,
    /// Routes.
    Routes,
    /// Desired documents.
    Desired,
}

impl Room {
    /// Every room.
    pub const ALL: [Self; 5] = [Self::Objects, Self::Roots, Self::Heads, Self::Routes, Self::Desired];

    /// The room of a place.
    pub fn of(key: &Key) -> Self {
        match key {
            Key::Object(_) => Self::Objects,
            Key::Root(_) => Self::Roots,
            Key::Head(_) => Self::Heads,
            Key::Routes(_) => Self::Routes,
            Key::Desired(_) => Self::Desired,
        }
    }

    /// The folder's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Objects => "o",
            Self::Roots => "root",
            Self::Heads => "head",
            Self::Routes => "routes",
            Self::Desired => "desired",
        }
    }

    fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|room| room.name() == name)
    }
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
        let name = match self {
            Self::Object(digest) => digest.hex(),
            Self::Root(version) => format!("{version}.json"),
            Self::Head(service) => format!("{}/{}.json", service.project(), service.name()),
            Self::Routes(bundle) => format!("{}.json", bundle.hex()),
            Self::Desired(cluster) => cluster.to_string(),
        };
        format!("v1/{}/{name}", Room::of(self).name())
    }

    /// Reads a path, with or without a leading slash; `None` for every other place.
    pub fn parse(path: &str) -> Option<Self> {
        let path = path.strip_prefix('/').unwrap_or(path).strip_prefix("v1/")?;
        let (room, rest) = path.split_once('/')?;
        let key = match Room::named(room)? {
            Room::Objects => Self::Object(Digest::from_hex(rest).ok()?),
            Room::Roots => Self::Root(rest.strip_suffix(".json")?.parse().ok()?),
            Room::Heads => Self::Head(rest.strip_suffix(".json")?.parse().ok()?),
            Room::Routes => Self::Routes(Digest::from_hex(rest.strip_suffix(".json")?).ok()?),
            Room::Desired => Self::Desired(rest.parse().ok()?),
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
            Self::Root(_) => Root::MAX_BYTES as u64,
            Self::Head(_) => Head::MAX_BYTES as u64,
            Self::Routes(_) => Routes::MAX_BYTES as u64,
            Self::Desired(_) => Desired::MAX_BYTES as u64,
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "/{}", self.path())
    }
}
