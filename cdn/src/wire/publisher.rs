//! What the api asks of publishers, and what they answer: `GET /v1/wanted`, `POST /v1/releases` (the release's
//! envelope, as it is), `POST /v1/publish-status`. The api only says what is wanted; what may be rendered is the
//! publisher's own decision.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::described::{Described, Unknown};
use crate::{Digest, ServiceName};

/// The answer to `GET /v1/wanted`: the services of the publisher's project, with an ETag.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wanted {
    /// Sorted by name.
    pub services: Vec<Described<WantedService>>,
    /// The newest root that the api has, which it has put into the store; none from an api of an earlier version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root: Option<u64>,
}

impl Wanted {
    /// Those that are understood.
    pub fn known(&self) -> impl Iterator<Item = &WantedService> {
        self.services.iter().filter_map(Described::known)
    }

    /// The names of all.
    pub fn names(&self) -> impl Iterator<Item = ServiceName> {
        self.services.iter().filter_map(|service| match service {
            Described::Known(known) => Some(known.name.clone()),
            Described::Unknown(unknown) => unknown.service(),
        })
    }
}

impl Unknown {
    /// Which service it describes; one without a name is nobody's.
    pub fn service(&self) -> Option<ServiceName> {
        self.value.get("name")?.as_str()?.parse().ok()
    }

    /// What the publisher repeats of it, as [`WantedService::asked`].
    pub fn asked(&self) -> Option<Digest> {
        self.value.get("asked")?.as_str()?.parse().ok()
    }
}

/// One service that should be published.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WantedService {
    /// The service.
    pub name: ServiceName,
    /// Where its manifests come from.
    pub source: Source,
    /// The folder in the source, relative; empty for its top.
    #[serde(default)]
    pub path: String,
    /// The namespace of objects that name none.
    pub namespace: String,
    /// What makes manifests of the folder.
    #[serde(default)]
    pub renderer: Renderer,
    /// The newest release of it that the api knows.
    #[serde(default, skip_serializing_if = "Newest::is_unsaid")]
    pub newest: Newest,
    /// Names all of the above but the newest release, for the publisher to repeat in its status as it came; none from an
    /// api of an earlier version, and of a description that comes from elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<Digest>,
}

/// The newest release of a service that the api knows: its digest, or `null`. A publisher whose head is another one
/// registers that at once: the api's database may have been restored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Newest {
    /// This one.
    Release(Digest),
    /// It knows none.
    None,
    /// It does not say: an api of an earlier version, or a description that comes from elsewhere.
    #[default]
    #[serde(skip)]
    Unsaid,
}

impl Newest {
    /// Whether nothing is said.
    pub fn is_unsaid(&self) -> bool {
        *self == Self::Unsaid
    }

    /// Whether this is said, and is not this release.
    pub fn is_other_than(&self, release: Option<Digest>) -> bool {
        match self {
            Self::Release(newest) => Some(*newest) != release,
            Self::None => release.is_some(),
            Self::Unsaid => false,
        }
    }
}

/// Where manifests come from; in documents `git: {...}` or `directory: {...}`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Source {
    /// A git repository.
    Git(GitSource),
    /// A folder on the publisher's machine.
    Directory(DirectorySource),
}

/// A git repository at a ref.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GitSource {
    /// `https://`, `ssh://`, `user@host:path`, or `file://` where the publisher allows it. Never with a password.
    pub url: String,
    /// A branch, tag, or full commit id.
    #[serde(rename = "ref", default = "main")]
    pub reference: String,
}

fn main() -> String {
    "main".to_owned()
}

/// A folder on the publisher's machine.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DirectorySource {
    /// An absolute path.
    pub path: String,
}

/// What makes manifests of a folder; in documents `plain: {}`, `kustomize: {}` or `helm: {...}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Renderer {
    /// Every YAML and JSON file of the folder and its subfolders.
    Plain(Nothing),
    /// `kustomize build` of the folder.
    Kustomize(Nothing),
    /// `helm template` of the chart in the folder.
    Helm(Box<HelmRenderer>),
}

impl Eq for Renderer {}

impl Renderer {
    /// Its word: what documents, command lines and tables call it.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Plain(_) => "plain",
            Self::Kustomize(_) => "kustomize",
            Self::Helm(_) => "helm",
        }
    }
}

impl Default for Renderer {
    fn default() -> Self {
        Self::Plain(Nothing {})
    }
}

/// No options.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

/// How a chart is rendered.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HelmRenderer {
    /// The release's name in templates; the service's name unless said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release_name: Option<String>,
    /// Value files, relative to the chart, later ones win.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub value_files: Vec<String>,
    /// Values, which win over the files.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub values: BTreeMap<String, Value>,
    /// The Kubernetes version that templates see, e.g. `1.37`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kube_version: Option<String>,
    /// API versions that templates see beside the built-in ones.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub api_versions: Vec<String>,
}

/// `POST /v1/publish-status`: what became of looking at a service, for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublishStatus {
    /// The service.
    pub service: ServiceName,
    /// The commit looked at; empty if the source could not be read.
    #[serde(default)]
    pub commit: String,
    /// What became of it.
    pub outcome: Outcome,
    /// The release that stands now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<Digest>,
    /// What, why and the next step; at most 500 characters, never a secret.
    #[serde(default)]
    pub message: String,
    /// Which description of the service was looked at, see [`WantedService::asked`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<Digest>,
}

/// What became of looking at a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// A new release.
    Published,
    /// The same bundle as before.
    Unchanged,
    /// The publisher's own rules forbid it: the allow list, a check.
    Refused,
    /// The source could not be read or rendered.
    Failed,
    /// A word of a later version.
    #[serde(other)]
    Unknown,
}
