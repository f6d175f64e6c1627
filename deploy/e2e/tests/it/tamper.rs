//! Origins that serve other bytes than were signed, or none that end.

use std::fs;

use anyhow::{Context, Result, ensure};
use e2e::{Exchange, Reply, Rig, SiteOptions, Wire};
use testbed::{Fault, FaultProxy};

use crate::small::{GREETING, Small};

/// One byte in the middle is another.
fn flipped(exchange: &Exchange) -> Option<Reply> {
    let of_content = exchange.path.starts_with("/v1/o/") && exchange.reply.status < 300;
    let mut body = exchange.reply.body.clone();
    let middle = body.len() / 2;
    *body.get_mut(middle)? ^= 1;
    of_content.then(|| exchange.reply.with(body))
}

async fn with_a_liar_before(rig: &Rig) -> Result<(Wire, SiteOptions)> {
    let liar = Wire::open(rig.content.url()).await?;
    liar.lie(flipped);
    let options = SiteOptions { origins: vec![liar.url()], ..SiteOptions::default() };
    Ok((liar, options))
}

#[tokio::test]
async fn a1_tampered_bytes_are_refused_and_the_next_origin_is_asked_full() -> Result<()> {
    tampered(&Box::pin(Rig::full()).await?).await
}

#[tokio::test]
async fn a1_tampered_bytes_are_refused_and_the_next_origin_is_asked_embedded() -> Result<()> {
    tampered(&Box::pin(Rig::embedded()).await?).await
}

async fn tampered(rig: &Rig) -> Result<()> {
    let (liar, options) = with_a_liar_before(rig).await?;
    let site = rig.site_with("north", options).await?;
    let (web, _) = Small::running(rig, "tampered", &["north"]).await?;
    site.target.has(&web.settings, GREETING, "ahoy").await?;
    let lied: Vec<String> = liar.exchanges().into_iter().filter(|it| it.lied).map(|it| it.path).collect();
    ensure!(!lied.is_empty(), "the liar was asked first");
    for path in &lied {
        ensure!(!rig.edge.since(0, path).is_empty(), "{path} was not asked for at the next origin");
    }
    let refused = site.metric("windlass_verify_failures_total").await?;
    ensure!(refused >= 1.0, "{refused} refusals are counted");
    Ok(())
}

#[tokio::test]
async fn a1_g11_where_every_origin_lies_the_previous_release_stays() -> Result<()> {
    let rig = Box::pin(Rig::embedded()).await?;
    let mut site = rig.site("north").await?;
    let (web, first) = Small::running(&rig, "poisoned", &["north"]).await?;
    rig.edge.lie(flipped);
    let commit = web.greet("forged").await?;
    rig.published(&web.service, &commit).await?;
    let hold = rig.hold("north", "ContentMismatch").await?;
    let message = hold.pointer("/hold/message").and_then(|message| message.as_str()).unwrap_or_default();
    // The first refusal names both digests; a later one that the origin is not asked again for a while.
    let what = message.contains("sha256:") || message.contains("other bytes");
    ensure!(message.contains("127.0.0.1") && what, "who, and what instead: {message}");
    site.target.has(&web.settings, GREETING, "ahoy").await?;
    let cluster = rig.cluster("north").await?;
    let runs = cluster.pointer("/cluster/report/services/0/release").and_then(|release| release.as_str());
    ensure!(runs == Some(&first), "{cluster:#}");
    site.target.delete(&web.notice).await?;
    rig.until("the previous release is still repaired", async || site.target.get(&web.notice).await).await?;
    rig.edge.tell_the_truth();
    site.power_cut().await?;
    web.greets(&rig, &site, "forged").await
}

