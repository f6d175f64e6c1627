//! What is refused at publish touches nothing that runs.

use anyhow::{Result, ensure};
use e2e::{Rig, Site};
use serde_json::Value;

use crate::small::{GREETING, Small};

/// Waits for the publisher's word on the newest commit, which must be no.
async fn refused(rig: &Rig, web: &Small, word: &str) -> Result<()> {
    let seen = rig.looked_at(&web.service, &web.repository.head().await?).await?;
    let text = |pointer: &str| seen.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    ensure!(text("/publish/outcome") == "refused", "{seen:#}");
    ensure!(text("/publish/message").contains(word), "it says why (`{word}`): {seen:#}");
    Ok(())
}

async fn unharmed(site: &Site, web: &Small) -> Result<()> {
    site.target.has(&web.settings, GREETING, "ahoy").await?;
    site.target.get(&web.notice).await.map(drop)
}

#[tokio::test]
async fn b9_a_folder_that_is_empty_all_at_once_deletes_nothing() -> Result<()> {
    let rig = Box::pin(Rig::embedded()).await?;
    let site = rig.site("north").await?;
    let (web, _) = Small::running(&rig, "emptied", &["north"]).await?;
    for file in ["web/web.yaml", "web/settings.yaml", "web/notice.yaml"] {
        web.repository.write(file, "# Moved elsewhere.\n")?;
    }
    web.repository.commit("Comments alone").await?;
    refused(&rig, &web, "nothing came out").await?;
    unharmed(&site, &web).await
}

#[tokio::test]
async fn b8_one_bad_object_fails_its_own_service_and_no_other() -> Result<()> {
    let rig = Box::pin(Rig::embedded()).await?;
    let site = rig.site("north").await?;
    let (web, _) = Small::running(&rig, "bad", &["north"]).await?;
    let (other, _) = Small::running(&rig, "good", &["north"]).await?;
    web.repository
        .write("web/twice.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\n")?;
    web.repository.commit("Two of one identity").await?;
    refused(&rig, &web, "settings").await?;
    other.greet("still good").await?;
    other.rolled_out(&rig).await?;
    other.greets(&rig, &site, "still good").await?;
    unharmed(&site, &web).await
}

/// Stopping, or uninstalling, an agent leaves what runs.
#[tokio::test]
async fn k5_an_agent_that_goes_leaves_its_workloads() -> Result<()> {
    let rig = Box::pin(Rig::full()).await?;
    let mut site = rig.site("north").await?;
    let (web, _) = Small::running(&rig, "left", &["north"]).await?;
    let code = site.agent.stop().await?;
    ensure!(code == 0, "an agent that is asked to end ends well: {code}\n{}", site.agent.log());
    rig.operator.runs(&["delete", "cluster", "north", "--yes"]).await?;
    unharmed(&site, &web).await?;
    site.target.get(&web.web).await.map(drop)
}
