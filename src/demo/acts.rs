//! The demo's story, act by act. Every figure in it is measured while it runs.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use api::routes::releases::Release;
use cdn::document::Sync;
use cdn::{Digest, ServiceName};
use futures::future::try_join_all;
use program::progress::count;

use super::Demo;
use super::description::{Description, Tools};
use super::fleet::{Fleet, GLANCE, PATIENCE};
use super::repository::Repository;
use super::site::{self, INTERVAL, NAMESPACE, Site, is_synced};
use super::stored::{self, Stored};
use super::story::{Story, bytes, time};
use super::workshop::Workshop;
use crate::session::Session;
use crate::table::{Look, Table};

/// Everything on the stage.
pub(super) struct Acts<'o> {
    story: Story<'o>,
    fleet: Fleet,
    repository: Repository,
    description: Description,
    sites: Vec<Site>,
}

impl<'o> Acts<'o> {
    /// Starts everything but the sites.
    pub(super) async fn prepare(demo: &Demo, session: &Session, story: Story<'o>) -> Result<Self> {
        story.line(
            "Windlass: from a git commit to running sites, by pull only. All of it in this one process.",
        )?;
        site::reach(demo).await?;
        let workshop = Workshop::new()?;
        let repository = Repository::make(workshop.path("repository"), demo).await?;
        let description = match &demo.source {
            Some(_) => Description::visitor(&repository, &demo.path),
            None => Description::example(&repository, Tools::find(&session.search_path()))?,
        };
        let fleet = Fleet::start(workshop).await?;
        Ok(Self { story, fleet, repository, description, sites: Vec::new() })
    }

    /// The whole story.
    pub(super) async fn tell(&mut self, demo: &Demo, session: &Session) -> Result<()> {
        self.publish(session).await?;
        self.join(demo, session).await?;
        self.change(demo).await?;
        self.break_everything().await?;
        self.come_back().await?;
        self.sum_up().await
    }

    async fn publish(&mut self, session: &Session) -> Result<()> {
        let services = self.description.services();
        self.story.step("Publish: manifests become signed, content-addressed bundles")?;
        self.story.say(&format!(
            "source: {}, commit {}",
            self.repository.what,
            self.repository.head().await?
        ))?;
        if !self.description.left_out.is_empty() {
            let names = self.description.left_out.join(", ");
            let programs = self.description.lacking.join(" and ");
            self.story.say(&format!("left out, for want of {programs} on this machine: {names}"))?;
        }
        let begun = Instant::now();
        self.description.apply(&self.fleet.server).await?;
        self.fleet.start_publisher(&self.repository, session.search_path()).await?;
        let releases = self.until_released(services, &BTreeSet::new()).await?;
        let took = begun.elapsed();
        let mut table = Table::new(["SERVICE", "DIGEST", "OBJECTS", "AS TAR", "STORED"]);
        for release in &releases {
            let stored = Stored::read(&self.fleet.workshop, release)?;
            table.row([
                release.service.to_string(),
                release.bundle.short(),
                release.objects.to_string(),
                bytes(release.length),
                bytes(stored.size),
            ]);
        }
        self.story.line(&indent(&table.render(Look { colour: false, wide: false })))?;
        let rendered = count(services as u64, "service");
        self.story.say(&format!("{rendered} rendered, packed, signed and stored in {}", time(took)))
    }

    async fn join(&mut self, demo: &Demo, session: &Session) -> Result<()> {
        self.story.step("Run: each site polls the api, fetches from the CDN, verifies, applies")?;
        let wanted = self.current().await?;
        if demo.kube_context.is_some() {
            self.show_plan(demo, session).await?;
        }
        let begun = Instant::now();
        for (number, (name, labels)) in self.description.sites.iter().enumerate() {
            let cluster = (number == 0 && demo.kube_context.is_some()).then_some(demo);
            self.sites.push(Site::join(&self.fleet, name, labels, cluster).await?);
        }
        let synced =
            self.sites.iter_mut().map(|site| site.until("everything synced", |it| is_synced(it, &wanted)));
        let ready = try_join_all(synced).await?;
        for (site, ready) in self.sites.iter().zip(ready) {
            let status = site.status();
            let pass = status.pass.as_ref().context("a pass was made")?;
            let objects: u64 = pass.services.iter().map(|service| service.objects).sum();
            self.story.say(&format!(
                "{}: joined, polled, fetched {} from the CDN, verified {}, applied {} - {} after the start",
                site.name,
                bytes(status.network.content_bytes),
                count(pass.services.len() as u64, "bundle"),
                count(objects, "object"),
                time(ready - begun),
            ))?;
        }
        self.story.say(&format!("(these agents look every {INTERVAL}; in a fleet it is every two minutes)"))
    }

