//! Looking for what carries our mark where no inventory says what is ours (FAULTS F22): every kind that is served, its
//! metadata only, page by page.

use std::collections::BTreeSet;

use cdn::Digest;
use futures::StreamExt as _;
use futures::stream;

use super::api::ApiServer;
use super::list::walk;
use super::live::owner;
use super::resource::Resource;
use super::served;
use super::trouble::Trouble;
use crate::target::{Address, KindRef, Marked};

/// Kinds at once, each with a page in memory.
const LISTS: usize = 4;

/// What is found of a fleet. What cannot be listed - a kind of a broken aggregated API - keeps nobody from the rest.
pub(super) async fn marked(
    api: &ApiServer,
    fleet: Digest,
    looked: &BTreeSet<KindRef>,
) -> Result<Marked, Trouble> {
    let (kinds, unclear) = served::all(api).await?;
    let left = kinds.into_iter().filter(|resource| !looked.contains(&resource.kind));
    let looks = left.map(|resource| look(api, resource, fleet));
    let mut looks = stream::iter(looks).buffer_unordered(LISTS);
    let mut marked = Marked { unseen: unclear, ..Marked::default() };
    while let Some(look) = looks.next().await {
        marked.objects.extend(look.objects);
        marked.looked.extend(look.looked);
        marked.unseen.extend(look.unseen);
    }
    Ok(marked)
}

/// What is found of one kind.
async fn look(api: &ApiServer, resource: Resource, fleet: Digest) -> Marked {
    let (of, version) = (resource.nameless(), resource.kind.version.clone());
    let mut objects = Vec::new();
    let walked = walk(api, &resource, |object| {
        let found = owner(&of, object, fleet);
        objects.extend(found.map(|(id, service)| (service, Address { id, version: version.clone() })));
    })
    .await;
    // Whatever is no list to its end proves nothing, also not a 404 (FAULTS F1).
    if walked.is_ok_and(|whole| whole) {
        Marked { objects, looked: BTreeSet::from([resource.kind]), unseen: Vec::new() }
    } else {
        Marked { objects, looked: BTreeSet::new(), unseen: vec![resource.kind.to_string()] }
    }
}
