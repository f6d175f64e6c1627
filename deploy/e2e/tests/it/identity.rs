//! Copies and backups: an agent's state somewhere else, and an api's database from yesterday.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use e2e::{Database, Rig};
use serde_json::Value;

use crate::small::{GREETING, Small};

/// A copied state folder: elsewhere it applies nothing; at home it makes two of one, who get nothing new.
#[tokio::test]
async fn d9_a_copied_agent_applies_nothing_elsewhere_and_two_of_one_get_nothing_new() -> Result<()> {
    let rig = Box::pin(Rig::embedded()).await?;
    let mut site = rig.site("north").await?;
    let (web, _) = Small::running(&rig, "copied", &["north"]).await?;
    let copy = rig.path("copied-state");
    site.agent.kill().await?;
    copy_folder(&site.state, &copy)?;
    let elsewhere = rig.copy_of(&site, &copy, &rig.path("elsewhere")).await?;
    // It says so where it is: a report in the name of the one at home would be a lie.
    rig.until("the copy says that it is not at home", async || {
        ensure!(elsewhere.agent.log().contains("WrongHome"), "its log:\n{}", elsewhere.agent.log());
        Ok(())
    })
    .await?;
    ensure!(rig.operator.lists(&["get", "holds"]).await?.is_empty(), "nothing is wrong at home");
    elsewhere.target.lacks(&web.settings).await?;
    site.agent.start_again().await?;
    let cluster = rig.until("the two are told apart", async || {
        let cluster = rig.cluster("north").await?;
        ensure!(cluster.pointer("/cluster/duplicate_since").is_some(), "{cluster:#}");
        Ok(cluster)
    });
    let cluster = cluster.await?;
    let seq = cluster.pointer("/cluster/reported_seq").and_then(Value::as_u64);
    let commit = web.greet("to one of two").await?;
    rig.published(&web.service, &commit).await?;
    let mark = rig.wire.mark();
    rig.until("both have polled", async || {
        let polls = rig.wire.since(mark, "/v1/desired").len();
        ensure!(polls >= 6, "{polls} polls so far");
        Ok(())
    })
    .await?;
    site.target.has(&web.settings, GREETING, "ahoy").await?;
    let now = rig.cluster("north").await?;
    ensure!(now.pointer("/cluster/reported_seq").and_then(Value::as_u64) == seq, "{now:#}");
    drop(elsewhere);
    rig.operator.runs(&["recover", "north", "--yes"]).await?;
    web.greets(&rig, &site, "to one of two").await
}

/// The backup drill: what the agents hold is newer than the database, so they are served nothing until a person has
/// seen the difference; then the fleet converges, by a newer assignment. Nobody stops working meanwhile: a service is
/// added and published, and the cluster's sequence leaps over what its agent holds before that polls again.
#[tokio::test]
async fn i9_k4_a_restored_database_rolls_nothing_back_before_a_person_says_so() -> Result<()> {
    let mut rig = Box::pin(Rig::embedded()).await?;
    let mut site = rig.site("north").await?;
    let (web, _) = Small::running(&rig, "restored", &["north"]).await?;
    let Database::Sqlite(file) = &rig.database else { anyhow::bail!("the embedded rig has SQLite") };
    let (file, backup) = (file.clone(), rig.path("backup"));
    rig.api.stop().await?;
    move_database(&file, &backup)?;
    rig.api.start_again().await?;
    web.greet("after the backup").await?;
    web.rolled_out(&rig).await?;
    let held = rig.cluster("north").await?.pointer("/cluster/reported_seq").and_then(Value::as_u64);
    site.agent.stop().await?;
    rig.api.stop().await?;
    move_database(&backup, &file)?;
    rig.api.start_again().await?;
    let other = Small::new(&rig, "added", &["north"]).await?;
    rig.assign(&other.service).await?;
    rig.until("the cluster's sequence leaps over what its agent holds", async || {
        let cluster = rig.cluster("north").await?;
        let seq = cluster.pointer("/cluster/seq").and_then(Value::as_u64);
        ensure!(seq > held && held.is_some(), "{cluster:#}");
        Ok(())
    })
    .await?;
    site.agent.start_again().await?;
    rig.until("the api sees that the agent is ahead", async || {
        let cluster = rig.cluster("north").await?;
        let ahead = cluster.pointer("/cluster/agent_ahead").and_then(Value::as_u64);
        ensure!(ahead == held && ahead.is_some(), "{cluster:#}");
        Ok(())
    })
    .await?;
    site.target.has(&web.settings, GREETING, "after the backup").await?;
    site.target.lacks(&other.settings).await?;
    rig.operator.runs(&["recover", "north", "--yes"]).await?;
    other.greets(&rig, &site, "ahoy").await?;
    let now = rig.cluster("north").await?.pointer("/cluster/seq").and_then(Value::as_u64);
    ensure!(now > held, "going back is a newer assignment: {now:?} after {held:?}");
    // It looks at every service at its start, and registers what the database lacks.
    rig.publisher.stop().await?;
    rig.publisher.start_again().await?;
    web.greets(&rig, &site, "after the backup").await
}

/// A database that nobody writes, with the files that SQLite keeps beside it.
fn move_database(from: &Path, to: &Path) -> Result<()> {
    for ending in ["", "-wal", "-shm"] {
        let name = |path: &Path| Path::new(&format!("{}{ending}", path.display())).to_owned();
        let (from, to) = (name(from), name(to));
        if from.exists() {
            fs::copy(&from, &to).with_context(|| format!("copy {}", from.display()))?;
        } else if to.exists() {
            fs::remove_file(&to).with_context(|| format!("remove {}", to.display()))?;
        }
    }
    Ok(())
}

fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from).with_context(|| format!("list {}", from.display()))? {
        let path = entry?.path();
        let place = to.join(path.file_name().context("an entry has a name")?);
        if path.is_dir() {
            copy_folder(&path, &place)?;
        } else {
            fs::copy(&path, &place).with_context(|| format!("copy {}", path.display()))?;
        }
    }
    Ok(())
}