    /// What would be applied to the named cluster, and the question whether it should be.
    async fn show_plan(&self, demo: &Demo, session: &Session) -> Result<()> {
        let context = demo.kube_context.as_deref().unwrap_or_default();
        self.story.say(&format!("cluster `{context}` would get, by server-side apply:"))?;
        for release in self.fleet.releases().await? {
            let stored = Stored::read(&self.fleet.workshop, &release)?;
            let (service, namespace) = (&release.service, &stored.namespace);
            self.story.say(&format!("  {service}, in the namespace `{namespace}` where none is named:"))?;
            for object in stored.bundle.objects() {
                self.story.say(&format!("    {}", object.id()))?;
            }
        }
        self.story.say(&format!(
            "and the namespace `{NAMESPACE}` for what its agent notes; all of it is taken away at the end"
        ))?;
        session.confirm(&format!("apply this to `{context}`?")).await
    }

    async fn change(&mut self, demo: &Demo) -> Result<()> {
        self.story.step("Change: one image tag, committed")?;
        let path = if demo.source.is_some() { demo.path.clone() } else { "plain/web".to_owned() };
        let before = self.fleet.releases().await?;
        let known: BTreeSet<_> = before.iter().map(|release| release.bundle).collect();
        let moved_before = self.fleet.served_bytes();
        let committed = Instant::now();
        let Some(change) = self.repository.raise_a_tag(&path).await? else {
            return self
                .story
                .say("no plain manifest in it names an image with a numbered tag: nothing to change");
        };
        self.story.say(&format!("{}: {} -> {}", change.file, change.from, change.to))?;
        let releases = self.until_released(before.len(), &known).await?;
        let wanted = by_service(&releases);
        let mut last = committed;
        for site in &mut self.sites {
            last = last.max(site.until("the changed release", |status| is_synced(status, &wanted)).await?);
        }
        let changed: Vec<_> = releases.iter().filter(|release| !known.contains(&release.bundle)).collect();
        let names: Vec<_> = changed
            .iter()
            .map(|release| format!("{} is now {}", release.service, release.bundle.short()))
            .collect();
        self.story.say(&format!(
            "{} of {} digests changed: {}",
            changed.len(),
            releases.len(),
            names.join(", ")
        ))?;
        let moved = self.fleet.served_bytes() - moved_before;
        self.story.say(&format!(
            "{} moved from the CDN to {} sites; {} from commit to applied at the last site",
            bytes(moved),
            self.sites.len(),
            time(last - committed),
        ))
    }

    async fn break_everything(&mut self) -> Result<()> {
        self.story.step("Break: api and CDN are switched off, files are damaged, an agent is restarted")?;
        self.fleet.stop_api_and_cdn().await?;
        self.story.say("api: off. CDN: off. Sites are on their own.")?;
        let folders = self.sites.iter().filter(|site| !site.is_cluster()).count();
        if folders == 0 {
            bail!("the demo has no site that is a folder");
        }
        for number in 0..self.sites.len() {
            let restarts = number + 1 == self.sites.len();
            if restarts || number == self.sites.len() - folders {
                self.damage(number, restarts).await?;
            }
        }
        Ok(())
    }

