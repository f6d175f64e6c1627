//! The whole way: join, publish, run, change, drift, undo, remove.

use anyhow::{Context, Result, bail, ensure};
use e2e::{Id, Repository, Rig, Site, SiteOptions, Target, example};
use serde_json::{Value, json};

use crate::small::{GREETING, IMAGE, Small};

#[tokio::test]
async fn commits_become_running_pods_and_everything_can_be_taken_back() -> Result<()> {
    let rig = Box::pin(Rig::full()).await?;
    Box::pin(walk(&rig)).await
}

#[tokio::test]
async fn commits_become_files_and_everything_can_be_taken_back() -> Result<()> {
    let rig = Box::pin(Rig::embedded()).await?;
    Box::pin(walk(&rig)).await
}

/// Each step stands on the one before.
async fn walk(rig: &Rig) -> Result<()> {
    let site = rig.site("north").await?;
    let (web, first) = Small::running(rig, "walk", &["north"]).await?;
    let (other, _) = Small::running(rig, "other", &["north"]).await?;
    let untouched = marks(&site, &other).await?;
    runs(rig, &site, &web).await?;
    drift_is_repaired(rig, &site, &web).await?;
    let second = one_tag_changes(rig, &site, &web).await?;
    ensure!(first != second, "another release");
    a_comment_moves_nothing(rig, &web, &second).await?;
    an_undo_is_a_newer_assignment(rig, &site, &web).await?;
    a_service_is_taken_away(rig, &site, &web).await?;
    ensure!(untouched == marks(&site, &other).await?, "the other service was not touched");
    Ok(())
}

async fn runs(rig: &Rig, site: &Site, web: &Small) -> Result<()> {
    site.target.has(&web.web, IMAGE, "registry.example.com/web:1.0.0").await?;
    site.target.has(&web.settings, GREETING, "ahoy").await?;
    if let Target::Kubernetes(_) = site.target {
        let ready = rig
            .until("both pods are ready", async || {
                site.target.has(&web.web, "/status/readyReplicas", 2).await
            })
            .await;
        if let Err(why) = ready {
            bail!("{why:#}\n{}", site.target.trouble(web.service.namespace()).await);
        }
    }
    let cluster = rig.cluster(&site.name).await?;
    ensure!(cluster.pointer("/cluster/sync") == Some(&json!("synced")), "{cluster:#}");
    Ok(())
}

async fn drift_is_repaired(rig: &Rig, site: &Site, web: &Small) -> Result<()> {
    site.target.delete(&web.notice).await?;
    site.target.edit(&web.settings, GREETING, "go away").await?;
    rig.until("the deleted object is back", async || site.target.get(&web.notice).await).await?;
    web.greets(rig, site, "ahoy").await
}

async fn one_tag_changes(rig: &Rig, site: &Site, web: &Small) -> Result<String> {
    web.repository.replace("web/web.yaml", "web:1.0.0", "web:1.0.1")?;
    web.repository.commit("web 1.0.1").await?;
    let release = web.rolled_out(rig).await?;
    site.target.has(&web.web, IMAGE, "registry.example.com/web:1.0.1").await?;
    Ok(release)
}

async fn a_comment_moves_nothing(rig: &Rig, web: &Small, release: &str) -> Result<()> {
    let fetched = rig.edge.mark();
    web.repository.replace("web/settings.yaml", "# What the page says.", "# What is said there.")?;
    let commit = web.repository.commit("Other words").await?;
    let same = rig.published(&web.service, &commit).await?;
    ensure!(same == release, "a comment changes no digest: {same} is not {release}");
    ensure!(rig.edge.mark() == fetched, "no byte moves: {:?}", rig.edge.exchanges().last());
    Ok(())
}

async fn an_undo_is_a_newer_assignment(rig: &Rig, site: &Site, web: &Small) -> Result<()> {
    let before = seq(rig, site).await?;
    let fetched = rig.edge.mark();
    rig.operator.runs(&["rollout", "undo", &web.service.full_name(), "--yes"]).await?;
    rig.until("the older image runs again", async || {
        site.target.has(&web.web, IMAGE, "registry.example.com/web:1.0.0").await
    })
    .await?;
    rig.rolled_out(&web.service).await?;
    ensure!(seq(rig, site).await? > before, "an undo is a newer assignment");
    let content = contents_of(rig, web).await?;
    for exchange in rig.edge.exchanges().iter().skip(fetched) {
        ensure!(!content.iter().any(|path| exchange.is_for(path)), "fetched again: {}", exchange.path);
    }
    Ok(())
}

