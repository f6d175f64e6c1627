//! Deleting one object: this very one, by its UID, and nothing that has taken its name since (FAULTS F40).

use cdn::ObjectId;
use cdn::document::HoldReason;
use http::Method;
use serde_json::{Value, json};

use super::api::{ApiServer, Ask};
use super::refusal::{Act, refusal};
use super::resource::Resource;
use crate::target::{Deleted, Refusal};

/// Deletes it; what it owns goes in the background.
pub(super) async fn delete(
    api: &ApiServer,
    resource: &Resource,
    id: &ObjectId,
    uid: &str,
    resource_version: Option<&str>,
) -> Result<Deleted, Refusal> {
    let Some(path) = resource.object(id) else {
        return Err(Refusal::lasting(
            HoldReason::Rejected,
            format!("no object of {} is named so", resource.kind),
        ));
    };
    let mut preconditions = json!({"uid": uid});
    if let Some(version) = resource_version {
        preconditions["resourceVersion"] = version.into();
    }
    let options = json!({
        "apiVersion": "v1", "kind": "DeleteOptions",
        "propagationPolicy": "Background", "preconditions": preconditions,
    });
    let body = serde_json::to_vec(&options).expect("options are plain JSON");
    let ask = Ask::with(Method::DELETE, path, "application/json", body);
    match api.send(ask.metadata_only(resource.metadata_only())).await {
        Ok(answer) => Ok(outcome(&answer.body)),
        Err(trouble) if trouble.proves_missing(&resource.plural, &id.name) => Ok(Deleted::Gone),
        Err(trouble) => Err(refusal(Act::Delete, id, &trouble)),
    }
}

/// What stays for a while is answered by itself, with the time of its deletion; what is gone by a success or by itself as
/// it was.
fn outcome(body: &[u8]) -> Deleted {
    match serde_json::from_slice::<Value>(body) {
        Ok(answer) if answer.pointer("/metadata/deletionTimestamp").is_none() => Deleted::Gone,
        Ok(_) | Err(_) => Deleted::Deleting,
    }
}
