//! The programs beside the sites: api, store and CDN, publisher, each with a true configuration.

use std::ffi::OsString;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use api::routes::holds::Approve;
use api::routes::releases::Release;
use api::routes::removals::Removal;
use api::routes::services::Service;
use cdn::wire::Outcome;
use cdn::{Digest, Secret, ServiceName};
use mirror::{Figures, Mirror, MirrorSettings, Served};
use program::http::{Client, Method, Settings};
use program::settings::parse_words;
use serde_json::{Value, json};

use super::relay::{Crossed, Relay};
use super::repository::Repository;
use super::running::Running;
use super::workshop::Workshop;
use crate::exit::{Exit, exit_of};
use crate::server::{Query, Server, Terms, escaped};

/// How long anything here may take on a slow machine.
pub(super) const PATIENCE: Duration = Duration::from_mins(3);
/// How often a condition is looked at.
pub(super) const GLANCE: Duration = Duration::from_millis(20);

/// The publisher's settings as a command line of their own.
#[derive(clap::Parser)]
struct PublisherArgs {
    #[command(flatten)]
    settings: publisher::Settings,
}

/// The programs beside the sites.
pub(super) struct Fleet {
    /// Keys and folders.
    pub(super) workshop: Workshop,
    /// The api as a person asks it.
    pub(super) server: Server,
    /// What has crossed the wire between the api and its publisher and agents.
    pub(super) crossed: Crossed,
    /// `http://...` of the api, for agents and publisher.
    pub(super) api_url: String,
    api_address: SocketAddr,
    api: Option<Running>,
    cdn_address: SocketAddr,
    cdn: Option<Running>,
    served: Vec<Served>,
    publisher: Option<Running>,
    relay: Running,
}

fn free_address() -> Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("find a free port")?;
    listener.local_addr().context("find a free port")
}

impl Fleet {
    /// Starts the CDN and the api.
    pub(super) async fn start(workshop: Workshop) -> Result<Self> {
        let (api_address, cdn_address) = (free_address()?, free_address()?);
        let crossed = Crossed::default();
        let relay = Relay::bind(api_address, crossed.clone()).await?;
        let api_url = format!("http://{}", relay.address()?);
        let relay = Running::start("the wire in front of the api", |stop| relay.serve(stop));
        let admin = workshop.keep(
            "admin-token",
            cdn::secret::Token::random(cdn::secret::TokenKind::Admin, None).secret().expose(),
        )?;
        let token = Secret::new(program::settings::read_secret(&admin).context("read the admin token")?);
        let client = Client::new(&Settings::new("windlass-demo"))?;
        let server = Server::new(client, &format!("http://{api_address}"), token);
        let mut fleet = Self {
            workshop,
            server,
            crossed,
            api_url,
            api_address,
            api: None,
            cdn_address,
            cdn: None,
            served: Vec::new(),
            publisher: None,
            relay,
        };
        fleet.start_api_and_cdn().await?;
        Ok(fleet)
    }

    /// Starts both, for the first time or again, at the same addresses.
    pub(super) async fn start_api_and_cdn(&mut self) -> Result<()> {
        let mirror =
            Mirror::bind(self.cdn_address, &MirrorSettings::new(self.workshop.path("store"))).await?;
        self.served.push(mirror.served());
        self.cdn = Some(Running::start("the CDN", async move |stop| {
            mirror.serve(stop).await;
            Ok(())
        }));
        let room = &self.workshop;
        let settings = parse_words::<api::Settings>([
            "windlass-api",
            "--listen",
            &self.api_address.to_string(),
            "--database",
            &room.text("api.db"),
            "--store",
            &room.text("store"),
            "--root",
            &room.text("root"),
            "--desired-key",
            &room.text("desired.key"),
            "--admin-token-file",
            &room.text("admin-token"),
            "--origins",
            &self.cdn_url(),
            "--observe-listen",
            "off",
        ])?;
        self.api = Some(Running::start("the api", |stop| Box::pin(api::run(settings, stop))));
        self.until_the_api_answers().await
    }

    /// Starts what is switched off.
    pub(super) async fn come_up(&mut self) -> Result<()> {
        if self.api.is_some() { Ok(()) } else { self.start_api_and_cdn().await }
    }

    /// Switches both off.
    pub(super) async fn stop_api_and_cdn(&mut self) -> Result<()> {
        for program in [self.api.take(), self.cdn.take()].into_iter().flatten() {
            program.stop().await?;
        }
        Ok(())
    }

