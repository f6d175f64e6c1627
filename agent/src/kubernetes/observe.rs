//! Looking at objects with few requests: one list where many of a kind are wanted, one read where few are. What a list
//! does not show is read by its name before it counts as missing (law L6).

use std::collections::{BTreeMap, BTreeSet};

use cdn::ObjectId;
use futures::StreamExt as _;
use futures::stream;
use serde_json::Value;

use super::api::{ApiServer, Ask};
use super::glances::Glances;
use super::list::read_page;
use super::live::{identity, live};
use super::resource::{Resource, segment};
use super::trouble::Trouble;
use crate::target::{Live, Seen};

/// From so many wanted objects of one kind on, they are listed.
const LISTED_FROM: usize = 4;
/// Objects on one page; fewer of whole ones, which are in memory a page at a time.
const PAGE: usize = 500;
const PAGE_OF_WHOLE: usize = 100;
/// A list of others' objects is given up when it is this many times longer than what is wanted.
const WORTH: usize = 20;
const WORTH_AT_LEAST: usize = 1_000;
/// Lists at once, each with a page in memory; reads at once.
const LISTS: usize = 2;
const READS: usize = 16;

/// What looks, and what remembers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Eye<'a> {
    pub(super) api: &'a ApiServer,
    pub(super) glances: &'a Glances,
}

impl Eye<'_> {
    fn live(self, id: &ObjectId, object: &Value) -> Option<Live> {
        let live = live(id, object)?;
        self.glances.remember(&live, object);
        Some(live)
    }
}

/// How each of these stands.
pub(super) async fn observe(eye: Eye<'_>, wanted: Vec<(Resource, ObjectId)>) -> BTreeMap<ObjectId, Seen> {
    let mut groups: BTreeMap<(String, String, String), (Resource, BTreeSet<ObjectId>)> = BTreeMap::new();
    for (resource, id) in wanted {
        let key = (resource.kind.group.clone(), resource.kind.version.clone(), resource.kind.kind.clone());
        groups.entry(key).or_insert_with(|| (resource, BTreeSet::new())).1.insert(id);
    }
    let looks = groups.into_values().map(|(resource, ids)| async move { look(eye, &resource, ids).await });
    let seen: Vec<_> = stream::iter(looks).buffer_unordered(LISTS).collect().await;
    seen.into_iter().flatten().collect()
}

/// All wanted objects of one kind.
async fn look(eye: Eye<'_>, resource: &Resource, ids: BTreeSet<ObjectId>) -> BTreeMap<ObjectId, Seen> {
    let mut seen = BTreeMap::new();
    let mut rest = ids;
    for scope in scopes(resource, &rest) {
        let of_scope = |id: &ObjectId| scope.is_none() || id.namespace == scope;
        let here: BTreeSet<ObjectId> = rest.iter().filter(|id| of_scope(id)).cloned().collect();
        if here.len() < LISTED_FROM {
            continue;
        }
        match list(eye, resource, scope.as_deref(), &here).await {
            Ok(found) => {
                rest.retain(|id| !found.contains_key(id));
                seen.extend(found);
            }
            // Not allowed, or more than is worth it: each by its name.
            Err(Trouble::Refused(status)) if matches!(status.code, 403 | 404 | 405 | 410) => {}
            Err(Trouble::TooLong(_)) => {}
            // A server that has no answer to one list has none to a hundred reads either.
            Err(trouble) => {
                rest.retain(|id| !of_scope(id));
                seen.extend(here.into_iter().map(|id| (id, Seen::Unknown(trouble.to_string()))));
            }
        }
    }
    let reads = rest.into_iter().map(|id| async move {
        let seen = read(eye, resource, &id).await;
        (id, seen)
    });
    seen.extend(stream::iter(reads).buffer_unordered(READS).collect::<Vec<_>>().await);
    seen
}

/// Where to list: each namespace alone, or all at once when many are wanted and most namespaces have few.
fn scopes(resource: &Resource, ids: &BTreeSet<ObjectId>) -> Vec<Option<String>> {
    let namespaces: BTreeSet<Option<String>> = ids.iter().map(|id| id.namespace.clone()).collect();
    if !resource.namespaced || (namespaces.len() > 8 && ids.len() < namespaces.len() * LISTED_FROM) {
        return vec![None];
    }
    namespaces.into_iter().collect()
}

/// What a list shows of the wanted objects, page by page.
async fn list(
    eye: Eye<'_>,
    resource: &Resource,
    namespace: Option<&str>,
    wanted: &BTreeSet<ObjectId>,
) -> Result<BTreeMap<ObjectId, Seen>, Trouble> {
    let Some(any) = wanted.first() else { return Ok(BTreeMap::new()) };
    let metadata_only = resource.metadata_only();
    let page = if metadata_only { PAGE } else { PAGE_OF_WHOLE };
    let collection = resource.collection(namespace);
    let (mut found, mut scanned, mut next) = (BTreeMap::new(), 0, String::new());
    loop {
        let path = format!("{collection}?limit={page}&continue={}", segment(&next));
        let answer = eye.api.send(Ask::list(path).metadata_only(metadata_only)).await?;
        let more = read_page(&answer.body, |object| {
            scanned += 1;
            let id = identity(any, object).filter(|id| wanted.contains(id));
            if let Some((id, live)) = id.and_then(|id| eye.live(&id, object).map(|live| (id, live))) {
                found.insert(id, Seen::Live(live));
            }
        })?;
        let worth_it = scanned < WORTH_AT_LEAST.max(wanted.len() * WORTH);
        match more {
            Some(token) if found.len() < wanted.len() && worth_it => next = token,
            _ => return Ok(found),
        }
    }
}

/// One object by its name.
pub(super) async fn read(eye: Eye<'_>, resource: &Resource, id: &ObjectId) -> Seen {
    match fetch(eye.api, resource, id, resource.metadata_only()).await {
        Ok(Some(object)) => match eye.live(id, &object) {
            Some(live) => Seen::Live(live),
            None => Seen::Unknown("the API server answered with another object".to_owned()),
        },
        Ok(None) => Seen::Missing,
        Err(trouble) => Seen::Unknown(trouble.to_string()),
    }
}

/// One object as it is, or none where that is proved.
pub(super) async fn fetch(
    api: &ApiServer,
    resource: &Resource,
    id: &ObjectId,
    metadata_only: bool,
) -> Result<Option<Value>, Trouble> {
    let Some(path) = resource.object(id) else {
        let scope = if resource.namespaced { "lies in a namespace" } else { "lies in no namespace" };
        return Err(Trouble::Garbage(format!("{} {scope}", resource.kind)));
    };
    match api.send(Ask::get(path).metadata_only(metadata_only)).await {
        Ok(answer) => match serde_json::from_slice(&answer.body) {
            Ok(object) => Ok(Some(object)),
            Err(_) => Err(Trouble::Garbage(format!("{} bytes that are no object", answer.body.len()))),
        },
        Err(trouble) if trouble.proves_missing(&resource.plural, &id.name) => Ok(None),
        Err(trouble) => Err(trouble),
    }
}
