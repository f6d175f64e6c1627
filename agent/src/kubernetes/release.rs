//! Letting an object go: our marks and our field ownership are taken away, and nothing else changes. An apply with fewer
//! fields would delete what we alone own.

use cdn::{ObjectId, ServiceName};
use serde_json::{Value, json};

use super::api::ApiServer;
use super::live::managed_fields;
use super::resource::Resource;
use super::{ownership, rewrite};
use crate::target::{ADOPTED, OWNER, Refusal, field_manager};

/// Takes `service`'s marks and ownership from an object.
pub(super) async fn release(
    api: &ApiServer,
    resource: &Resource,
    id: &ObjectId,
    uid: &str,
    service: &ServiceName,
) -> Result<(), Refusal> {
    let manager = field_manager(service);
    rewrite::patch(api, resource, id, uid, |object| operations(object, &manager)).await.map(drop)
}

fn operations(object: &Value, manager: &str) -> Option<Vec<Value>> {
    let annotations = object.pointer("/metadata/annotations");
    let marks =
        [OWNER, ADOPTED].into_iter().filter(|mark| annotations.is_some_and(|all| all.get(mark).is_some()));
    let mut operations: Vec<Value> = marks
        .map(|mark| json!({"op": "remove", "path": format!("/metadata/annotations/{}", pointer(mark))}))
        .collect();
    let entries = managed_fields(object);
    let after = ownership::without(entries, manager);
    if entries.iter().any(|entry| entry.get("manager").and_then(Value::as_str) == Some(manager)) {
        operations.push(rewrite::replace(&after));
    }
    (!operations.is_empty()).then_some(operations)
}

/// A key as a JSON pointer writes it (RFC 6901).
fn pointer(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}
