//! Discovery of just the kinds that are needed: `GET /apis/<group>/<version>` for each, and more only where a kind is
//! not found there, since "not there" has to be proved (law L6; FAULTS F1, F2, F3).

mod evidence;
mod judge;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use futures::future::join_all;
use tokio::time::{Instant, sleep_until};

use super::api::{ApiServer, Ask};
use super::resource::{Resource, version_path};
use super::trouble::Trouble;
use crate::target::{KindRef, Served};
use evidence::{Document, Registration};
use judge::{Evidence, judge};

/// How long between two looks at a kind that is waited for.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// Definitions of one group that are looked at.
const MOST_DEFINITIONS: usize = 500;

/// What discovery has said last: how kinds are called in paths. Never a proof of anything.
#[derive(Debug, Default)]
pub(super) struct Catalog(RwLock<BTreeMap<KindRef, Resource>>);

impl Catalog {
    /// A kind that was served when last asked.
    pub(super) fn get(&self, kind: &KindRef) -> Option<Resource> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(kind).cloned()
    }

    fn learn(&self, documents: &Documents) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        for ((group, version), document) in documents {
            match document {
                // What a version no longer serves is forgotten; what it does not say for a while is kept.
                Document::Served(_) | Document::NotFound => {
                    known.retain(|kind, _| (&kind.group, &kind.version) != (group, version));
                }
                Document::Unclear(_) => {}
            }
            for resource in document.resources() {
                known.insert(resource.kind.clone(), resource.clone());
            }
        }
    }
}

type Documents = BTreeMap<(String, String), Document>;

/// How each kind stands, asked anew.
pub(super) async fn served(
    api: &ApiServer,
    catalog: &Catalog,
    kinds: &BTreeSet<KindRef>,
) -> BTreeMap<KindRef, Served> {
    let versions: BTreeSet<_> = kinds.iter().map(|kind| (kind.group.clone(), kind.version.clone())).collect();
    let mut documents = documents(api, versions).await;
    let doubtful: BTreeSet<&KindRef> = kinds.iter().filter(|kind| !is_listed(&documents, kind)).collect();
    let (mut registrations, mut definitions) = (Ok(Vec::new()), Ok(Vec::new()));
    if !doubtful.is_empty() {
        let groups: BTreeSet<&str> = doubtful.iter().map(|kind| kind.group.as_str()).collect();
        registrations = evidence::registrations(api, &groups).await;
        let registered = registrations.iter().flatten().map(Registration::version);
        let more = registered.filter(|version| !documents.contains_key(version)).collect();
        documents.extend(self::documents(api, more).await);
        definitions = evidence::definitions(api, &groups, MOST_DEFINITIONS).await;
    }
    catalog.learn(&documents);
    let evidence = Evidence {
        documents: &documents,
        registrations: registrations.as_deref().map_err(String::as_str),
        definitions: definitions.as_deref().map_err(String::as_str),
    };
    kinds.iter().map(|kind| (kind.clone(), judge(kind, &evidence))).collect()
}

/// Every kind of which there are lists, once each: in its group's preferred version, where that has it; and the versions that do
/// not say what they serve.
pub(super) async fn all(api: &ApiServer) -> Result<(Vec<Resource>, Vec<String>), Trouble> {
    let versions = evidence::versions(api).await?;
    let documents = documents(api, versions.iter().cloned().collect()).await;
    let (mut kinds, mut unclear) = (BTreeMap::new(), Vec::new());
    for (group, version) in versions {
        match documents.get(&(group.clone(), version.clone())) {
            Some(Document::Served(resources)) => {
                for resource in resources.iter().filter(|resource| resource.lists) {
                    let of = (group.clone(), resource.kind.kind.clone());
                    kinds.entry(of).or_insert_with(|| resource.clone());
                }
            }
            Some(Document::NotFound | Document::Unclear(_)) | None => {
                unclear.push(version_path(&group, &version));
            }
        }
    }
    Ok((kinds.into_values().collect(), unclear))
}

/// Waits until each kind is served in just its version, at most `within`.
pub(super) async fn wait_served(
    api: &ApiServer,
    catalog: &Catalog,
    kinds: &BTreeSet<KindRef>,
    within: Duration,
) -> BTreeMap<KindRef, Served> {
    let patience = Instant::now() + within;
    let is_there = |(kind, served): (&KindRef, &Served)| match served {
        Served::Yes { version, .. } => *version == kind.version,
        Served::Absent | Served::Unknown(_) => false,
    };
    loop {
        let started = Instant::now();
        let answer = served(api, catalog, kinds).await;
        let next = started.max(Instant::now()) + LOOK_EVERY;
        if answer.iter().all(is_there) || next > patience {
            return answer;
        }
        sleep_until(next).await;
    }
}

fn is_listed(documents: &Documents, kind: &KindRef) -> bool {
    let document = documents.get(&(kind.group.clone(), kind.version.clone()));
    document.is_some_and(|document| document.get(&kind.kind).is_some())
}

async fn documents(api: &ApiServer, versions: BTreeSet<(String, String)>) -> Documents {
    let ask = |(group, version): (String, String)| async {
        let answer = api.send(Ask::list(version_path(&group, &version))).await;
        let document = Document::read(&group, &version, answer);
        ((group, version), document)
    };
    join_all(versions.into_iter().map(ask)).await.into_iter().collect()
}

#[cfg(test)]
mod tests;
