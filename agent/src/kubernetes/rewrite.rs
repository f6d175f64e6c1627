//! Changing who owns an object's fields, and nothing else of it: a JSON patch that holds only for the version that was
//! read, so that what another client writes in between is never lost.

use cdn::ObjectId;
use cdn::document::HoldReason;
use http::Method;
use serde_json::{Value, json};

use super::api::{ApiServer, Ask};
use super::live::managed_fields as managed;
use super::observe::fetch;
use super::refusal::{Act, refusal};
use super::resource::Resource;
use super::trouble::Trouble;
use crate::target::Refusal;

/// How often a write that came in between is answered by reading again.
const ATTEMPTS: u32 = 4;
/// Whose name stands for the rewriting itself; it sets nothing, so it never owns a field.
const MANAGER: &str = "windlass";

/// Replaces the entries by what `change` makes of them; says whether there was anything to change. An object that is
/// gone or has another UID by now is left alone.
pub(super) async fn managed_fields(
    api: &ApiServer,
    resource: &Resource,
    id: &ObjectId,
    uid: &str,
    change: impl Fn(&[Value]) -> Option<Vec<Value>>,
) -> Result<bool, Refusal> {
    let operations = |object: &Value| change(managed(object)).map(|after| vec![replace(&after)]);
    patch(api, resource, id, uid, operations).await
}

/// The operation that replaces all entries.
pub(super) fn replace(managed: &[Value]) -> Value {
    json!({"op": "add", "path": "/metadata/managedFields", "value": managed})
}

/// Patches an object by the operations that `change` makes of it, if any.
pub(super) async fn patch(
    api: &ApiServer,
    resource: &Resource,
    id: &ObjectId,
    uid: &str,
    change: impl Fn(&Value) -> Option<Vec<Value>>,
) -> Result<bool, Refusal> {
    let failed = |trouble: &Trouble| refusal(Act::Apply, id, trouble);
    for _ in 0..ATTEMPTS {
        let object = fetch(api, resource, id, true).await.map_err(|trouble| failed(&trouble))?;
        let text = |object: &Value, pointer: &str| {
            object.pointer(pointer).and_then(Value::as_str).map(str::to_owned)
        };
        let Some(object) = object.filter(|object| text(object, "/metadata/uid").as_deref() == Some(uid))
        else {
            return Ok(false);
        };
        let Some(mut operations) = change(&object) else { return Ok(false) };
        let version = text(&object, "/metadata/resourceVersion");
        operations.push(json!({"op": "replace", "path": "/metadata/resourceVersion", "value": version}));
        let path = resource.object(id).unwrap_or_default();
        let body = serde_json::to_vec(&operations).expect("operations are plain JSON");
        let path = format!("{path}?fieldManager={MANAGER}");
        let ask = Ask::with(Method::PATCH, path, "application/json-patch+json", body);
        match api.send(ask.metadata_only(true)).await {
            Ok(_) => return Ok(true),
            Err(trouble) if trouble.code() == Some(409) => {}
            Err(trouble) => return Err(failed(&trouble)),
        }
    }
    Err(Refusal::passing(HoldReason::ApplyFailed, "someone else keeps writing to it"))
}
