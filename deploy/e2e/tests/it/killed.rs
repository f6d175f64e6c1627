//! Programs that are killed in the middle of their work, again and again.

use std::time::Duration;

use anyhow::{Result, ensure};
use e2e::{Rig, Site};

use crate::small::{GREETING, Small};

/// Where in its work a program is hit: nobody can say, so at many places.
async fn somewhat_later(round: u64) {
    tokio::time::sleep(Duration::from_millis(37 * round % 400)).await;
}

#[tokio::test]
async fn f21_an_agent_killed_at_any_moment_leaves_no_orphan_and_loses_nothing() -> Result<()> {
    let rig = Box::pin(Rig::full()).await?;
    let mut site = rig.site("north").await?;
    let (web, _) = Small::running(&rig, "killed", &["north"]).await?;
    for round in 1..=12 {
        let mark = rig.edge.mark();
        // One object comes and goes, one changes: something to apply and something to prune, each time.
        toggle_the_notice(&web, round)?;
        let commit = web.greet(&format!("round {round}")).await?;
        rig.published(&web.service, &commit).await?;
        rig.until("the agent has begun", async || {
            ensure!(rig.edge.mark() > mark, "nothing was fetched yet");
            Ok(())
        })
        .await?;
        somewhat_later(round).await;
        site.power_cut().await?;
    }
    ends_well(&rig, &site, &web, "round 12").await?;
    site.target.get(&web.notice).await?;
    web.repository.remove("web/notice.yaml")?;
    web.greet("without a notice").await?;
    ends_well(&rig, &site, &web, "without a notice").await?;
    rig.until("what was pruned is gone", async || site.target.lacks(&web.notice).await).await
}

fn toggle_the_notice(web: &Small, round: u64) -> Result<()> {
    if round % 2 == 1 { web.repository.remove("web/notice.yaml") } else { web.post_the_notice() }
}

async fn ends_well(rig: &Rig, site: &Site, web: &Small, greeting: &str) -> Result<()> {
    web.rolled_out(rig).await?;
    site.target.has(&web.settings, GREETING, greeting).await?;
    let holds = rig.operator.lists(&["get", "holds"]).await?;
    ensure!(holds.is_empty(), "{holds:#?}");
    Ok(())
}

#[tokio::test]
async fn c6_a_publisher_killed_at_any_moment_leaves_no_pointer_to_nothing() -> Result<()> {
    let mut rig = Box::pin(Rig::embedded()).await?;
    let site = rig.site("north").await?;
    let (web, _) = Small::running(&rig, "halfway", &["north"]).await?;
    for round in 1..=10 {
        web.greet(&format!("round {round}")).await?;
        somewhat_later(round * 3).await;
        rig.publisher.kill().await?;
        // What the head names must be there, whenever one looks.
        rig.operator.runs(&["bundle", "show", &web.service.full_name(), "-o", "name"]).await?;
        rig.publisher.start_again().await?;
    }
    web.rolled_out(&rig).await?;
    web.greets(&rig, &site, "round 10").await
}

#[tokio::test]
async fn c7_two_publishers_of_one_service_lose_nothing_and_say_nothing_twice() -> Result<()> {
    let rig = Box::pin(Rig::embedded()).await?;
    let site = rig.site("north").await?;
    let other = rig.another_publisher("second").await?;
    let (web, _) = Small::running(&rig, "twice", &["north"]).await?;
    for round in 1..=5 {
        let commit = web.greet(&format!("round {round}")).await?;
        rig.published(&web.service, &commit).await?;
    }
    web.rolled_out(&rig).await?;
    web.greets(&rig, &site, "round 5").await?;
    ensure!(other.is_running() && rig.publisher.is_running(), "both still publish:\n{}", other.log());
    let releases = rig.operator.lists(&["get", "releases", &web.service.full_name()]).await?;
    let mut bundles: Vec<_> = releases.iter().map(|release| release["bundle"].to_string()).collect();
    bundles.sort();
    bundles.dedup();
    ensure!(bundles.len() == 6, "six versions, {} bundles", bundles.len());
    Ok(())
}

/// A database that dies under the api is a database that comes back.
#[tokio::test]
async fn i7_a_killed_database_stops_no_poll_and_needs_no_restart_of_the_api() -> Result<()> {
    let mut rig = Box::pin(Rig::full_alone()).await?;
    let site = rig.site("north").await?;
    let (web, _) = Small::running(&rig, "reborn", &["north"]).await?;
    rig.kill_database().await?;
    let mark = rig.wire.mark();
    rig.until("polls are answered without a database", async || {
        let polls = rig.wire.since(mark, "/v1/desired");
        ensure!(polls.iter().filter(|poll| poll.reply.status == 304).count() >= 3, "{} polls", polls.len());
        Ok(())
    })
    .await?;
    rig.start_database().await?;
    web.greet("reborn").await?;
    web.rolled_out(&rig).await?;
    web.greets(&rig, &site, "reborn").await
}