    /// Damages a file of one site, and waits until it is whole again; the agent is restarted meanwhile if asked for.
    async fn damage(&mut self, number: usize, restarts: bool) -> Result<()> {
        let site = &mut self.sites[number];
        let Some(folder) = site.folder.clone() else { return Ok(()) };
        if restarts {
            site.stop().await?;
        }
        let file = a_file(&folder)?;
        let whole = fs::read(&file).context("read the file that is damaged")?;
        fs::write(&file, b"{\"damaged\": true}").context("damage a file")?;
        let begun = Instant::now();
        if restarts {
            site.start()?;
        }
        while fs::read(&file).ok().as_ref() != Some(&whole) {
            if begun.elapsed() > PATIENCE {
                bail!("{} was not repaired", file.display());
            }
            tokio::time::sleep(GLANCE).await;
        }
        let name = file.strip_prefix(&folder).unwrap_or(&file).display().to_string();
        let how = if restarts {
            "damaged while its agent was off; the agent started with nothing but its disk"
        } else {
            "damaged"
        };
        self.story.say(&format!("{}: {name} {how}: healed after {}", site.name, time(begun.elapsed())))
    }

    async fn come_back(&mut self) -> Result<()> {
        self.story.step("Come back: api and CDN are switched on again")?;
        let begun = Instant::now();
        let before: Vec<u64> = self.sites.iter().map(|site| site.status().network.polls).collect();
        self.fleet.start_api_and_cdn().await?;
        for (site, polls) in self.sites.iter_mut().zip(before) {
            site.until("a poll that is answered", |status| {
                status.network.connected && status.network.polls > polls
            })
            .await?;
        }
        self.story.say(&format!(
            "every site polls again after {}; none had anything to catch up",
            time(begun.elapsed())
        ))
    }

    async fn sum_up(&mut self) -> Result<()> {
        self.fleet.check()?;
        self.story.line("")?;
        let mut table = Table::new(["SITE", "SEQUENCE", "SERVICES", "SYNC", "HEALTH", "OBJECTS", "HOLDS"]);
        for site in &self.sites {
            let status = site.status();
            let services = status.pass.as_ref().map(|pass| pass.services.clone()).unwrap_or_default();
            let synced = services.iter().filter(|service| service.sync == Sync::Synced).count();
            let health =
                services.iter().fold(cdn::document::Health::Unknown, |all, service| all.and(service.health));
            let health = match (&site.folder, health) {
                (Some(_), cdn::document::Health::Unknown) => "Unknown (a folder)".to_owned(),
                (_, health) => format!("{health:?}"),
            };
            let objects: u64 = services.iter().map(|service| service.objects).sum();
            let sync = format!("{synced}/{} synced", services.len());
            let holds = status.holds().len().to_string();
            let numbers = (status.network.seq.to_string(), services.len().to_string(), objects.to_string());
            table.row([site.name.clone(), numbers.0, numbers.1, sync, health, numbers.2, holds]);
        }
        self.story.line(table.render(Look { colour: false, wide: false }).trim_end())?;
        self.story.line("")?;
        self.story.line(&format!("content bytes from the CDN:      {}", self.fleet.served_bytes()))?;
        let (releases, told) = (self.fleet.releases().await?, &self.description.documents);
        let texts = stored::texts(&self.fleet.workshop, &releases, told)?;
        let found = self.fleet.crossed.texts_of(texts.iter().map(String::as_str))?;
        let found_bytes: usize = found.iter().map(|text| text.len()).sum();
        self.story.line(&format!("manifest bytes through the api:  {found_bytes}"))?;
        let crossed = bytes(self.fleet.crossed.bytes() as u64);
        let looked_for = match texts.len() {
            0 => "these manifests have no long text to look for".to_owned(),
            count => format!("{} of {count} long texts of the manifests were among them", found.len()),
        };
        self.story
            .line(&format!("  (measured: {crossed} crossed the wire in front of the api; {looked_for})"))?;
        if found.is_empty() {
            return Ok(());
        }
        bail!("manifest bytes crossed the api's wire, and this must never be: {}", found.join(", "))
    }

