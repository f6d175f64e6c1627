//! A far side of the agent's wire that lies about assignments: every answer is a real one, given at the wrong time or
//! to the wrong agent.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result, ensure};
use e2e::{Exchange, Rig};
use serde_json::Value;

use crate::small::{GREETING, Small};

/// The newest whole answer to a poll so far.
fn newest_assignment(exchanges: &[Exchange]) -> Result<Exchange> {
    let whole = |it: &&Exchange| it.is_for("/v1/desired") && it.reply.status == 200;
    exchanges.iter().rev().find(whole).cloned().context("no poll was answered with an assignment")
}

#[tokio::test]
async fn a2_an_older_assignment_is_refused_across_a_restart_full() -> Result<()> {
    replayed(&Box::pin(Rig::full()).await?).await
}

#[tokio::test]
async fn a2_an_older_assignment_is_refused_across_a_restart_embedded() -> Result<()> {
    replayed(&Box::pin(Rig::embedded()).await?).await
}

async fn replayed(rig: &Rig) -> Result<()> {
    let mut site = rig.site("north").await?;
    let (web, _) = Small::running(rig, "replayed", &["north"]).await?;
    let old = newest_assignment(&rig.wire.exchanges())?.reply;
    web.greet("newer").await?;
    web.rolled_out(rig).await?;
    rig.wire.lie(move |exchange| exchange.is_for("/v1/desired").then(|| old.clone()));
    let mark = rig.wire.mark();
    served(rig, mark, 3).await?;
    site.power_cut().await?;
    let mark = rig.wire.mark();
    served(rig, mark, 3).await?;
    site.target.delete(&web.notice).await?;
    rig.until("the newer one is repaired", async || site.target.get(&web.notice).await).await?;
    site.target.has(&web.settings, GREETING, "newer").await?;
    let refused = site.metric("windlass_verify_failures_total").await?;
    ensure!(refused >= 1.0, "{refused} refusals are counted");
    rig.wire.tell_the_truth();
    web.greet("newest").await?;
    web.rolled_out(rig).await?;
    site.target.has(&web.settings, GREETING, "newest").await
}

/// Waits until the agent was lied to this many times.
async fn served(rig: &Rig, mark: usize, times: usize) -> Result<()> {
    rig.until("the agent is lied to", async || {
        let lies = rig.wire.since(mark, "/v1/desired").iter().filter(|it| it.lied).count();
        ensure!(lies >= times, "{lies} lies so far");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a8_an_assignment_of_another_cluster_is_refused_and_said_full() -> Result<()> {
    swapped(&Box::pin(Rig::full()).await?).await
}

#[tokio::test]
async fn a8_an_assignment_of_another_cluster_is_refused_and_said_embedded() -> Result<()> {
    swapped(&Box::pin(Rig::embedded()).await?).await
}

/// Two agents behind one cache that does not look at whose answer it keeps.
async fn swapped(rig: &Rig) -> Result<()> {
    let north = rig.site("north").await?;
    let (web, _) = Small::running(rig, "swapped", &["north"]).await?;
    let credential = newest_assignment(&rig.wire.exchanges())?.header("authorization").to_owned();
    let south = rig.site("south").await?;
    let (other, _) = Small::running(rig, "of-the-south", &["south"]).await?;
    let of_the_south = newest_assignment(&rig.wire.exchanges())?;
    ensure!(of_the_south.header("authorization") != credential, "it is the south's");
    let answer = of_the_south.reply;
    rig.wire.lie(move |exchange| {
        let asks = exchange.is_for("/v1/desired") && exchange.header("authorization") == credential;
        asks.then(|| answer.clone())
    });
    let hold = rig.hold("north", "WrongCluster").await?;
    ensure!(hold.pointer("/hold/since").is_some(), "{hold:#}");
    north.target.get(&web.settings).await?;
    let mine = reported(rig, "north").await?;
    ensure!(mine == ["default/swapped"], "north runs {mine:?}");
    south.target.get(&other.settings).await?;
    Ok(())
}

/// The services that a cluster has reported.
async fn reported(rig: &Rig, cluster: &str) -> Result<Vec<String>> {
    let cluster = rig.cluster(cluster).await?;
    let services = cluster.pointer("/cluster/report/services").and_then(Value::as_array).cloned();
    let name = |service: &Value| service.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
    Ok(services.unwrap_or_default().iter().map(name).collect())
}

/// What the agent is told is what the api signed, to the byte: one more origin in the payload is no assignment.
#[tokio::test]
async fn a12_an_assignment_with_one_changed_byte_is_not_signed() -> Result<()> {
    let rig = Box::pin(Rig::embedded()).await?;
    let site = rig.site("north").await?;
    let (web, _) = Small::running(&rig, "changed", &["north"]).await?;
    let told = Arc::new(Mutex::new(0));
    let count = Arc::clone(&told);
    rig.wire.lie(move |exchange| {
        let mut answer: Value = serde_json::from_slice(&exchange.reply.body).ok()?;
        let payload = answer.get("payload").filter(|_| exchange.is_for("/v1/desired"))?.as_str()?.to_owned();
        // Another last character of the base64 is another byte of the payload.
        let end = payload.trim_end_matches('=').len() - 2;
        let other = if payload.as_bytes().get(end) == Some(&b'Q') { "g" } else { "Q" };
        answer["payload"] = format!("{}{other}{}", &payload[..end], &payload[end + 1..]).into();
        *count.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        Some(exchange.reply.with(answer.to_string()))
    });
    let commit = web.greet("not signed").await?;
    rig.published(&web.service, &commit).await?;
    rig.hold("north", "NotSigned").await?;
    ensure!(*told.lock().unwrap_or_else(PoisonError::into_inner) > 0, "it was lied to");
    site.target.has(&web.settings, GREETING, "ahoy").await?;
    rig.wire.tell_the_truth();
    web.greets(&rig, &site, "not signed").await
}
