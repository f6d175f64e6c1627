//! `windlass describe`: one thing, with everything that a person needs to decide what to do next.

mod cluster;
mod page;

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use api::routes::clusters::Cluster;
use api::routes::holds::Hold;
use api::routes::releases::{Release, ReleaseDetail};
use api::routes::services::{Follow, Service};
use cdn::Digest;
use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use crate::exit::{Exit, Failure};
use crate::get::{self, nouns};
use crate::output::{Format, FormatArg};
use crate::server::{Query, Server};
use crate::session::Session;
use crate::words::{Lacking, age, by_digits, word};
use page::Page;

/// Releases that a service's description shows.
const RECENT: usize = 10;

/// Show one thing with all that is known of it
#[derive(Args, Debug)]
#[command(before_help = "Examples:
  windlass describe cluster site-1
  windlass describe service default/web
  windlass describe release sha256:4be1...
  windlass describe hold 4be1c2d3e4f5")]
pub(crate) struct Describe {
    /// What it is
    #[arg(value_name = "NOUN")]
    noun: Described,
    /// Which one; a hold by its digest or the digest's first digits, or by a name that `get holds -o name` prints
    #[arg(value_name = "NAME")]
    name: String,
    #[command(flatten)]
    format: FormatArg,
}

/// What can be described.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Described {
    /// A cluster
    #[value(alias = "clusters")]
    Cluster,
    /// A service
    #[value(alias = "services", alias = "svc")]
    Service,
    /// A release
    #[value(alias = "releases")]
    Release,
    /// Something that an agent refuses or waits for
    #[value(alias = "holds")]
    Hold,
}

impl Describe {
    /// Does it.
    pub(crate) async fn run(self, session: &Session) -> Result<Exit> {
        let server = session.server()?;
        let (page, value, name) = match self.noun {
            Described::Cluster => {
                let detail = get::cluster(&server, &self.name).await?;
                let holds = holds_of(&server, &detail.cluster).await?;
                let name = nouns::Row::name(&detail.cluster);
                (cluster::page(&detail, &holds), json!({ "cluster": detail, "holds": holds }), name)
            }
            Described::Service => {
                let service = get::service(&server, &self.name).await?;
                let releases = get::releases_of(&server, &self.name).await?;
                let name = nouns::Row::name(&service);
                (of_service(&service, &releases), json!({ "service": service, "releases": releases }), name)
            }
            Described::Release => {
                let detail = get::release(&server, &self.name).await?;
                let name = nouns::Row::name(&detail.release);
                (of_release(&detail), serde_json::to_value(&detail)?, name)
            }
            Described::Hold => {
                let holds = holds_named(&server, &self.name).await?;
                let value = match holds.as_slice() {
                    [one] => serde_json::to_value(one)?,
                    several => json!({ "items": several }),
                };
                (of_holds(&holds), value, holds.first().map(nouns::Row::name).unwrap_or_default())
            }
        };
        self.print(session, &page, &value, &name)?;
        Ok(Exit::Ok)
    }

    fn print(&self, session: &Session, page: &Page, value: &Value, name: &str) -> Result<()> {
        match self.format.output {
            Format::Table | Format::Wide => session.out.write(&page.render(session.out.colour()))?,
            Format::Json | Format::Yaml => session.out.value(value, self.format.output)?,
            Format::Name => session.out.line(name)?,
        }
        Ok(())
    }
}

async fn holds_of(server: &Server, cluster: &Cluster) -> Result<Vec<Hold>> {
    server.list("/v1/holds", &Query::default().add("cluster", Some(cluster.id.as_str()))).await
}

/// The holds of a name that `get holds -o name` prints, which several may share; else the one with this digest.
async fn holds_named(server: &Server, name: &str) -> Result<Vec<Hold>> {
    let full = if name.starts_with("hold/") { name.to_owned() } else { format!("hold/{name}") };
    let mut holds: Vec<Hold> = server.list("/v1/holds", &Query::default()).await?;
    holds.retain(|hold| nouns::Row::name(hold) == full);
    if holds.is_empty() { Ok(vec![find_hold(server, name, None).await?]) } else { Ok(holds) }
}

