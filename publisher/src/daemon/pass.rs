//! One pass: every wanted service once. Services of one source share one look at it, and no pass waits long for one: a
//! git host that hangs delays its own services, and no others.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use cdn::wire::{Described, Outcome, Source, Wanted};
use cdn::{Digest, ServiceName};
use program::observe::Part;
use program::progress::{Silent, count};
use tokio::sync::Semaphore;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, timeout_at};

use super::freshness::Freshness;
use crate::meters;
use crate::publish::{PublishError, Published, status};
use crate::publisher::Publisher;
use crate::render::{RenderError, RenderRequest};
use crate::source::{Checkout, Repository};

/// How long a pass waits for what it has begun. What takes longer goes on beside later passes, which leave it alone.
const PATIENCE: Duration = Duration::from_secs(3);
/// So many hosts may keep all that may be asked of each of them waiting before any other host has to wait.
const HOSTS: usize = 16;

/// A source and how it is opened: who shares all of it shares one look.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    source: Source,
    credential: Option<String>,
    named: Option<PathBuf>,
}

impl Place {
    /// Who is asked for it: a host, or a folder of this machine.
    fn host(&self) -> String {
        match &self.source {
            Source::Git(git) => {
                let asked = |at: Repository| at.local_path().unwrap_or(at.host()).to_owned();
                git.url.parse().map_or_else(|_| String::new(), asked)
            }
            Source::Directory(directory) => directory.path.clone(),
        }
    }
}

type Groups = BTreeMap<Place, Vec<RenderRequest>>;

/// A service that is not even looked at.
struct Refused {
    service: ServiceName,
    asked: Option<Digest>,
    why: PublishError,
}

/// What came of one pass.
#[derive(Debug, Default)]
pub(super) struct Summary {
    outcomes: BTreeMap<&'static str, usize>,
    put_bytes: u64,
    rendered: u64,
    under_way: usize,
    /// Some service was looked at in the store, and nothing was lacking.
    went_well: bool,
    lacks: Option<String>,
    troubled: Vec<String>,
}

/// All that is looked at, by this pass or since an earlier one.
#[derive(Debug)]
pub(super) struct UnderWay {
    publisher: Arc<Publisher>,
    freshness: Arc<Freshness>,
    /// Who renders and publishes.
    slots: Arc<Semaphore>,
    /// Who asks and fetches, of all hosts, and of each.
    fetches: Arc<Semaphore>,
    lanes: HashMap<String, Arc<Semaphore>>,
    concurrency: usize,
    tasks: JoinSet<Vec<End>>,
    begun: BTreeMap<Place, Begun>,
}

/// Services of a place that are being looked at.
#[derive(Debug)]
struct Begun {
    services: BTreeSet<ServiceName>,
    task: AbortHandle,
}

impl UnderWay {
    pub(super) fn new(publisher: Arc<Publisher>, concurrency: usize) -> Self {
        Self {
            publisher,
            freshness: Arc::default(),
            slots: Arc::new(Semaphore::new(concurrency)),
            fetches: Arc::new(Semaphore::new(concurrency * HOSTS)),
            lanes: HashMap::new(),
            concurrency,
            tasks: JoinSet::new(),
            begun: BTreeMap::new(),
        }
    }

    /// Looks at every place that is not being looked at yet, and waits a moment for all of them.
    pub(super) async fn pass(&mut self, wanted: Wanted) -> Summary {
        let mut summary = Summary::default();
        let names: BTreeSet<ServiceName> = wanted.names().collect();
        self.publisher.refusals.keep(|service| names.contains(service));
        let (groups, refused) = self.sort(wanted);
        self.break_off(&groups, &mut summary).await;
        for Refused { service, asked, why } in refused {
            let publisher = Arc::clone(&self.publisher);
            self.tasks.spawn(async move { vec![end(&publisher, (&service, asked), None, Err(why)).await] });
        }
        self.lanes.retain(|_, lane| Arc::strong_count(lane) > 1);
        for (place, requests) in groups {
            if !self.begun.contains_key(&place) {
                self.begin(place, requests);
            }
        }
        let patience = Instant::now() + PATIENCE;
        while timeout_at(patience, self.end_one(&mut summary)).await == Ok(true) {}
        summary.under_way = self.begun.len();
        summary
    }

    /// These are looked at in full the next time.
    pub(super) fn doubt(&self, services: Vec<ServiceName>) {
        for service in services {
            self.freshness.doubt(service);
        }
    }

    /// Ends what is under way.
    pub(super) async fn stop(&mut self) {
        self.tasks.shutdown().await;
        self.begun.clear();
    }

    /// What is understood and permitted, by place; and what is not.
    fn sort(&self, wanted: Wanted) -> (Groups, Vec<Refused>) {
        let (mut groups, mut refused) = (Groups::new(), Vec::new());
        let allow = self.publisher.allow.list();
        for described in wanted.services {
            let wanted = match described {
                Described::Known(wanted) => wanted,
                Described::Unknown(unknown) => {
                    let why = PublishError::Unknown { why: unknown.why.clone() };
                    let asked = unknown.asked();
                    refused.extend(unknown.service().map(|service| Refused { service, asked, why }));
                    continue;
                }
            };
            match allow.permit(&wanted) {
                Ok(permission) => {
                    let credential = permission.credential.as_ref().map(|credential| credential.name.clone());
                    let (source, named) = (wanted.source.clone(), permission.named.clone());
                    let place = Place { source, credential, named };
                    groups.entry(place).or_default().push(RenderRequest { wanted, permission });
                }
                Err(why) => {
                    let (service, asked, why) = (wanted.name, wanted.asked, RenderError::from(why).into());
                    refused.push(Refused { service, asked, why });
                }
            }
        }
        (groups, refused)
    }