    /// Says what a visitor may try now.
    pub(super) fn invite(&self, demo: &Demo) -> Result<()> {
        let folder = self.sites.iter().find_map(|site| site.folder.clone()).unwrap_or_default();
        let token = self.fleet.workshop.path("admin-token");
        let url = self.fleet.server.url();
        self.story.line(&format!("\nIt goes on running. api: {url}   CDN: {}", self.fleet.cdn_url()))?;
        self.story.line("Three things to try, in another terminal:")?;
        let manifest = match &demo.source {
            Some(_) => self.repository.folder().join(&demo.path),
            None => self.repository.folder().join("plain/web/deployment.yaml"),
        };
        self.story.line(&format!(
            "  1. change a manifest:   $EDITOR {} && git -C {} commit -am change",
            manifest.display(),
            self.repository.folder().display()
        ))?;
        self.story.line(&format!(
            "  2. damage a site:       rm -r {}/* && sleep 2 && ls {}",
            folder.display(),
            folder.display()
        ))?;
        self.story.line(&format!(
            "  3. look at the fleet:   windlass --server {url} --token-file {} get clusters",
            token.display()
        ))?;
        self.story.line("Ctrl-C ends it and leaves nothing behind.")
    }

    /// Ends all programs; the folder goes with the last of them. What was put into a cluster is taken away before.
    pub(super) async fn end(mut self) -> Result<()> {
        let mut ended = match self.sites.iter().position(Site::is_cluster) {
            Some(number) => self.clear(number).await,
            None => Ok(()),
        };
        for mut site in self.sites {
            ended = ended.and(site.stop().await);
        }
        ended.and(self.fleet.end().await)
    }

    /// Takes every service away from a cluster as an operator does: by signed removals, with a yes to what is
    /// protected. What was there before the demo stays there.
    async fn clear(&mut self, number: usize) -> Result<()> {
        let site = &mut self.sites[number];
        self.story.say(&format!("{}: taking everything away again", site.name))?;
        self.fleet.come_up().await?;
        site.start_again()?;
        for service in self.fleet.services().await? {
            self.fleet.delete(&service.name).await?;
        }
        let begun = Instant::now();
        while self.fleet.removals(&site.name).await? > 0 {
            let holds = site.status().holds();
            for digest in holds.iter().filter_map(|hold| hold.digest) {
                self.fleet.approve(&digest).await;
            }
            if begun.elapsed() > PATIENCE {
                bail!("{} still has objects of the demo; it says: {}", site.name, site.problems());
            }
            tokio::time::sleep(GLANCE).await;
        }
        site.leave().await?;
        self.story.say(&format!("{}: nothing of the demo is left in it", site.name))
    }

    /// Waits until `count` services have a release, one of them with a bundle that was not known before.
    async fn until_released(&mut self, count: usize, known: &BTreeSet<Digest>) -> Result<Vec<Release>> {
        let begun = Instant::now();
        loop {
            let releases = self.fleet.releases().await?;
            if releases.len() == count && releases.iter().any(|release| !known.contains(&release.bundle)) {
                return Ok(releases);
            }
            self.fleet.check()?;
            if begun.elapsed() > PATIENCE {
                let why = self.fleet.failures().await?;
                bail!("only {} of {count} services were published in time{why}", releases.len());
            }
            tokio::time::sleep(GLANCE).await;
        }
    }

    async fn current(&self) -> Result<BTreeMap<ServiceName, Digest>> {
        Ok(by_service(&self.fleet.releases().await?))
    }
}

fn by_service(releases: &[Release]) -> BTreeMap<ServiceName, Digest> {
    releases.iter().map(|release| (release.service.clone(), release.digest)).collect()
}

/// Some object's file below a site's folder: a workload's, if there is one.
fn a_file(folder: &std::path::Path) -> Result<std::path::PathBuf> {
    let mut found = Vec::new();
    let mut next = vec![folder.to_owned()];
    while let Some(folder) = next.pop() {
        for entry in fs::read_dir(&folder).with_context(|| format!("read {}", folder.display()))? {
            let path = entry.context("read the site's folder")?.path();
            if path.is_dir() {
                next.push(path);
            } else if path.extension().is_some_and(|ending| ending == "json") {
                found.push(path);
            }
        }
    }
    found.sort();
    let workload = found.iter().position(|path| path.display().to_string().contains("eployment"));
    found.get(workload.unwrap_or(0)).cloned().context("the site's folder has no object")
}

fn indent(text: &str) -> String {
    text.trim_end().lines().map(|line| format!("   {line}")).collect::<Vec<_>>().join("\n")
}
