//! Making one object so, by server-side apply.
//!
//! First without force: a conflict says whose fields we would take. People's and other programs' are taken back by a
//! second, forced apply; another tool's and another service's are left (FAULTS F12, F13). What `kubectl apply` or Helm
//! has declared before us becomes ours at the first apply, so that what the source no longer says goes (FAULTS F25).

use cdn::document::HoldReason;
use cdn::{Object, ObjectId};
use http::{Method, StatusCode};
use kube::core::Status;
use serde_json::{Value, json};

use super::api::{ApiServer, Ask};
use super::live::{live, managed_fields};
use super::ownership::Legacy;
use super::refusal::{Act, refusal};
use super::resource::{Resource, segment};
use super::trouble::Trouble;
use super::{conflict, ownership, release, rewrite};
use crate::target::{Live, Prepared, Refusal, field_manager};

/// One object as its apply left it.
pub(super) struct Applied {
    pub(super) live: Live,
    /// Whether it was not there before.
    pub(super) created: bool,
    /// The object as it was answered, to be compared with what it was before.
    pub(super) object: Value,
    /// From whom fields were taken back, and which.
    pub(super) taken_back: Option<String>,
}

/// What an apply was answered with.
struct Sent {
    status: StatusCode,
    object: Value,
    taken_back: Option<String>,
}

/// Applies an object to where its kind is served.
pub(super) async fn apply(
    api: &ApiServer,
    resource: &Resource,
    prepared: &Prepared,
) -> Result<Applied, Refusal> {
    let (id, manager) = (prepared.object.id(), field_manager(&prepared.service));
    let patch = Patch {
        api,
        resource,
        id,
        path: path(resource, &prepared.object, &manager)?,
        body: body(&prepared.object, prepared.seen.as_deref()),
    };
    if let Some(uid) = prepared.seen.as_deref().filter(|_| !prepared.former.is_empty()) {
        let former: Vec<String> = prepared.former.iter().map(field_manager).collect();
        let handed_over = |managed: &[Value]| ownership::without_former(managed, &manager, &former);
        rewrite::managed_fields(api, resource, id, uid, handed_over).await?;
    }
    let mut sent = patch.send_or_take_back(prepared.seen.is_some()).await?;
    let created = sent.status == StatusCode::CREATED;
    if !created && prepared.seen.is_none() && !ownership::is_alone(managed_fields(&sent.object), &manager) {
        return Err(give_back(api, resource, prepared, &sent.object).await);
    }
    let legacy = Legacy::of(&prepared.object.value());
    if !created && legacy.is_in(managed_fields(&sent.object)) {
        let uid = uid(&sent.object).unwrap_or_default();
        let taken_over = |managed: &[Value]| legacy.taken_over(managed, &manager);
        if rewrite::managed_fields(api, resource, id, uid, taken_over).await? {
            sent = patch.send_or_take_back(true).await?;
        }
    }
    let created = created || sent.status == StatusCode::CREATED;
    let Sent { object, taken_back, .. } = sent;
    match live(id, &object) {
        Some(live) => Ok(Applied { live, created, object, taken_back }),
        None => Err(strange()),
    }
}

/// One object's apply, to be sent once or twice.
struct Patch<'a> {
    api: &'a ApiServer,
    resource: &'a Resource,
    id: &'a ObjectId,
    path: String,
    body: Vec<u8>,
}

impl Patch<'_> {
    /// Applies; fields that someone else has changed are taken back if they may be.
    async fn send_or_take_back(&self, may_force: bool) -> Result<Sent, Refusal> {
        let trouble = match self.send(false).await {
            Ok(answer) => return Ok(answer),
            Err(trouble) => trouble,
        };
        let contenders = trouble.status().map(conflict::contenders).unwrap_or_default();
        if contenders.is_empty() {
            return Err(self.refusal(&trouble));
        }
        if let Some(refusal) = conflict::refusal(&contenders) {
            return Err(refusal);
        }
        if !may_force {
            let owners = conflict::listed(&contenders);
            let message = format!("someone has created it in the meantime: {owners}");
            return Err(Refusal::passing(HoldReason::Conflict, message));
        }
        let owners = conflict::listed(&contenders);
        tracing::info!(object = %self.id, owners, "taking back declared fields");
        let sent = self.send(true).await.map_err(|trouble| self.refusal(&trouble))?;
        Ok(Sent { taken_back: Some(owners), ..sent })
    }

    async fn send(&self, force: bool) -> Result<Sent, Trouble> {
        let path = format!("{}&force={force}", self.path);
        let ask = Ask::with(Method::PATCH, path, "application/apply-patch+yaml", self.body.clone());
        let answer = self.api.send(ask.metadata_only(self.resource.metadata_only())).await?;
        let object = serde_json::from_slice(&answer.body);
        let object = object.map_err(|_| Trouble::Garbage("an apply's answer is no object".to_owned()))?;
        Ok(Sent { status: answer.status, object, taken_back: None })
    }

    /// An object of another UID than the one observed is refused by the server in two ways: as a conflict where there is
    /// none any more, as an immutable field where there is another.
    fn refusal(&self, trouble: &Trouble) -> Refusal {
        let is_uid = |status: &Status| status.code == 409 && status.message.contains("uid mismatch");
        if trouble.status().is_some_and(is_uid) {
            let message = "it has been deleted in the meantime";
            return Refusal::passing(HoldReason::ApplyFailed, message);
        }
        refusal(Act::Apply, self.id, trouble)
    }
}

/// Somebody created the object between our look and our apply, and nothing in it contradicts us: it is theirs until the
/// next pass has looked at it and decided.
async fn give_back(api: &ApiServer, resource: &Resource, prepared: &Prepared, object: &Value) -> Refusal {
    let (id, uid) = (prepared.object.id(), uid(object).unwrap_or_default());
    if let Err(refusal) = release::release(api, resource, id, uid, &prepared.service).await {
        return refusal;
    }
    Refusal::passing(HoldReason::ApplyFailed, "someone has created it in the meantime")
}

fn path(resource: &Resource, object: &Object, manager: &str) -> Result<String, Refusal> {
    let Some(path) = resource.object(object.id()) else {
        let message = if resource.namespaced {
            format!("{} lies in a namespace, and the object names none", resource.kind)
        } else {
            format!("{} lies in no namespace, and the object names one", resource.kind)
        };
        return Err(Refusal::lasting(HoldReason::Rejected, message));
    };
    Ok(format!("{path}?fieldManager={}&fieldValidation=Strict", segment(manager)))
}

/// The object, with the UID that it was observed with: the server applies it to no other.
fn body(object: &Object, uid: Option<&str>) -> Vec<u8> {
    let Some(uid) = uid else { return object.json().to_vec() };
    let mut value = object.value();
    if let Some(metadata) = value.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.insert("uid".to_owned(), json!(uid));
    }
    serde_json::to_vec(&value).expect("JSON that was read can be written")
}

fn uid(object: &Value) -> Option<&str> {
    object.pointer("/metadata/uid").and_then(Value::as_str)
}

fn strange() -> Refusal {
    Refusal::passing(HoldReason::ApplyFailed, "the API server answered an apply with another object")
}
