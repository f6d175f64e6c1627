//! `windlass rollout`: which release a service runs, what ran before, and how far it has come.

use std::time::Duration;

use anyhow::Result;
use api::routes::releases::Release;
use api::routes::services::{self, Follow, Moved, Pin, Service};
use cdn::document::{Health, Sync};
use cdn::wire::{Outcome, PublishStatus};
use cdn::{Digest, ServiceName};
use clap::{Args, Subcommand};
use program::http::Method;
use program::progress::count;
use program::settings::duration;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::content::release_named;
use crate::exit::{Exit, Failure};
use crate::get::{self, nouns};
use crate::output::{FormatArg, View};
use crate::server::{Query, Server, Terms};
use crate::session::Session;
use crate::table::Table;
use crate::words::{is_commit, service_arg, short, word};

/// How often `--wait` looks.
const LOOK: Duration = Duration::from_secs(1);

/// `windlass rollout`.
#[derive(Debug, Subcommand)]
pub(crate) enum Rollout {
    /// How far a service's release has come, cluster by cluster
    #[command(before_help = "Examples:
  windlass rollout status default/web
  windlass rollout status default/web --wait --timeout 10m
  windlass rollout status default/web --wait --commit 4be1c2d3     # right after a push, as in CI

A change of the service, or of its source, is not done before the publisher has looked at it. Of a commit that it has
not looked at yet nothing is known: --commit waits for that too.

Exit codes: 0 everywhere, 1 not everywhere, 6 not everywhere in time")]
    Status(Status),
    /// List a service's releases, newest first
    #[command(before_help = "Examples:
  windlass rollout history default/web -o wide")]
    History(History),
    /// Go back to the release before, or to a named one, and stay there
    #[command(before_help = "Examples:
  windlass rollout undo default/web
  windlass rollout undo default/web --to 4be1c2d3e4f5")]
    Undo(Undo),
    /// Stay at the release that runs now; what is published meanwhile waits
    #[command(
        visible_alias = "pin",
        before_help = "Examples:
  windlass rollout pause default/web"
    )]
    Pause(Named),
    /// Follow the newest release again
    #[command(before_help = "Examples:
  windlass rollout resume default/web")]
    Resume(Named),
}

/// A service.
#[derive(Args, Debug)]
pub(crate) struct Named {
    /// The service
    #[arg(value_name = "SERVICE", value_parser = service_arg)]
    service: ServiceName,
}

/// `windlass rollout history`.
#[derive(Args, Debug)]
pub(crate) struct History {
    #[command(flatten)]
    named: Named,
    #[command(flatten)]
    format: FormatArg,
}

/// `windlass rollout undo`.
#[derive(Args, Debug)]
pub(crate) struct Undo {
    #[command(flatten)]
    named: Named,
    /// A release: a digest, or its first digits; the one before unless said
    #[arg(long, value_name = "RELEASE")]
    to: Option<String>,
}

/// `windlass rollout status`.
#[derive(Args, Debug)]
pub(crate) struct Status {
    #[command(flatten)]
    named: Named,
    /// Wait until every active target runs it and works
    #[arg(long)]
    wait: bool,
    /// The commit that is to run, or its first digits: until its publisher has looked at it, nothing counts as done
    #[arg(long, value_name = "COMMIT", value_parser = commit_arg)]
    commit: Option<String>,
    /// How long to wait
    #[arg(long, value_name = "TIME", default_value = "5m", requires = "wait",
        value_parser = duration(Duration::from_secs(1), Duration::from_hours(24)))]
    timeout: Duration,
    #[command(flatten)]
    format: FormatArg,
}

impl Rollout {
    /// Does it.
    pub(crate) async fn run(self, session: &Session) -> Result<Exit> {
        match self {
            Self::Status(status) => status.run(session).await,
            Self::History(history) => {
                let releases =
                    get::releases_of(&session.server()?, &history.named.service.to_string()).await?;
                let value = json!({ "items": releases });
                session.out.show(&nouns::view(&releases, value), history.format.output)?;
                Ok(Exit::Ok)
            }
            Self::Undo(undo) => undo.run(session).await,
            Self::Pause(named) => {
                let release = release_named(session, &named.service, "current").await?;
                let question = format!("Keep {} at release {}?", named.service, release.short());
                named.step(session, "pin", Some(Pin { release }), &question).await
            }
            Self::Resume(named) => {
                let question = format!("Let {} follow its newest release?", named.service);
                named.step(session, "resume", None, &question).await
            }
        }
    }
}

