//! Thin, slow and deceptive lines, and many readers at once.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Result, ensure};
use e2e::{Content, Rig, SiteOptions};
use testbed::{Fault, FaultProxy};

use crate::small::{GREETING, Small};

/// 128 kbit/s for content, and a second until each answer of the api begins.
#[tokio::test]
async fn g7_a_thin_slow_line_is_enough() -> Result<()> {
    let rig = Box::pin(Rig::embedded()).await?;
    let content = FaultProxy::start(rig.content.url().trim_start_matches("http://")).await?;
    let api = FaultProxy::start(rig.wire.url().trim_start_matches("http://")).await?;
    let options =
        SiteOptions { api: Some(api.url()), origins: vec![content.url()], ..SiteOptions::default() };
    let site = rig.site_with("north", options).await?;
    let (web, _) = Small::running(&rig, "thin", &["north"]).await?;
    content.set(Fault::Drip(16_000)).await?;
    api.set(Fault::Delay(Duration::from_secs(1))).await?;
    web.post_noise(40_000)?;
    web.greet("by a thin line").await?;
    web.rolled_out(&rig).await?;
    site.target.has(&web.settings, GREETING, "by a thin line").await?;
    let polls = rig.wire.since(0, "/v1/desired");
    let unchanged: Vec<_> = polls.iter().filter(|poll| poll.reply.status == 304).collect();
    ensure!(!unchanged.is_empty(), "some polls had no news");
    for poll in unchanged {
        let head: usize =
            poll.reply.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
        ensure!(head + poll.reply.body.len() < 1_000, "a poll without news is answered with {head} bytes");
    }
    Ok(())
}

/// Packets that vanish: nobody says no, nobody says anything.
#[tokio::test]
async fn g8_a_black_hole_is_left_for_the_next_origin_and_stops_no_repair() -> Result<()> {
    let rig = Box::pin(Rig::embedded()).await?;
    let hole = FaultProxy::start(rig.content.url().trim_start_matches("http://")).await?;
    let options = SiteOptions { origins: vec![hole.url()], ..SiteOptions::default() };
    let site = rig.site_with("north", options).await?;
    let (web, _) = Small::running(&rig, "hole", &["north"]).await?;
    hole.set(Fault::BlackHole).await?;
    let commit = web.greet("past the hole").await?;
    rig.published(&web.service, &commit).await?;
    site.target.delete(&web.notice).await?;
    rig.until_within(Duration::from_secs(15), "repair does not wait for the hole", async || {
        site.target.get(&web.notice).await
    })
    .await?;
    web.greets(&rig, &site, "past the hole").await
}

/// A login page with status 200 in place of everything.
#[tokio::test]
async fn g4_a_captive_portal_is_called_what_it_is() -> Result<()> {
    let rig = Box::pin(Rig::embedded()).await?;
    let site = rig.site("north").await?;
    let (web, _) = Small::running(&rig, "portal", &["north"]).await?;
    rig.edge.lie(|exchange| {
        let mut page = exchange.reply.with("<!DOCTYPE html><html><body>Please log in</body></html>");
        page.status = 200;
        page.headers.insert("content-type", http::HeaderValue::from_static("text/html"));
        Some(page)
    });
    let commit = web.greet("behind a login").await?;
    rig.published(&web.service, &commit).await?;
    let hold = rig.hold("north", "ContentMismatch").await?;
    let message = hold.pointer("/hold/message").and_then(|it| it.as_str()).unwrap_or_default();
    ensure!(message.contains("HTML") && message.contains("127.0.0.1"), "{message}");
    site.target.has(&web.settings, GREETING, "ahoy").await
}

/// However many ask, the store behind the CDN is asked once for each object.
#[tokio::test]
async fn h4_the_store_is_asked_once_for_what_every_site_fetches() -> Result<()> {
    let rig = Box::pin(Rig::full()).await?;
    let names = ["a", "b", "c", "d", "e", "f"];
    let mut sites = Vec::new();
    for name in names {
        let folder = Some(rig.path(&format!("folder-{name}")));
        sites.push(rig.site_with(name, SiteOptions { folder, ..SiteOptions::default() }).await?);
    }
    let (web, _) = Small::running(&rig, "crowd", &names).await?;
    web.post_noise(200_000)?;
    web.greet("to everybody").await?;
    web.rolled_out(&rig).await?;
    for site in &sites {
        site.target.has(&web.settings, GREETING, "to everybody").await?;
    }
    let Content::Bucket { cdn, .. } = &rig.content else { anyhow::bail!("the full rig has a CDN") };
    let mut asked: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for served in cdn.served().await?.iter().filter(|it| it.path.starts_with("/v1/o/") && it.status == 200) {
        let (times, of_the_store) = asked.entry(served.path.clone()).or_default();
        *times += 1;
        *of_the_store += usize::from(served.origin_bytes > 0);
    }
    ensure!(asked.values().any(|(times, _)| *times >= names.len()), "every site has fetched: {asked:?}");
    ensure!(asked.values().all(|(_, of_the_store)| *of_the_store <= 1), "{asked:?}");
    Ok(())
}

/// One layer retries: an origin that answers 503 is not asked again and again within one attempt.
#[tokio::test]
async fn h5_a_failing_origin_is_not_asked_three_times_three_times() -> Result<()> {
    let rig = Box::pin(Rig::embedded()).await?;
    let site = rig.site("north").await?;
    let (web, _) = Small::running(&rig, "storm", &["north"]).await?;
    rig.edge.lie(|exchange| {
        let mut busy = exchange.reply.with("");
        busy.status = 503;
        Some(busy)
    });
    let commit = web.greet("after the storm").await?;
    rig.published(&web.service, &commit).await?;
    let mark = rig.edge.mark();
    rig.hold("north", "ContentUnavailable").await?;
    let polls = rig.wire.mark();
    rig.until("twenty polls later", async || {
        let passed = rig.wire.since(polls, "/v1/desired").len();
        ensure!(passed >= 20, "{passed} polls");
        Ok(())
    })
    .await?;
    let asked = rig.edge.mark() - mark;
    ensure!(asked <= 60, "asked {asked} times in some twenty seconds");
    rig.edge.tell_the_truth();
    web.greets(&rig, &site, "after the storm").await
}