async fn a_service_is_taken_away(rig: &Rig, site: &Site, web: &Small) -> Result<()> {
    rig.operator.runs(&["delete", "service", &web.service.full_name(), "--mode", "delete", "--yes"]).await?;
    for id in [&web.web, &web.settings, &web.notice] {
        rig.until("its objects are gone", async || site.target.lacks(id).await).await?;
    }
    rig.until("the removal is reported done", async || {
        let open = rig.operator.lists(&["get", "removals"]).await?;
        ensure!(open.is_empty(), "{open:#?}");
        Ok(())
    })
    .await
}

/// The sequence that the site has reported.
async fn seq(rig: &Rig, site: &Site) -> Result<u64> {
    let cluster = rig.cluster(&site.name).await?;
    Ok(cluster.pointer("/cluster/reported_seq").and_then(Value::as_u64).unwrap_or_default())
}

/// Where the stored encodings of all bundles of a service lie.
async fn contents_of(rig: &Rig, web: &Small) -> Result<Vec<String>> {
    let mut places = Vec::new();
    for release in rig.operator.lists(&["get", "releases", &web.service.full_name()]).await? {
        let digest = release.get("digest").and_then(Value::as_str).unwrap_or_default();
        let detail = rig.operator.reads(&["describe", "release", digest]).await?;
        let encodings = detail.pointer("/document/encodings").and_then(Value::as_array).cloned();
        for encoding in encodings.unwrap_or_default() {
            let digest = encoding.get("digest").and_then(Value::as_str).unwrap_or_default();
            places.push(format!("/v1/o/{}", digest.trim_start_matches("sha256:")));
        }
    }
    ensure!(places.len() >= 2, "two releases have at least two encodings: {places:?}");
    Ok(places)
}

/// What changes when somebody touches a service's objects.
async fn marks(site: &Site, small: &Small) -> Result<Vec<Value>> {
    let mut marks = Vec::new();
    for id in [&small.settings, &small.notice] {
        let object = site.target.get(id).await?;
        match &site.target {
            Target::Kubernetes(_) => marks.push(object["metadata"]["resourceVersion"].clone()),
            Target::Directory(_) => marks.push(object),
        }
    }
    Ok(marks)
}

/// The whole example as its own `fleet.yaml` describes it - plain, overlays and charts - at a site of the northern
/// production.
#[tokio::test]
async fn the_example_comes_up_in_its_order_and_every_pod_is_ready() -> Result<()> {
    let rig = Box::pin(Rig::full()).await?;
    let labels = ["env=production", "region=north", "water=tidal"].map(str::to_owned).into();
    let site = rig.site_with("site-1", SiteOptions { labels, ..SiteOptions::default() }).await?;
    let repository = Repository::new().await?;
    repository.copy(&example(""), ".")?;
    repository.commit("The harbour").await?;
    rig.operator.applies(&northern(&repository)?).await?;
    rig.until("all of it runs", async || all_runs(&rig).await).await?;
    let web = Id::new("Deployment", "harbour-web", "web");
    rig.until("the board is up", async || site.target.has(&web, "/status/readyReplicas", 2).await).await?;
    let crd = Id::of_the_cluster("CustomResourceDefinition", "berths.port.harbour.example.com");
    let berth = site.target.field(&crd, "/spec/scope").await?;
    ensure!(berth == "Namespaced", "the custom kinds are there: {berth}");
    Ok(())
}

/// The example's own documents, from this repository, less the clusters: those come by joining.
fn northern(repository: &Repository) -> Result<String> {
    let text = std::fs::read_to_string(example("fleet.yaml"))?;
    let text = text.replace("https://git.example.com/harbour.git", &repository.url());
    let documents = text.split("\n---\n").filter(|document| !document.contains("kind: Cluster\n"));
    Ok(documents.collect::<Vec<_>>().join("\n---\n"))
}

/// An error unless the site has all of its eleven services, synced and healthy; one has a job that is suspended.
async fn all_runs(rig: &Rig) -> Result<()> {
    let told = rig.operator.reads(&["describe", "cluster", "site-1"]).await?;
    let services = told.pointer("/cluster/report/services").and_then(Value::as_array);
    let services = services.with_context(|| format!("nothing is reported: {told:#}"))?;
    ensure!(services.len() == 11, "{} services: {told:#}", services.len());
    for service in services {
        let health = if service["name"] == "default/worker" { "suspended" } else { "healthy" };
        ensure!(service["sync"] == "synced" && service["health"] == health, "{service:#}");
    }
    Ok(())
}