impl Undo {
    async fn run(self, session: &Session) -> Result<Exit> {
        let service = &self.named.service;
        let (verb, pin, question) = if let Some(text) = &self.to {
            let release = release_named(session, service, text).await?;
            let question = format!("Let {service} go to release {} and stay there?", release.short());
            ("pin", Some(Pin { release }), question)
        } else {
            ("undo", None, format!("Let {service} go back to the release before, and stay there?"))
        };
        self.named.step(session, verb, pin, &question).await
    }
}

impl Named {
    async fn step(&self, session: &Session, verb: &str, pin: Option<Pin>, question: &str) -> Result<Exit> {
        let server = session.server()?;
        let name = &self.service;
        let read: crate::server::Read<Service> = server.read(&format!("/v1/services/{name}")).await?;
        session.out.hint(&format!("{name} goes to: {}", nouns::targets(&read.body)));
        session.confirm(question).await?;
        let path = format!("/v1/services/{name}/{verb}");
        let terms = Terms { if_match: read.etag.as_deref(), idempotency_key: None };
        let moved: Moved = server.change(Method::POST, &path, pin.as_ref(), terms).await?;
        let (from, to) = (short(moved.from), short(moved.to));
        let change =
            if moved.from == moved.to { format!("stays at {to}") } else { format!("{from} -> {to}") };
        session.out.line(&format!("service/{name} {change}, follows {}", nouns::follow(&moved.follow)))?;
        if matches!(moved.follow, Follow::Pinned { .. }) {
            session.out.hint(&format!("`windlass rollout resume {name}` follows the newest release again"));
        }
        Ok(Exit::Ok)
    }
}

/// How one target stands.
#[derive(Debug)]
struct Standing {
    cluster: String,
    done: bool,
    release: Option<Digest>,
    sync: String,
    health: String,
}