    /// Breaks off a look from which one of its services has gone: no service is published from two places at once.
    async fn break_off(&mut self, groups: &Groups, summary: &mut Summary) {
        let mut gone = Vec::new();
        for (place, begun) in &self.begun {
            let now: BTreeSet<&ServiceName> =
                groups.get(place).into_iter().flatten().map(|request| &request.wanted.name).collect();
            if !begun.services.iter().all(|service| now.contains(service)) {
                begun.task.abort();
                gone.push(place.clone());
            }
        }
        while gone.iter().any(|place| self.begun.contains_key(place)) && self.end_one(summary).await {}
    }

    fn begin(&mut self, place: Place, requests: Vec<RenderRequest>) {
        let lane = self.lanes.entry(place.host());
        let lane = lane.or_insert_with(|| Arc::new(Semaphore::new(self.concurrency)));
        let group = Group {
            publisher: Arc::clone(&self.publisher),
            freshness: Arc::clone(&self.freshness),
            slots: Arc::clone(&self.slots),
            fetches: Arc::clone(&self.fetches),
            lane: Arc::clone(lane),
        };
        let services = requests.iter().map(|request| request.wanted.name.clone()).collect();
        let task = self.tasks.spawn(group.publish(requests));
        self.begun.insert(place, Begun { services, task });
    }

    /// Waits for the next that ends; whether there was one.
    async fn end_one(&mut self, summary: &mut Summary) -> bool {
        let Some(ended) = self.tasks.join_next_with_id().await else { return false };
        let id = ended.as_ref().map_or_else(tokio::task::JoinError::id, |(id, _)| *id);
        self.begun.retain(|_, begun| begun.task.id() != id);
        match ended {
            Ok((_, ends)) => ends.iter().for_each(|end| summary.add(end)),
            Err(broken_off) if broken_off.is_cancelled() => {}
            Err(panic) => summary.broken(&panic),
        }
        true
    }
}

/// What became of one service.
#[derive(Debug)]
struct End {
    outcome: &'static str,
    put_bytes: u64,
    rendered: bool,
    reached_store: bool,
    trouble: Option<Trouble>,
}

/// Why a service was not published.
#[derive(Debug)]
struct Trouble {
    service: ServiceName,
    why: String,
    is_ours: bool,
}

impl End {
    fn without_work(outcome: &'static str) -> Self {
        Self { outcome, put_bytes: 0, rendered: false, reached_store: false, trouble: None }
    }
}

/// Services of one source.
#[derive(Clone)]
struct Group {
    publisher: Arc<Publisher>,
    freshness: Arc<Freshness>,
    slots: Arc<Semaphore>,
    fetches: Arc<Semaphore>,
    lane: Arc<Semaphore>,
}

impl Group {
    async fn publish(self, requests: Vec<RenderRequest>) -> Vec<End> {
        let Some(first) = requests.first() else { return Vec::new() };
        let checkout = {
            // First the host's own: who waits for it keeps no other host waiting.
            let _lane = self.lane.acquire().await;
            let _fetch = self.fetches.acquire().await;
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
        let (service, asked) = (&request.wanted.name, request.wanted.asked);
        let checkout = match checkout {
            Ok(checkout) => checkout,
            Err(why) => return end(&self.publisher, (service, asked), None, Err(why.into())).await,
        };
        let (begun, is_due) = (Instant::now(), self.freshness.is_due(service));
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
            self.freshness.note(service, begun);
        }
        end(&self.publisher, (service, asked), checkout.commit(), result).await
    }
}

/// Logs and tells what became of a service.
async fn end(
    publisher: &Publisher,
    (service, asked): (&ServiceName, Option<Digest>),
    commit: Option<&str>,
    result: Result<Published, PublishError>,
) -> End {
    let status = status(service, asked, commit, &result);
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
    let why = status.message.clone();
    publisher.tell(status).await;
    match result {
        Ok(Published { put_bytes, rendered, .. }) => {
            End { outcome, put_bytes, rendered, reached_store: true, trouble: None }
        }
        Err(error) => {
            let trouble = Trouble { service: service.clone(), why, is_ours: error.is_ours() };
            End { trouble: Some(trouble), ..End::without_work(outcome) }
        }
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
        self.went_well |= end.reached_store;
        let Some(trouble) = &end.trouble else { return };
        if trouble.is_ours {
            self.lacks.get_or_insert_with(|| trouble.why.clone());
        }
        self.troubled.push(trouble.service.to_string());
    }

    /// Shows it in `/readyz`: not ready while nothing can be published for want of something of our own; what one service
    /// lacks is shown, and is no reason to take the others' publisher away.
    pub(super) fn show(&self, part: &Part, is_first: bool) {
        if self.outcomes.is_empty() && self.under_way > 0 {
            // Nothing is known but that it takes its time: that is no reason to call off a program that has just started.
            if is_first {
                part.degraded("all first looks are still under way");
            }
            return;
        }
        match (&self.lacks, self.troubled.as_slice()) {
            (Some(why), _) if !self.went_well => part.not_ready(format!("nothing can be published: {why}")),
            (_, []) => part.ready(),
            (_, [one]) => {
                part.degraded(format!("{one} is not published; see `windlass get services -o wide`"));
            }
            (_, [one, others @ ..]) => part.degraded(format!(
                "{one} and {} are not published; see `windlass get services -o wide`",
                count(others.len() as u64, "other")
            )),
        }
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
        // A host that hangs fails only when its time is over.
        if self.failed() == 0 && self.under_way == 0 {
            meters::succeeded();
        }
        tracing::debug!(outcomes = ?self.outcomes, under_way = self.under_way, seconds = took.as_secs_f64(), "pass");
    }
}

#[cfg(test)]
mod tests;
