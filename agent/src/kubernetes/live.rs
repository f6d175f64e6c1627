//! From what the API server returns to [`Live`].

use cdn::{Digest, ObjectId, ServiceName};
use serde_json::Value;

use super::{health, ownership};
use crate::target::{ADOPTED, Live, OWNER};

/// One object, whole or only its metadata; none when it is not the object that was asked for.
pub(super) fn live(id: &ObjectId, object: &Value) -> Option<Live> {
    let metadata = object.get("metadata")?;
    let text = |field: &str| metadata.get(field).and_then(Value::as_str);
    if text("name") != Some(id.name.as_str()) || text("namespace") != id.namespace.as_deref() {
        return None;
    }
    let (uid, resource_version) = (text("uid")?, text("resourceVersion")?);
    let annotation = |name: &str| metadata.get("annotations")?.get(name)?.as_str();
    let entries = managed_fields(object);
    Some(Live {
        uid: uid.to_owned(),
        resource_version: resource_version.to_owned(),
        content: ownership::content(uid, entries),
        owner: annotation(OWNER).and_then(|mark| mark.parse().ok()),
        adopted: annotation(ADOPTED) == Some("true"),
        deleting: text("deletionTimestamp").is_some(),
        scaler: ownership::scaler(entries),
        finished: health::finish(id, object),
        health: health::health(id, object),
    })
}

/// The entries of its managed fields.
pub(super) fn managed_fields(object: &Value) -> &[Value] {
    object.pointer("/metadata/managedFields").and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// Its identity, where it has a name: the items of a list say no kind.
pub(super) fn identity(of: &ObjectId, object: &Value) -> Option<ObjectId> {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    let namespace = text("/metadata/namespace");
    Some(ObjectId { namespace, name: text("/metadata/name")?, ..of.clone() })
}

/// Which object it is, and the service of this fleet that owns it, by its mark.
pub(super) fn owner(of: &ObjectId, object: &Value, fleet: Digest) -> Option<(ObjectId, ServiceName)> {
    let id = identity(of, object)?;
    let service = live(&id, object)?.owner?.owner_of(&id, fleet)?.clone();
    Some((id, service))
}