impl Status {
    async fn run(self, session: &Session) -> Result<Exit> {
        let server = session.server()?;
        let deadline = Instant::now() + self.timeout;
        let progress = session.progress();
        let mut told = None;
        loop {
            let service = get::service(&server, &self.named.service.to_string()).await?;
            let standings = standings(&server, &service).await?;
            let lacks = match self.unpublished(&server, &service).await? {
                Some(unpublished) => Some(unpublished),
                None => lacks(&service, &standings),
            };
            if lacks.is_none() || !self.wait || Instant::now() >= deadline {
                progress.finish("");
                session.out.show(&view(&service, &standings), self.format.output)?;
                return lacks.map_or(Ok(Exit::Ok), |lacks| self.end(lacks));
            }
            if told != lacks {
                progress.step(lacks.as_deref().unwrap_or_default());
                told = lacks;
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    fn end(&self, lacks: String) -> Result<Exit> {
        let exit = if self.wait { Exit::Timeout } else { Exit::Failed };
        Err(Failure::new(exit, lacks)
            .next(format!(
                "see `windlass describe service {}`, `windlass get holds` and `windlass describe cluster NAME`",
                self.named.service
            ))
            .into())
    }

    /// Why what is to run is not published yet.
    async fn unpublished(&self, server: &Server, service: &Service) -> Result<Option<String>> {
        if let Some(unseen) = unseen(service) {
            return Ok(Some(unseen));
        }
        let Some(commit) = &self.commit else { return Ok(refused(service)) };
        let current = match service.release {
            Some(release) => Some(get::release(server, &release.to_string()).await?.release),
            None => None,
        };
        Ok(without(commit, service, current.as_ref()))
    }
}

/// Why what is to run is not of this commit, if it is not: by the release that runs, and by what the publisher last said.
fn without(commit: &str, service: &Service, current: Option<&Release>) -> Option<String> {
    let name = &service.name;
    if current.is_some_and(|release| is_commit(&release.revision, commit)) {
        // Also where nobody has said anything: who publishes by `windlass publish` alone.
        return None;
    }
    let last = service.publish.as_ref().map(|publish| &publish.status);
    match last.filter(|said| is_commit(&said.commit, commit)) {
        Some(said) if said.outcome == Outcome::Refused => Some(refusal(said)),
        // The head's commit moves where the bundle stays the same, and the release does not.
        Some(said) if said.release.is_some() && said.release == service.release => None,
        Some(said) if said.outcome != Outcome::Failed => Some(format!(
            "{name} runs {}, and commit {commit} is published as {}: `windlass rollout resume {name}` follows the \
             newest release",
            short(service.release),
            short(said.release)
        )),
        Some(_) | None => {
            let last =
                last.map(|said| format!(", which looked at {} last", crate::words::commit(&said.commit)));
            let last = last.unwrap_or_else(|| ", which has said nothing yet".to_owned());
            Some(format!("{name} waits for commit {commit} from its publisher{last}"))
        }
    }
}

/// What its publisher has yet to do, where the newest is to run: look at the last change, or let the api know what it has
/// published.
fn unseen(service: &Service) -> Option<String> {
    let publish = service.publish.as_ref().filter(|_| service.follow == Follow::Latest)?;
    let (name, said) = (&service.name, &publish.status);
    if publish.current == Some(false) {
        return Some(format!("{name} waits for its publisher to look at the last change"));
    }
    match (said.outcome, said.release) {
        (Outcome::Failed, _) => Some(format!("the publisher of {name} cannot look at it: {}", said.message)),
        (Outcome::Published | Outcome::Unchanged, Some(release)) if service.latest != Some(release) => {
            Some(format!("{name} waits until the api knows its release {}", short(Some(release))))
        }
        (Outcome::Published | Outcome::Unchanged | Outcome::Refused | Outcome::Unknown, _) => None,
    }
}

/// What its publisher refuses, where the newest is to run.
fn refused(service: &Service) -> Option<String> {
    let said = service.publish.as_ref().map(|publish| &publish.status)?;
    (said.outcome == Outcome::Refused && service.follow == Follow::Latest).then(|| refusal(said))
}

fn refusal(said: &PublishStatus) -> String {
    format!("the publisher of {} refuses it: {}", said.service, said.message)
}

/// What the clusters lack, if they lack something.
fn lacks(service: &Service, standings: &[Standing]) -> Option<String> {
    let left = standings.iter().filter(|standing| !standing.done).count();
    match standings.len() {
        0 => Some(format!("{} has no active target", service.name)),
        of if left > 0 || service.release.is_none() => {
            let clusters = count(of as u64, "cluster");
            Some(format!("{left} of {clusters} without the release of {} yet", service.name))
        }
        _ => None,
    }
}

/// A folder's revision is the digest of its files; it is asked for as the tables show it.
fn commit_arg(text: &str) -> Result<String, String> {
    let digits = text.strip_prefix("sha256:").unwrap_or(text);
    if crate::words::are_digits(digits) {
        return Ok(digits.to_owned());
    }
    Err("write the commit's id, or at least 6 of its first digits".to_owned())
}

/// How the service stands where it is assigned. Whom it targets is the api's to decide: it leaves out who could not run it.
async fn standings(server: &Server, service: &Service) -> Result<Vec<Standing>> {
    let path = format!("/v1/services/{}/clusters", service.name);
    let told: Vec<services::Standing> = server.list(&path, &Query::default()).await?;
    Ok(told.into_iter().map(|told| standing(service, told)).collect())
}

fn standing(service: &Service, told: services::Standing) -> Standing {
    // A folder as target has no health that anybody could know.
    let works = matches!(told.health, Health::Healthy | Health::Suspended | Health::Unknown);
    Standing {
        done: told.sync == Sync::Synced && works && told.release == service.release,
        cluster: told.cluster,
        release: told.release,
        sync: word(&told.sync),
        health: word(&told.health),
    }
}

fn view(service: &Service, standings: &[Standing]) -> View {
    let mut table = Table::new(["CLUSTER", "DONE", "RELEASE", "SYNC", "HEALTH"]);
    let mut items = Vec::new();
    for standing in standings {
        let done = if standing.done { "yes" } else { "no" };
        let release = short(standing.release);
        table.row([
            standing.cluster.clone(),
            done.to_owned(),
            release,
            standing.sync.clone(),
            standing.health.clone(),
        ]);
        items.push(json!({ "cluster": standing.cluster, "done": standing.done, "release": standing.release,
            "sync": standing.sync, "health": standing.health }));
    }
    let value: Value = json!({ "service": service.name, "release": service.release, "follow": service.follow, "items": items });
    let names = standings.iter().map(|standing| format!("cluster/{}", standing.cluster)).collect();
    View { table, value, names, empty: "no active target" }
}
