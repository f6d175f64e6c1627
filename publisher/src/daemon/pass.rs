//! One pass: every wanted service once. Services of one source share one look at it.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cdn::ServiceName;
use cdn::wire::{Outcome, Source, Wanted, WantedService};
use program::progress::Silent;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::{is_due, note_look};
use crate::meters;
use crate::publish::{PublishError, Published, status};
use crate::publisher::Publisher;
use crate::render::{RenderError, RenderRequest};
use crate::source::Checkout;

type Looked = Arc<Mutex<HashMap<ServiceName, Instant>>>;

/// A source and how it is opened: who shares all of it shares one look.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    source: Source,
    credential: Option<String>,
    named: Option<PathBuf>,
}

/// What came of one pass.
#[derive(Debug, Default)]
pub(super) struct Summary {
    outcomes: BTreeMap<&'static str, usize>,
    put_bytes: u64,
    rendered: u64,
}

pub(super) async fn over(
    publisher: &Arc<Publisher>,
    wanted: Wanted,
    looked: &Looked,
    slots: &Arc<Semaphore>,
) -> Summary {
    let mut groups: BTreeMap<Place, Vec<RenderRequest>> = BTreeMap::new();
    let mut tasks = JoinSet::new();
    let allow = publisher.allow.list();
    for wanted in wanted.services {
        match allow.permit(&wanted) {
            Ok(permission) => {
                let credential = permission.credential.as_ref().map(|credential| credential.name.clone());
                let (source, named) = (wanted.source.clone(), permission.named.clone());
                let place = Place { source, credential, named };
                groups.entry(place).or_default().push(RenderRequest { wanted, permission });
            }
            Err(why) => {
                let publisher = Arc::clone(publisher);
                let result = Err(RenderError::from(why).into());
                tasks.spawn(async move { vec![end(&publisher, &wanted, None, result).await] });
            }
        }
    }
    for requests in groups.into_values() {
        let group =
            Group { publisher: Arc::clone(publisher), looked: Arc::clone(looked), slots: Arc::clone(slots) };
        tasks.spawn(group.publish(requests));
    }
    let mut summary = Summary::default();
    while let Some(ended) = tasks.join_next().await {
        match ended {
            Ok(results) => results.iter().for_each(|end| summary.add(end)),
            Err(panic) => summary.broken(&panic),
        }
    }
    summary
}

/// What became of one service.
struct End {
    outcome: &'static str,
    put_bytes: u64,
    rendered: bool,
}

impl End {
    fn without_work(outcome: &'static str) -> Self {
        Self { outcome, put_bytes: 0, rendered: false }
    }
}

/// Services of one source.
#[derive(Clone)]
struct Group {
    publisher: Arc<Publisher>,
    looked: Looked,
    slots: Arc<Semaphore>,
}

impl Group {
    async fn publish(self, requests: Vec<RenderRequest>) -> Vec<End> {
        let Some(first) = requests.first() else { return Vec::new() };
        let checkout = {
            let _slot = self.slots.acquire().await;
            self.publisher.workshop.check_out(first, &Silent).await.map_err(Arc::new)
        };
        let mut tasks = JoinSet::new();
        for request in requests {
            tasks.spawn(self.clone().one(request, checkout.clone()));
        }
        let mut ends = Vec::new();
        while let Some(ended) = tasks.join_next().await {
            ends.push(ended.unwrap_or_else(|panic| {
                tracing::error!(%panic, "publishing a service broke off; this is a fault of Windlass");
                End::without_work("broken")
            }));
        }
        ends
    }

    async fn one(self, request: RenderRequest, checkout: Result<Checkout, Arc<RenderError>>) -> End {
        let _slot = self.slots.acquire().await;
        let (wanted, service) = (&request.wanted, &request.wanted.name);
        let checkout = match checkout {
            Ok(checkout) => checkout,
            Err(why) => return end(&self.publisher, wanted, None, Err(why.into())).await,
        };
        let is_due = is_due(&self.looked, service);
        if is_due {
            self.publisher.register_anew(service).await;
        } else if self.publisher.is_settled(&request, &checkout).await {
            return End::without_work("unchanged");
        }
        let result = self.publisher.publish_from(&request, &checkout, &Silent).await;
        if result.is_ok() {
            // Who cannot publish says so once: another publisher may be the one that can.
            if is_due {
                self.publisher.tell_anew(service).await;
            }
            note_look(&self.looked, service);
        }
        end(&self.publisher, wanted, checkout.commit(), result).await
    }
}

/// Logs and tells what became of a service.
async fn end(
    publisher: &Publisher,
    wanted: &WantedService,
    commit: Option<&str>,
    result: Result<Published, PublishError>,
) -> End {
    let service = &wanted.name;
    let status = status(service, commit, &result);
    let outcome = word(status.outcome);
    match &result {
        Ok(done) if done.outcome == Outcome::Published => tracing::info!(
            %service,
            revision = done.commit,
            bundle = %done.bundle,
            release = %done.release,
            bytes = done.put_bytes,
            "published"
        ),
        Ok(done) => tracing::debug!(%service, revision = done.commit, "unchanged"),
        Err(error) => tracing::warn!(%service, reason = outcome, %error, "not published"),
    }
    publisher.tell(status).await;
    match result {
        Ok(done) => End { outcome, put_bytes: done.put_bytes, rendered: done.rendered },
        Err(_) => End::without_work(outcome),
    }
}

fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Published => "published",
        Outcome::Unchanged => "unchanged",
        Outcome::Refused => "refused",
        Outcome::Failed => "failed",
        Outcome::Unknown => "unknown",
    }
}

impl Summary {
    fn add(&mut self, end: &End) {
        *self.outcomes.entry(end.outcome).or_default() += 1;
        self.put_bytes += end.put_bytes;
        self.rendered += u64::from(end.rendered);
    }

    fn broken(&mut self, panic: &tokio::task::JoinError) {
        tracing::error!(%panic, "a pass over a source broke off; this is a fault of Windlass");
        *self.outcomes.entry("broken").or_default() += 1;
    }

    /// Services that could not be published though nothing forbids it.
    pub(super) fn failed(&self) -> usize {
        ["failed", "broken"].iter().filter_map(|outcome| self.outcomes.get(outcome)).sum()
    }

    /// Counts it for /metrics and the log.
    pub(super) fn record(&self, took: Duration) {
        for (outcome, count) in &self.outcomes {
            meters::ended(outcome, *count as u64);
        }
        meters::passed(took, self.put_bytes, self.rendered);
        if self.failed() == 0 {
            meters::succeeded();
        }
        tracing::debug!(outcomes = ?self.outcomes, seconds = took.as_secs_f64(), "pass");
    }
}
