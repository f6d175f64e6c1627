//! Who uses the kind of a definition that is to go: deleting it deletes every object of the kind, whoever made it
//! (FAULTS F17).

use std::collections::BTreeMap;

use cdn::{Digest, ObjectId, ServiceName};
use serde_json::Value;

use super::api::{ApiServer, Ask};
use super::list::read_page;
use super::live::{identity, live};
use super::observe::fetch;
use super::resource::{Resource, segment};
use super::trouble::Trouble;
use crate::target::{KindRef, Uses};

/// Objects on one page of metadata, and the most that are counted.
const PAGE: usize = 500;
const MOST: usize = 20_000;

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
        Ok(None) => Uses::Unknown(format!("there are more than {MOST} objects of its kind")),
        Err(trouble) => Uses::Unknown(trouble.to_string()),
    }
}

/// By owner; none where there are too many to look at.
async fn count(
    api: &ApiServer,
    resource: &Resource,
    fleet: Digest,
) -> Result<Option<BTreeMap<Option<ServiceName>, usize>>, Trouble> {
    let of = ObjectId {
        group: resource.kind.group.clone(),
        kind: resource.kind.kind.clone(),
        namespace: None,
        name: String::new(),
    };
    let (mut owners, mut seen, mut next) = (BTreeMap::new(), 0, String::new());
    loop {
        let path = format!("{}?limit={PAGE}&continue={}", resource.collection(None), segment(&next));
        let answer = api.send(Ask::list(path).metadata_only(true)).await?;
        let more = read_page(&answer.body, |object| {
            seen += 1;
            *owners.entry(owner(&of, object, fleet)).or_insert(0) += 1;
        })?;
        match more {
            None => return Ok(Some(owners)),
            Some(_) if seen >= MOST => return Ok(None),
            Some(token) => next = token,
        }
    }
}

fn owner(of: &ObjectId, object: &Value, fleet: Digest) -> Option<ServiceName> {
    let id = identity(of, object)?;
    live(&id, object)?.owner?.owner_of(&id, fleet).cloned()
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
    })
}
