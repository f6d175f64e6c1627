//! A folder that takes nothing: it is said, repair goes on, and what was not noted is not made.

use std::path::Path;

use cdn::document::HoldReason;

use crate::fleet::config;
use crate::site::reasons;
use crate::state::{cut_off, running};

/// Whatever is written there fails, as on a full disk.
fn clog(folder: &Path) {
    std::fs::rename(folder, folder.with_extension("away")).unwrap();
    std::fs::write(folder, "").unwrap();
}

fn unclog(folder: &Path) {
    std::fs::remove_file(folder).unwrap();
    std::fs::rename(folder.with_extension("away"), folder).unwrap();
}

fn unwritable(status: &agent::Status) -> bool {
    reasons(status).contains(&HoldReason::StateUnwritable)
}

#[tokio::test]
async fn i3_a_disk_that_takes_no_bundle_is_said_and_the_release_runs_from_memory() {
    let mut site = running().await;
    let mut agent = site.start();
    agent.until("running", |status| status.network.connected).await;
    let folder = site.state().join("bundle");
    clog(&folder);
    site.fleet.publish("web", &[config("a", "3")]);
    let envelope = site.fleet.assign(&site.wire.cluster);
    site.wire.serve(envelope);
    agent.until("said", unwritable).await;
    agent.until("applied", |_| site.text("web", "a").as_deref() == Some("3")).await;
    unclog(&folder);
    agent.until("written", |status| !unwritable(status)).await;
    agent.stop().await;
    cut_off(&site);
    site.once().await;
    assert_eq!(site.text("web", "a").as_deref(), Some("3"), "it was written once there was room");
}

#[tokio::test]
async fn i3_an_assignment_that_cannot_be_stored_is_not_acted_upon_and_repair_goes_on() {
    let mut site = running().await;
    let mut agent = site.start();
    let before = agent.until("running", |status| status.network.connected).await;
    let folder = site.state().join("o");
    clog(&folder);
    site.fleet.publish("web", &[config("a", "3")]);
    let envelope = site.fleet.assign(&site.wire.cluster);
    site.wire.serve(envelope);
    let status = agent.until("said", unwritable).await;
    assert_eq!(status.network.seq, before.network.seq);
    std::fs::write(site.path("web", "a"), "damaged").unwrap();
    agent.until("repaired", |_| site.text("web", "a").as_deref() == Some("2")).await;
    unclog(&folder);
    agent.until("applied", |_| site.text("web", "a").as_deref() == Some("3")).await;
    agent.stop().await;
}

#[tokio::test]
async fn l7_an_object_that_no_inventory_could_note_is_not_made() {
    let mut site = running().await;
    let mut agent = site.start();
    agent.until("running", |status| status.network.connected).await;
    for file in [site.state().join("inventory.json"), site.target().join(".windlass/inventory")] {
        std::fs::remove_file(&file).unwrap();
        std::fs::create_dir(&file).unwrap();
    }
    site.fleet.publish("web", &[config("a", "2"), config("new", "1")]);
    let envelope = site.fleet.assign(&site.wire.cluster);
    site.wire.serve(envelope);
    agent.until("said", unwritable).await;
    std::fs::write(site.path("web", "a"), "damaged").unwrap();
    agent.until("repaired", |_| site.text("web", "a").as_deref() == Some("2")).await;
    assert_eq!(site.text("web", "new"), None);
    for file in [site.state().join("inventory.json"), site.target().join(".windlass/inventory")] {
        std::fs::remove_dir(file).unwrap();
    }
    agent.until("made", |_| site.text("web", "new").is_some()).await;
    agent.stop().await;
}