/// A hold that can be approved, by its digest or the digest's first digits: of this cluster, or of the only one that
/// reports it.
pub(crate) async fn find_hold(server: &Server, name: &str, cluster: Option<&str>) -> Result<Hold> {
    let name = name.strip_prefix("hold/").unwrap_or(name);
    let holds: Vec<Hold> = server.list("/v1/holds", &Query::default().add("cluster", cluster)).await?;
    let mut each: BTreeMap<Digest, BTreeMap<String, Hold>> = BTreeMap::new();
    for hold in holds {
        if let Some(digest) = hold.hold.digest {
            each.entry(digest).or_default().entry(hold.cluster_name.clone()).or_insert(hold);
        }
    }
    let lacking = Lacking {
        none: format!("there is no hold `{name}` that could be approved"),
        several: format!("`{name}` is not one hold"),
        next: "see them all with `windlass get holds -o wide`",
    };
    let (digest, mut reporting) = by_digits(name, each, |(digest, _)| Some(*digest), lacking)?;
    if reporting.len() > 1 {
        let names: Vec<String> = reporting.into_keys().collect();
        return Err(Failure::new(Exit::Usage, format!("several clusters report the hold {}", digest.short()))
            .why(format!("it can be one's alone: {}", names.join(", ")))
            .next(format!(
                "look at each with `windlass describe cluster NAME`, then `windlass approve hold {} --cluster NAME`",
                digest.short()
            ))
            .into());
    }
    reporting.pop_first().map(|(_, hold)| hold).context("a digest is there by a hold that has it")
}

fn of_service(service: &Service, releases: &[Release]) -> Page {
    let mut page = Page::default();
    page.field("Name", &service.name.to_string());
    page.field("Kind", &word(&service.kind));
    page.field("Source", &format!("{}, path `{}`", service.spec.source, service.spec.path));
    page.field("Renderer", service.spec.renderer.word());
    page.field("Namespace", &service.spec.namespace);
    page.field("Targets", &nouns::targets(service));
    page.field("Depends on", &service.spec.depends_on.join(", "));
    let options = serde_json::to_value(&service.spec.options).unwrap_or_default();
    page.field("Options", &options.to_string());
    let follow = match &service.follow {
        Follow::Latest => "latest".to_owned(),
        Follow::Pinned { release } => {
            format!("pinned to {release}; `windlass rollout resume {}` follows again", service.name)
        }
    };
    page.field("Follows", &follow);
    page.field(
        "Release",
        &service.release.map_or_else(|| "none yet".to_owned(), |digest| digest.to_string()),
    );
    if service.latest != service.release {
        page.field("Latest", &service.latest.map(|digest| digest.to_string()).unwrap_or_default());
    }
    if let Some(publish) = &service.publish {
        let status = &publish.status;
        page.field(
            "Publisher",
            &format!("{} {} ago, at {}", word(&status.outcome), age(publish.at), status.commit),
        );
        page.field("", &status.message);
    }
    page.section("Clusters by health");
    for (health, count) in &service.health {
        page.field(&word(health), &count.to_string());
    }
    page.section("Releases, newest first");
    page.table(nouns::view(releases.get(..RECENT).unwrap_or(releases), Value::Null).table);
    page
}

fn of_release(detail: &ReleaseDetail) -> Page {
    let (release, document) = (&detail.release, &detail.document);
    let mut page = Page::default();
    page.field("Release", &release.digest.to_string());
    page.field("Service", &release.service.to_string());
    page.field("Current", if release.current { "yes" } else { "no" });
    page.field("Commit", &release.revision);
    page.field("Subject", &release.subject);
    page.field("Bundle", &release.bundle.to_string());
    page.field(
        "Objects",
        &format!("{}, {} as tar", release.objects, program::progress::size(release.length)),
    );
    page.field("Namespace", &document.namespace);
    page.field(
        "Sequence",
        &format!("{} (lowest acceptable from then on: {})", document.seq, document.min_seq),
    );
    page.field("Published", &format!("{} ago by {}", age(release.created_at), release.publisher));
    page.section("Stored as");
    for stored in &document.encodings {
        let size = program::progress::size(stored.length);
        page.field(&word(&stored.encoding), &format!("{} ({size})", stored.digest));
    }
    page
}

fn of_holds(holds: &[Hold]) -> Page {
    let mut page = Page::default();
    for hold in holds {
        if holds.len() > 1 {
            page.section(&format!("{} at {}", hold.hold.reason.code(), hold.cluster_name));
        }
        cluster::hold(&mut page, hold);
    }
    page
}
