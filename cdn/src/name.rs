//! Names that can only be right: projects, services, clusters.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A text is not the name that it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not {wanted}")]
pub struct BadName {
    text: String,
    wanted: &'static str,
}

const LABEL: &str =
    "a DNS label (RFC 1123: 1 to 63 of a-z, 0-9 and -, beginning and ending with a letter or digit)";
const SERVICE: &str = "a service: `project/name`, each a DNS label";
const CLUSTER: &str = "a cluster id: `cl-` and 32 lower-case hex digits";

/// Whether `text` is a DNS label (RFC 1123).
pub fn is_dns_label(text: &str) -> bool {
    let edge = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let bytes = text.as_bytes();
    matches!((bytes.first(), bytes.last()), (Some(a), Some(z)) if edge(*a) && edge(*z))
        && bytes.len() <= 63
        && bytes.iter().all(|b| edge(*b) || *b == b'-')
}

/// A tenant's name, a DNS label; `default` unless said.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProjectName(String);

/// A service's name in the whole fleet: `project/name`, both DNS labels.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServiceName {
    project: ProjectName,
    name: String,
}

/// A cluster's random id, `cl-` and 128 bits in hex: its place in a store tells nothing about it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClusterId(String);

impl ProjectName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for ProjectName {
    fn default() -> Self {
        Self("default".to_owned())
    }
}

impl ServiceName {
    /// Joins a project and a name.
    pub fn new(project: ProjectName, name: &str) -> Result<Self, BadName> {
        if is_dns_label(name) {
            Ok(Self { project, name: name.to_owned() })
        } else {
            Err(BadName { text: name.to_owned(), wanted: LABEL })
        }
    }

    /// The tenant.
    pub fn project(&self) -> &ProjectName {
        &self.project
    }

    /// The name within the project.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl ClusterId {
    /// A new random id.
    pub fn random() -> Self {
        Self(format!("cl-{}", crate::digest::hex(&crate::secret::random::<16>())))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ProjectName {
    type Err = BadName;

    fn from_str(text: &str) -> Result<Self, BadName> {
        if is_dns_label(text) {
            Ok(Self(text.to_owned()))
        } else {
            Err(BadName { text: text.to_owned(), wanted: LABEL })
        }
    }
}

impl FromStr for ServiceName {
    type Err = BadName;

    fn from_str(text: &str) -> Result<Self, BadName> {
        let bad = || BadName { text: text.to_owned(), wanted: SERVICE };
        let (project, name) = text.split_once('/').ok_or_else(bad)?;
        Self::new(project.parse().map_err(|_| bad())?, name).map_err(|_| bad())
    }
}

impl FromStr for ClusterId {
    type Err = BadName;

    fn from_str(text: &str) -> Result<Self, BadName> {
        let hex = text.strip_prefix("cl-").unwrap_or_default();
        if hex.len() == 32 && hex.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)) {
            Ok(Self(text.to_owned()))
        } else {
            Err(BadName { text: text.to_owned(), wanted: CLUSTER })
        }
    }
}

impl fmt::Display for ProjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for ServiceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.project, self.name)
    }
}

impl fmt::Display for ClusterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

macro_rules! as_text {
    ($($name:ident),*) => {$(
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}

as_text!(ProjectName, ServiceName, ClusterId);
