//! One agent at a time has a folder, and lets go of it as soon as it is told to.

use std::fs::{File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use agent::{Agent, Settings};

use crate::site::Running;
use crate::state::running;

#[tokio::test]
async fn a_second_agent_on_the_same_folder_is_refused() {
    let site = running().await;
    let mut first = site.start();
    first.until("running", |status| status.pass.is_some()).await;
    let error = Box::pin(Agent::new(site.settings()).once()).await.unwrap_err();
    assert!(format!("{error:#}").contains("is in use by"), "{error:#}");
    first.stop().await;
    site.once().await;
}

/// Two that share a folder would share its inventory: the removal of one would delete what the other runs.
#[tokio::test]
async fn l7_a_second_agent_with_another_state_on_the_same_target_folder_is_refused() {
    let site = running().await;
    let mut first = site.start();
    first.until("running", |status| status.pass.is_some()).await;
    let elsewhere = tempfile::tempdir().unwrap();
    let settings = || Settings { state: elsewhere.path().join("state"), ..site.settings() };
    // Removing the lock's file lets nobody in.
    std::fs::remove_file(site.target().join(".windlass/lock")).unwrap();
    let staged = site.target().join(".windlass").join(".staged-1-1");
    std::fs::write(&staged, "").unwrap();
    let error = Box::pin(Agent::new(settings()).once()).await.unwrap_err();
    assert!(format!("{error:#}").contains("target/.windlass is in use by"), "{error:#}");
    assert!(Box::pin(Agent::new(settings()).leave()).await.is_err(), "nor does it take the inventory away");
    assert!(staged.exists());
    first.stop().await;
    assert_eq!(site.text("web", "a").as_deref(), Some("2"));
    site.once().await;
}

/// A target folder is others' to read, and to lock what they may read takes no more.
#[tokio::test]
async fn l1_a_reader_of_the_target_folder_keeps_no_agent_from_it() {
    let site = running().await;
    std::fs::set_permissions(site.target(), Permissions::from_mode(0o755)).unwrap();
    let reader = File::open(site.target()).unwrap();
    reader.lock_shared().unwrap();
    std::fs::write(site.path("web", "a"), "damaged").unwrap();
    site.once().await;
    assert_eq!(site.text("web", "a").as_deref(), Some("2"));
    drop(reader);
}

/// The default interval is two minutes: whoever waits for that to end is killed before.
#[tokio::test]
async fn i12_an_agent_that_is_told_to_stop_stops_at_once_whichever_loop_ends_first() {
    let site = running().await;
    for _ in 0..4 {
        let settings = Settings { sync_interval: Duration::from_mins(10), ..site.settings() };
        let mut agent = Running::new(settings);
        agent.until("running", |status| status.pass.is_some()).await;
        tokio::time::timeout(Duration::from_secs(20), agent.stop()).await.expect("it stops");
    }
}
