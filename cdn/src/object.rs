//! `Object`: one Kubernetes object as canonical JSON, and `ObjectId`: what it is.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Digest, json};

/// What a Kubernetes object *is*: group, kind, namespace, name. Read from the object, never from a path; the version
/// is not part of it, since one object is served in several (FAULTS F26).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ObjectId {
    /// The API group; empty for the core group.
    pub group: String,
    /// The kind, e.g. `Deployment`.
    pub kind: String,
    /// The namespace; none for cluster-scoped objects, and where the service's namespace is to be filled in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// The name.
    pub name: String,
}

/// `Kind.group/namespace/name`; the core group is not written, and `_` stands for no namespace.
impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&kind_and_group(&self.kind, &self.group))?;
        write!(f, "/{}/{}", self.namespace.as_deref().unwrap_or("_"), self.name)
    }
}

impl ObjectId {
    /// The path in a bundle, for people and for sorting. Parts that are too long for ustar are cut and end in `~` and
    /// 16 hex digits of their sha256.
    pub fn path(&self) -> String {
        let kind = cut(&kind_and_group(&self.kind, &self.group), KIND_BYTES);
        let namespace = cut(self.namespace.as_deref().unwrap_or("_"), NAMESPACE_BYTES);
        format!("objects/{kind}/{namespace}/{}.json", cut(&self.name, OBJECT_NAME_BYTES))
    }
}

/// Whether a kind of Kubernetes itself lies in no namespace. Those that may be stored, of all versions from 1.25 to 1.37;
/// of any other kind only a cluster, or its definition, can say.
pub fn is_cluster_scoped(group: &str, kind: &str) -> bool {
    let kinds: &[&str] = match group {
        "" => &["ComponentStatus", "Namespace", "Node", "PersistentVolume"],
        "admissionregistration.k8s.io" => &[
            "MutatingAdmissionPolicy",
            "MutatingAdmissionPolicyBinding",
            "MutatingWebhookConfiguration",
            "ValidatingAdmissionPolicy",
            "ValidatingAdmissionPolicyBinding",
            "ValidatingWebhookConfiguration",
        ],
        "apiextensions.k8s.io" => &["CustomResourceDefinition"],
        "apiregistration.k8s.io" => &["APIService"],
        "certificates.k8s.io" => &["CertificateSigningRequest", "ClusterTrustBundle"],
        "flowcontrol.apiserver.k8s.io" => &["FlowSchema", "PriorityLevelConfiguration"],
        "internal.apiserver.k8s.io" => &["StorageVersion"],
        "networking.k8s.io" => &["ClusterCIDR", "IPAddress", "IngressClass", "ServiceCIDR"],
        "node.k8s.io" => &["RuntimeClass"],
        "policy" => &["PodSecurityPolicy"],
        "rbac.authorization.k8s.io" => &["ClusterRole", "ClusterRoleBinding"],
        "resource.k8s.io" => {
            &["DeviceClass", "DeviceTaintRule", "ResourcePoolStatusRequest", "ResourceSlice"]
        }
        "scheduling.k8s.io" => &["PriorityClass"],
        "storage.k8s.io" => {
            &["CSIDriver", "CSINode", "StorageClass", "VolumeAttachment", "VolumeAttributesClass"]
        }
        "storagemigration.k8s.io" => &["StorageVersionMigration"],
        _ => &[],
    };
    kinds.contains(&kind)
}

const KIND_BYTES: usize = 80;
const NAMESPACE_BYTES: usize = 63;
const OBJECT_NAME_BYTES: usize = 95;

fn kind_and_group(kind: &str, group: &str) -> String {
    if group.is_empty() { kind.to_owned() } else { format!("{kind}.{group}") }
}

fn cut(text: &str, bytes: usize) -> String {
    if text.len() <= bytes {
        return text.to_owned();
    }
    let end = (0..=bytes - 17).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    format!("{}~{}", &text[..end], &Digest::of(text.as_bytes()).hex()[..16])
}

/// One Kubernetes object: its identity, its version, and its canonical JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    id: ObjectId,
    version: String,
    json: Box<[u8]>,
}

/// Why a value is not a Kubernetes object.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ObjectRefused {
    /// A field that every object has is missing or of another type.
    #[error("`{0}` is missing, empty, or not a string")]
    Field(&'static str),
    /// A field's text cannot be part of an API path.
    #[error("`{0}` has a character that no Kubernetes name has")]
    Character(&'static str),
    /// The stored bytes are not the canonical form of what they say.
    #[error("its JSON is not canonical")]
    NotCanonical,
    /// The stored bytes are not JSON.
    #[error(transparent)]
    Json(#[from] json::JsonRefused),
}

impl Object {
    /// Takes a value that has been read from a manifest.
    pub fn from_value(value: &Value) -> Result<Self, ObjectRefused> {
        let (id, version) = identify(value)?;
        Ok(Self { id, version, json: json::canonical(value).into() })
    }

    /// Takes stored bytes: canonical, or refused.
    pub fn from_stored(bytes: &[u8], depth: usize) -> Result<Self, ObjectRefused> {
        let value = json::parse(bytes, depth)?;
        let object = Self::from_value(&value)?;
        if *object.json == *bytes { Ok(object) } else { Err(ObjectRefused::NotCanonical) }
    }

    /// What it is.
    pub fn id(&self) -> &ObjectId {
        &self.id
    }

    /// The API version without the group, e.g. `v1`.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// `group/version`, or `version` for the core group.
    pub fn api_version(&self) -> String {
        if self.id.group.is_empty() {
            self.version.clone()
        } else {
            format!("{}/{}", self.id.group, self.version)
        }
    }

    /// The canonical JSON.
    pub fn json(&self) -> &[u8] {
        &self.json
    }

    /// The digest of the canonical JSON.
    pub fn digest(&self) -> Digest {
        Digest::of(&self.json)
    }

    /// The object as a value, parsed anew: canonical bytes take a tenth of the memory of a value.
    pub fn value(&self) -> Value {
        serde_json::from_slice(&self.json).expect("canonical JSON is JSON")
    }
}

fn identify(value: &Value) -> Result<(ObjectId, String), ObjectRefused> {
    let text = |pointer: &str, name: &'static str| match value.pointer(pointer) {
        Some(Value::String(text)) if !text.is_empty() => part(text, name),
        _ => Err(ObjectRefused::Field(name)),
    };
    let api_version = match value.get("apiVersion") {
        Some(Value::String(text)) if !text.is_empty() => text.clone(),
        _ => return Err(ObjectRefused::Field("apiVersion")),
    };
    let (group, version) = api_version.split_once('/').unwrap_or(("", &api_version));
    let namespace = match value.pointer("/metadata/namespace") {
        None => None,
        Some(Value::String(text)) if text.is_empty() => None,
        Some(_) => Some(text("/metadata/namespace", "metadata.namespace")?),
    };
    let id = ObjectId {
        group: part(group, "apiVersion")?,
        kind: text("/kind", "kind")?,
        namespace,
        name: text("/metadata/name", "metadata.name")?,
    };
    Ok((id, part(version, "apiVersion")?))
}

/// A text that becomes one segment of an API path and of a bundle's path.
fn part(text: &str, field: &'static str) -> Result<String, ObjectRefused> {
    let bad = |c: char| c.is_control() || matches!(c, '/' | '\\' | '%' | '?' | '#');
    if text.chars().any(bad) || matches!(text, "." | "..") || text.len() > 253 {
        return Err(ObjectRefused::Character(field));
    }
    Ok(text.to_owned())
}