    /// Starts the publisher, with a credential and an allow list for the demo's repository. Programs are looked for where
    /// the visitor's are.
    pub(super) async fn start_publisher(
        &mut self,
        repository: &Repository,
        search_path: OsString,
    ) -> Result<()> {
        let made: Value = self.server.create("/v1/publishers", &json!({ "name": "demo" })).await?;
        let room = &self.workshop;
        room.keep("publisher-token", made["token"].as_str().context("the api gave no token")?)?;
        let allow = format!(
            "[[allow]]\nservices = [\"default/*\"]\nrepository = \"{}\"\nlocal = true\n",
            repository.url()
        );
        room.keep("allow.toml", &allow)?;
        let PublisherArgs { mut settings } = parse_words([
            "windlass-publisher",
            "--api",
            &self.api_url,
            "--token-file",
            &room.text("publisher-token"),
            "--root",
            &room.text("root"),
            "--release-key",
            &room.text("release.key"),
            "--store",
            &room.text("store"),
            "--cache",
            &room.text("publisher"),
            "--allow",
            &room.text("allow.toml"),
            "--interval",
            "1s",
            "--observe-listen",
            "off",
        ])?;
        settings.programs.search_path = search_path;
        self.publisher =
            Some(Running::start("the publisher", |stop| Box::pin(publisher::run(settings, stop))));
        Ok(())
    }

    /// `http://...` of the CDN.
    pub(super) fn cdn_url(&self) -> String {
        format!("http://{}", self.cdn_address)
    }

    /// What the CDN has served, over its restarts.
    pub(super) fn served(&self) -> Vec<Figures> {
        self.served.iter().map(Served::figures).collect()
    }

    /// Bytes of bodies that the CDN has served.
    pub(super) fn served_bytes(&self) -> u64 {
        self.served().iter().map(|figures| figures.body_bytes).sum()
    }

    /// The current release of every service. What was refused stays refused; what failed is tried again.
    pub(super) async fn releases(&self) -> Result<Vec<Release>> {
        let mut current = Vec::new();
        for service in self.services().await? {
            if let Some(refused) = service.publish.filter(|said| said.status.outcome == Outcome::Refused) {
                bail!("{} was not published: {}", service.name, refused.status.message);
            }
            let releases: Vec<Release> = self
                .server
                .list(&format!("/v1/services/{}/releases", service.name), &Query::default())
                .await?;
            current.extend(releases.into_iter().find(|release| release.current));
        }
        Ok(current)
    }

    /// Why services are not published, as the publisher says.
    pub(super) async fn failures(&self) -> Result<String> {
        let services = self.services().await?.into_iter();
        let said = services.filter_map(|service| Some((service.name, service.publish?.status)));
        let failed = said.filter(|(_, status)| status.outcome == Outcome::Failed);
        Ok(failed.map(|(name, status)| format!("\n{name}: {}", status.message)).collect::<Vec<_>>().concat())
    }

    /// Every service.
    pub(super) async fn services(&self) -> Result<Vec<Service>> {
        self.server.list("/v1/services", &Query::default()).await
    }

    /// Takes a service away, with its objects.
    pub(super) async fn delete(&self, service: &ServiceName) -> Result<()> {
        let path = format!("/v1/services/{service}?mode=delete");
        let _told: Value = self.server.change(Method::DELETE, &path, None::<&()>, Terms::default()).await?;
        Ok(())
    }

    /// How many removals a cluster has still to make; none where it has not joined.
    pub(super) async fn removals(&self, cluster: &str) -> Result<usize> {
        let of_it = Query::default().add("cluster", Some(cluster));
        match self.server.list::<Removal>("/v1/removals", &of_it).await {
            Err(error) if exit_of(&error) == Exit::NotFound => Ok(0),
            open => Ok(open?.len()),
        }
    }

    /// Says yes to a hold. One that the api has not heard of yet is asked for again.
    pub(super) async fn approve(&self, hold: &Digest) {
        let path = format!("/v1/holds/{}/approve", escaped(&hold.to_string()));
        let said: Result<Value> =
            self.server.change(Method::POST, &path, Some(&Approve::default()), Terms::default()).await;
        if let Err(error) = said {
            tracing::debug!(%hold, %error, "not approved yet");
        }
    }

    /// An error if a program has stopped by itself.
    pub(super) fn check(&mut self) -> Result<()> {
        let programs = [&mut self.api, &mut self.cdn, &mut self.publisher].into_iter().flatten();
        match programs.chain([&mut self.relay]).find_map(Running::failure) {
            Some(failure) => Err(failure),
            None => Ok(()),
        }
    }

    /// Stops everything, in the order in which nobody misses anybody.
    pub(super) async fn end(self) -> Result<()> {
        for program in [self.publisher, self.api, self.cdn, Some(self.relay)].into_iter().flatten() {
            program.stop().await?;
        }
        Ok(())
    }

    async fn until_the_api_answers(&mut self) -> Result<()> {
        let begun = Instant::now();
        while self.server.get::<Value>("/v1/whoami").await.is_err() {
            self.check()?;
            if begun.elapsed() > PATIENCE {
                bail!("the api does not answer at {}", self.api_address);
            }
            tokio::time::sleep(GLANCE).await;
        }
        Ok(())
    }
}
