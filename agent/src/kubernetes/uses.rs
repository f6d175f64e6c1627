//! Who uses the kind of a definition that is to go: deleting it deletes every object of the kind, whoever made it
//! (FAULTS F17).

use std::collections::BTreeMap;

use cdn::{Digest, ObjectId, ServiceName};
use serde_json::Value;

use super::api::ApiServer;
use super::list::walk;
use super::live::owner;
use super::observe::fetch;
use super::resource::Resource;
use super::trouble::Trouble;
use crate::target::{KindRef, Uses};

/// The objects of a definition's kind, counted by owner.
pub(super) async fn uses(api: &ApiServer, resource: &Resource, definition: &ObjectId, fleet: Digest) -> Uses {
    let found = match fetch(api, resource, definition, false).await {
        Ok(Some(found)) => found,
        // It is gone, and every object of its kind with it.
        Ok(None) => return Uses::Known { kind: String::new(), owners: BTreeMap::new() },
        Err(trouble) => return Uses::Unknown(trouble.to_string()),
    };
    let Some(kind) = defined(&found) else {
        return Uses::Unknown("no version of its kind is served".to_owned());
    };
    match count(api, &kind, fleet).await {
        Ok(Some(owners)) => Uses::Known { kind: kind.kind.kind, owners },
        Ok(None) => Uses::Unknown("there are too many objects of its kind to look at".to_owned()),
        Err(trouble) => Uses::Unknown(trouble.to_string()),
    }
}

/// By owner; none where there are too many to look at.
async fn count(
    api: &ApiServer,
    resource: &Resource,
    fleet: Digest,
) -> Result<Option<BTreeMap<Option<ServiceName>, usize>>, Trouble> {
    let of = resource.nameless();
    let mut owners = BTreeMap::new();
    let all = walk(api, resource, |object| {
        let owner = owner(&of, object, fleet).map(|(_, service)| service);
        *owners.entry(owner).or_insert(0) += 1;
    })
    .await?;
    Ok(all.then_some(owners))
}

/// The kind that a definition makes, in a version that is served, once it is established.
fn defined(definition: &Value) -> Option<Resource> {
    let text = |pointer: &str| definition.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    let list = |pointer: &str| definition.pointer(pointer).and_then(Value::as_array).into_iter().flatten();
    let is = |one: &Value, field: &str, value: &Value| one.get(field) == Some(value);
    list("/status/conditions")
        .find(|one| is(one, "type", &"Established".into()) && is(one, "status", &"True".into()))?;
    let version = list("/spec/versions").find(|one| is(one, "served", &true.into()))?;
    Some(Resource {
        kind: KindRef {
            group: text("/spec/group")?,
            version: version.get("name")?.as_str()?.to_owned(),
            kind: text("/spec/names/kind")?,
        },
        plural: text("/spec/names/plural")?,
        namespaced: text("/spec/scope")? == "Namespaced",
        lists: true,
    })
}