/// The set that a `desired` names is refused byte for byte, so no half of a snapshot is ever taken.
#[tokio::test]
async fn a5_a_snapshot_of_which_one_part_is_another_is_not_taken_at_all() -> Result<()> {
    let rig = Box::pin(Rig::embedded()).await?;
    let site = rig.site("north").await?;
    let (web, _) = Small::running(&rig, "mixed", &["north"]).await?;
    // What the origins serve instead is the set of before.
    nothing_rides_along(&rig);
    let held = rig.cluster("north").await?;
    let before =
        held.pointer("/cluster/set").and_then(|set| set.as_str()).context("it has a set")?.to_owned();
    let old =
        fs::read(site.state.join("o").join(before.trim_start_matches("sha256:"))).context("the old set")?;
    rig.edge.lie(move |exchange| {
        let set =
            exchange.path.starts_with("/v1/o/") && exchange.reply.body.starts_with(b"{\"format\":\"set.v0\"");
        set.then(|| exchange.reply.with(old.clone()))
    });
    let commit = web.greet("of another snapshot").await?;
    rig.published(&web.service, &commit).await?;
    rig.hold("north", "ContentMismatch").await?;
    site.target.has(&web.settings, GREETING, "ahoy").await?;
    site.target.delete(&web.notice).await?;
    rig.until("the old snapshot is whole", async || site.target.get(&web.notice).await).await?;
    Ok(())
}

/// From now on set and release are asked of the origins, and do not come beside the assignment.
fn nothing_rides_along(rig: &Rig) {
    rig.wire.lie(|exchange| {
        let mut answer: serde_json::Value = serde_json::from_slice(&exchange.reply.body).ok()?;
        let rode = exchange.is_for("/v1/desired") && answer.as_object_mut()?.remove("objects").is_some();
        rode.then(|| exchange.reply.with(answer.to_string()))
    });
}

#[tokio::test]
async fn a6_a_body_without_an_end_is_cut_in_constant_memory() -> Result<()> {
    let rig = Box::pin(Rig::embedded()).await?;
    // A set and a bundle have a signed length; a release has only what a release may have.
    nothing_rides_along(&rig);
    let proxy = FaultProxy::start(rig.content.url().trim_start_matches("http://")).await?;
    proxy.set(Fault::Endless).await?;
    let options = SiteOptions { origins: vec![proxy.url()], ..SiteOptions::default() };
    let site = rig.site_with("north", options).await?;
    let (web, _) = Small::running(&rig, "endless", &["north"]).await?;
    site.target.has(&web.settings, GREETING, "ahoy").await?;
    ensure!(proxy.traffic().connections > 0, "the endless origin was asked");
    let peak = peak_memory(site.agent.id())?;
    ensure!(peak < 64 << 20, "{peak} bytes at its peak");
    Ok(())
}

#[tokio::test]
async fn g2_a_download_that_is_cut_again_and_again_goes_on_where_it_was() -> Result<()> {
    let rig = Box::pin(Rig::embedded()).await?;
    let proxy = FaultProxy::start(rig.edge.url().trim_start_matches("http://")).await?;
    let options = SiteOptions { origins: vec![proxy.url()], ..SiteOptions::default() };
    let _site = rig.site_with("north", options).await?;
    let (web, _) = Small::running(&rig, "cut", &["north"]).await?;
    web.post_noise(60_000)?;
    proxy.set(Fault::CutAfter(25_000)).await?;
    let mark = rig.edge.mark();
    let release = rig.published(&web.service, &web.repository.commit("A lot of noise").await?).await?;
    rig.rolled_out(&web.service).await?;
    ensure!(!release.is_empty(), "it is published");
    let exchanges = rig.edge.exchanges();
    let resumed = exchanges.iter().skip(mark).filter(|it| it.reply.status == 206).count();
    ensure!(resumed >= 1, "{resumed} answers were the rest of something");
    Ok(())
}

/// The most that a process has had resident, in bytes.
fn peak_memory(id: u32) -> Result<u64> {
    let status =
        fs::read_to_string(format!("/proc/{id}/status")).context("what does the kernel say of it?")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no peak is told")?;
    let kilobytes: u64 = line.trim().trim_end_matches(" kB").parse().context("a number of kB")?;
    Ok(kilobytes << 10)
}
