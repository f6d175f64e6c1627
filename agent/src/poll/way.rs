//! `Way`: what is on its way from the network. At most one question to the api, the documents of at most one assignment,
//! and one download for each service.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use cdn::document::{HoldReason, Named, ServiceEntry};
use cdn::trust::Snapshot;
use cdn::{Digest, ServiceName};
use futures::FutureExt;
use tokio::sync::Semaphore;
use tokio::task::{AbortHandle, JoinSet};

use super::download::{Documents, Fetch, Fetched};
use crate::api::{ApiError, Polled};
use crate::held::Held;

/// Services fetched at once.
const AT_ONCE: usize = 4;
const PANICKED: &str = "reading it panicked: a fault of this version; the agent's log has the place";

/// What is on its way.
#[derive(Debug)]
pub(super) struct Way {
    tasks: JoinSet<Sent>,
    permits: Arc<Semaphore>,
    asking: bool,
    opening: Option<(Opening, AbortHandle)>,
    services: BTreeMap<ServiceName, (Digest, AbortHandle)>,
}

/// An assignment whose documents are on their way.
#[derive(Debug)]
pub(super) struct Opening {
    /// The assignment's envelope, accepted once; to be accepted again when all is here.
    pub(super) envelope: Vec<u8>,
    /// The digest of its payload.
    pub(super) payload: Digest,
    /// Its set.
    pub(super) set: Named,
    /// Its values.
    pub(super) values: Option<Named>,
}

/// What has come.
#[derive(Debug)]
pub(super) enum Came {
    /// The api's answer to a poll.
    Answer(Result<(Polled, Option<Duration>), ApiError>),
    /// The documents of an assignment.
    Documents(Box<Opening>, Result<Documents, Held>),
    /// A service's content.
    Service(ServiceName, Result<Box<Fetched>, Held>),
}

/// What a task gives; of an assignment or a service that is no longer wanted, nobody takes it.
#[derive(Debug)]
enum Sent {
    Answer(Result<(Polled, Option<Duration>), ApiError>),
    Documents((Named, Option<Named>), Result<Documents, Held>),
    Service((ServiceName, Digest), Result<Box<Fetched>, Held>),
}

impl Default for Way {
    fn default() -> Self {
        Self {
            tasks: JoinSet::new(),
            permits: Arc::new(Semaphore::new(AT_ONCE)),
            asking: false,
            opening: None,
            services: BTreeMap::new(),
        }
    }
}

impl Way {
    /// Whether an answer of the api is on its way.
    pub(super) fn is_asking(&self) -> bool {
        self.asking
    }

    /// Whether content of any service is on its way.
    pub(super) fn is_fetching(&self) -> bool {
        !self.services.is_empty()
    }

    /// Whether content of this service is on its way.
    pub(super) fn brings(&self, service: &ServiceName) -> bool {
        self.services.contains_key(service)
    }

    /// Whether nothing is on its way.
    pub(super) fn is_idle(&self) -> bool {
        !self.asking && self.opening.is_none() && self.services.is_empty()
    }

    /// A question to the api.
    pub(super) fn ask(
        &mut self,
        asked: impl Future<Output = Result<(Polled, Option<Duration>), ApiError>> + Send + 'static,
    ) {
        self.asking = true;
        let asked = AssertUnwindSafe(asked).catch_unwind();
        self.tasks.spawn(async move {
            match asked.await {
                Ok(answer) => Sent::Answer(answer),
                Err(_) => Sent::Answer(Err(ApiError::Unreadable(PANICKED.to_owned()))),
            }
        });
    }

    /// The documents of an assignment. Those of an earlier one end, unless they are the same.
    pub(super) fn open(
        &mut self,
        opening: Opening,
        documents: impl Future<Output = Result<Documents, Held>> + Send + 'static,
    ) {
        let names = (opening.set, opening.values);
        if let Some((last, task)) = self.opening.take() {
            if (last.set, last.values) == names {
                self.opening = Some((opening, task));
                return;
            }
            task.abort();
        }
        let documents = AssertUnwindSafe(documents).catch_unwind();
        let task = self.tasks.spawn(async move {
            match documents.await {
                Ok(documents) => Sent::Documents(names, documents),
                Err(_) => Sent::Documents(names, Err(Held::cluster(HoldReason::BundleRefused, PANICKED))),
            }
        });
        self.opening = Some((opening, task));
    }

    /// A service's content. What panics on the way, in whichever decoder, is this service's trouble (FAULTS B12).
    pub(super) fn fetch(&mut self, fetch: &Arc<Fetch>, entry: ServiceEntry) {
        let (fetch, permits) = (Arc::clone(fetch), Arc::clone(&self.permits));
        let (service, release) = (entry.name.clone(), entry.release);
        let name = (service.clone(), release);
        let task = self.tasks.spawn(async move {
            let _permit = permits.acquire_owned().await;
            let fetched = contained(&entry.name, fetch.service(&entry)).await;
            Sent::Service(name, fetched.map(Box::new))
        });
        self.services.insert(service, (release, task));
    }

    /// Ends the downloads that a newer assignment does not name; the others go on.
    pub(super) fn keep(&mut self, snapshot: &Snapshot) {
        self.services.retain(|service, (release, task)| {
            let named = snapshot.set().get(service).is_some_and(|entry| entry.release == *release);
            if !named {
                task.abort();
            }
            named
        });
    }

    /// The next that comes; never, while nothing is on its way. To be dropped at any time.
    pub(super) async fn next(&mut self) -> Came {
        loop {
            let sent = match self.tasks.join_next().await {
                Some(Ok(sent)) => sent,
                // Ended by us.
                Some(Err(_)) => continue,
                None => std::future::pending().await,
            };
            if let Some(came) = self.take(sent) {
                return came;
            }
        }
    }

    fn take(&mut self, sent: Sent) -> Option<Came> {
        match sent {
            Sent::Answer(answer) => {
                self.asking = false;
                Some(Came::Answer(answer))
            }
            Sent::Documents(names, documents) => {
                let (opening, _) = self.opening.take_if(|(last, _)| (last.set, last.values) == names)?;
                Some(Came::Documents(Box::new(opening), documents))
            }
            Sent::Service((service, release), fetched) => {
                self.services.get(&service).filter(|(wanted, _)| *wanted == release)?;
                self.services.remove(&service);
                Some(Came::Service(service, fetched))
            }
        }
    }
}

/// What comes of one service, also where it panics.
async fn contained<T>(
    service: &ServiceName,
    fetch: impl Future<Output = Result<T, Held>>,
) -> Result<T, Held> {
    if let Ok(fetched) = AssertUnwindSafe(fetch).catch_unwind().await {
        return fetched;
    }
    tracing::error!(%service, "{PANICKED}");
    Err(Held::service(HoldReason::BundleRefused, service, PANICKED))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::Disk;

    #[tokio::test]
    async fn b12_a_parser_that_panics_holds_its_service_and_the_next_one_is_read() {
        let disk = Disk::new();
        let read = |bytes: &'static [u8]| {
            let disk = disk.clone();
            async move { Ok(disk.run(move || bytes[0]).await) }
        };
        let service: ServiceName = "default/web".parse().unwrap();
        let held = contained(&service, read(b"")).await.unwrap_err();
        assert_eq!((held.reason, held.service.as_ref()), (HoldReason::BundleRefused, Some(&service)));
        assert_eq!(contained(&service, read(b"x")).await.unwrap(), b'x');
        disk.settled().await;
    }
}
