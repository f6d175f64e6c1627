//! Fail static (law L1): with everything else gone, what runs goes on running and is repaired.

use anyhow::{Result, ensure};
use e2e::{Database, Rig};

use crate::small::{GREETING, Small};

#[tokio::test]
async fn with_api_s3_and_cdn_killed_a_restarted_agent_still_repairs_the_cluster() -> Result<()> {
    let mut rig = Box::pin(Rig::full_alone()).await?;
    Box::pin(darkness(&mut rig)).await
}

#[tokio::test]
async fn with_api_and_mirror_killed_a_restarted_agent_still_repairs_the_folder() -> Result<()> {
    let mut rig = Box::pin(Rig::embedded()).await?;
    Box::pin(darkness(&mut rig)).await
}

async fn darkness(rig: &mut Rig) -> Result<()> {
    let mut site = rig.site("north").await?;
    let (web, _) = Small::running(rig, "dark", &["north"]).await?;
    rig.black_out().await?;
    site.power_cut().await?;
    site.target.delete(&web.notice).await?;
    site.target.edit(&web.settings, GREETING, "go away").await?;
    rig.until("the deleted object is back, in the dark", async || site.target.get(&web.notice).await).await?;
    web.greets(rig, &site, "ahoy").await?;
    rig.light_up().await?;
    web.greet("good morning").await?;
    web.rolled_out(rig).await?;
    web.greets(rig, &site, "good morning").await
}

/// The poll path touches no database.
#[tokio::test]
async fn h6_polls_are_answered_while_the_database_is_frozen() -> Result<()> {
    let rig = Box::pin(Rig::full_alone()).await?;
    let site = rig.site("north").await?;
    let (web, _) = Small::running(&rig, "frozen", &["north"]).await?;
    let Database::Postgres(database) = &rig.database else { anyhow::bail!("the full rig has PostgreSQL") };
    database.pause()?;
    let mark = rig.wire.mark();
    rig.until("ten polls are answered without a database", async || {
        let polls = rig.wire.since(mark, "/v1/desired");
        ensure!(polls.len() >= 10, "{} polls so far", polls.len());
        Ok(())
    })
    .await?;
    let polls = rig.wire.since(mark, "/v1/desired");
    let answers: Vec<u16> = polls.iter().map(|poll| poll.reply.status).collect();
    ensure!(answers.iter().all(|status| *status == 304), "{answers:?}");
    let ready = rig.readiness().await?;
    ensure!(ready == 200, "a probe that fails now takes every replica out of its Service: {ready}");
    site.target.delete(&web.notice).await?;
    rig.until("drift is repaired meanwhile", async || site.target.get(&web.notice).await).await?;
    database.resume()?;
    web.greet("thawed").await?;
    web.rolled_out(&rig).await?;
    web.greets(&rig, &site, "thawed").await
}

/// One side of the network is gone, then the other: each time what can go on does, and nothing needs a restart.
#[tokio::test]
async fn g9_half_a_network_stops_nothing_that_does_not_need_the_other_half() -> Result<()> {
    let mut rig = Box::pin(Rig::embedded()).await?;
    let site = rig.site("north").await?;
    let (web, _) = Small::running(&rig, "halved", &["north"]).await?;
    rig.edge.cut().await;
    let commit = web.greet("no content can be had").await?;
    rig.published(&web.service, &commit).await?;
    rig.hold("north", "ContentUnavailable").await?;
    site.target.delete(&web.notice).await?;
    rig.until("drift is repaired to the old release", async || site.target.get(&web.notice).await).await?;
    site.target.has(&web.settings, GREETING, "ahoy").await?;
    rig.edge.mend().await?;
    web.greets(&rig, &site, "no content can be had").await?;
    rig.wire.cut().await;
    site.target.edit(&web.settings, GREETING, "go away").await?;
    web.greets(&rig, &site, "no content can be had").await?;
    rig.wire.mend().await?;
    web.greet("both halves").await?;
    web.rolled_out(&rig).await?;
    web.greets(&rig, &site, "both halves").await
}
