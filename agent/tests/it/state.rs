//! The state folder: what is damaged is not believed, and what is lost is asked for again.

use std::path::{Path, PathBuf};

use agent::{Agent, Settings};
use axum::http::StatusCode;
use cdn::document::HoldReason;

use crate::fleet::config;
use crate::site::{Site, reasons};

pub(crate) async fn running() -> Site {
    let mut site = Site::new().await;
    site.fleet.publish("web", &[config("a", "1")]);
    site.assign().await;
    site.fleet.publish("web", &[config("a", "2")]);
    site.assign().await;
    site
}

pub(crate) fn cut_off(site: &Site) {
    site.wire.far().broken = Some((StatusCode::BAD_GATEWAY, String::new()));
    std::fs::remove_dir_all(site.fleet.origin()).unwrap();
    std::fs::write(site.path("web", "a"), "damaged").unwrap();
}

fn only_file(folder: &Path) -> PathBuf {
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort_by_key(|file| std::fs::metadata(file).unwrap().modified().unwrap());
    files.pop().unwrap()
}

fn truncate(file: &Path) {
    let bytes = std::fs::read(file).unwrap();
    std::fs::write(file, &bytes[..bytes.len() / 2]).unwrap();
}

fn edit(file: &Path) {
    let mut bytes = std::fs::read(file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(file, bytes).unwrap();
}

#[tokio::test]
async fn i2_one_damaged_file_of_what_is_trusted_loses_nothing() {
    for damage in [truncate, edit, |file: &Path| std::fs::write(file, "").unwrap()] {
        for name in ["trusted.json", "identity.json", "root/1.json", "o"] {
            let site = running().await;
            let file = site.state().join(name);
            damage(&if name == "o" { only_file(&file) } else { file });
            cut_off(&site);
            site.once().await;
            assert_eq!(site.text("web", "a").as_deref(), Some("2"), "{name}");
        }
    }
}

/// A disk that does not answer is no reason to forget what was the newest.
#[tokio::test]
async fn l4_what_cannot_be_read_just_now_is_not_lost() {
    let site = running().await;
    let files = ["trusted.json", "trusted.json.twin"].map(|name| site.state().join(name));
    let whole = files.each_ref().map(|file| std::fs::read(file).unwrap());
    for file in &files {
        std::fs::remove_file(file).unwrap();
        // Whoever follows it gets nowhere.
        std::os::unix::fs::symlink(file, file).unwrap();
    }
    let error = Box::pin(Agent::new(site.settings()).once()).await.unwrap_err();
    assert!(format!("{error:#}").contains("cannot be read"), "{error:#}");
    for (file, bytes) in files.iter().zip(whole) {
        std::fs::remove_file(file).unwrap();
        std::fs::write(file, bytes).unwrap();
    }
    let status = site.once().await;
    assert!(reasons(&status).is_empty() && status.network.seq == site.fleet.seq);
}

#[tokio::test]
async fn l4_nothing_older_stands_in_for_what_is_damaged() {
    let mut site = Site::new().await;
    site.fleet.publish("web", &[config("a", "1")]);
    let old = site.fleet.assign(&site.wire.cluster);
    site.wire.serve(old.clone());
    site.once().await;
    site.fleet.publish("web", &[config("a", "2")]);
    let new = site.fleet.assign(&site.wire.cluster);
    site.wire.serve(new.clone());
    site.once().await;
    for file in std::fs::read_dir(site.state().join("o")).unwrap() {
        truncate(&file.unwrap().path());
    }
    site.wire.serve(old);
    let status = site.once().await;
    assert!(status.network.problem.contains("older"), "{}", status.network.problem);
    assert_eq!(site.text("web", "a").as_deref(), Some("2"), "what runs stays as it is");
    site.wire.serve(new);
    let status = site.once().await;
    assert!(reasons(&status).is_empty());
    // The same of a bundle: the release before it is on disk, and is not applied in its place.
    truncate(&only_file(&site.state().join("bundle")));
    std::fs::write(site.path("web", "a"), "damaged").unwrap();
    site.wire.far().broken = Some((StatusCode::BAD_GATEWAY, String::new()));
    std::fs::remove_dir_all(site.fleet.origin()).unwrap();
    let status = site.once().await;
    assert_eq!(reasons(&status), [HoldReason::ContentUnavailable]);
    assert_eq!(std::fs::read_to_string(site.path("web", "a")).unwrap(), "damaged");
}

#[tokio::test]
async fn i2_a_damaged_bundle_is_fetched_again() {
    for damage in [truncate, edit] {
        let site = running().await;
        damage(&only_file(&site.state().join("bundle")));
        std::fs::write(site.path("web", "a"), "damaged").unwrap();
        let status = site.once().await;
        assert_eq!(site.text("web", "a").as_deref(), Some("2"));
        assert!(status.network.content_bytes > 0);
    }
}

#[tokio::test]
async fn i2_a_damaged_identity_is_answered_by_its_twin() {
    let site = running().await;
    truncate(&site.state().join("identity.json"));
    cut_off(&site);
    site.once().await;
    assert_eq!(site.text("web", "a").as_deref(), Some("2"));
    assert_eq!(site.wire.far().joins, 1);
}

#[tokio::test]
async fn i2_a_damaged_root_is_asked_for_again() {
    let site = running().await;
    for file in ["root/1.json", "root/1.json.twin"] {
        edit(&site.state().join(file));
    }
    std::fs::write(site.path("web", "a"), "damaged").unwrap();
    let status = site.once().await;
    assert_eq!(site.text("web", "a").as_deref(), Some("2"));
    assert_eq!(status.network.root, 1);
}

#[tokio::test]
async fn d9_a_copied_state_folder_applies_nothing_elsewhere() {
    let site = running().await;
    let elsewhere = tempfile::tempdir().unwrap();
    let target = format!("directory:{}", elsewhere.path().join("target").display());
    let settings = Settings { target: target.parse().unwrap(), ..site.settings() };
    let reports = site.wire.far().reports.len();
    let status = Box::pin(Agent::new(settings).once()).await.unwrap();
    assert_eq!(reasons(&status), [HoldReason::WrongHome]);
    assert_eq!(site.wire.far().reports.len(), reports, "it says nothing in the true cluster's name");
    let files = std::fs::read_dir(elsewhere.path().join("target")).unwrap();
    assert_eq!(files.filter(|file| file.as_ref().unwrap().path().is_file()).count(), 0);
}

#[tokio::test]
async fn trusted_state_that_is_lost_deletes_nothing_before_a_clean_pass() {
    let mut site = running().await;
    std::fs::remove_dir_all(site.state()).unwrap();
    site.fleet.publish("web", &[config("b", "1")]);
    let envelope = site.fleet.assign(&site.wire.cluster);
    site.wire.serve(envelope);
    let mut running = site.start();
    let first = running.until("a pass", |status| status.pass.is_some()).await;
    assert!(reasons(&first).contains(&HoldReason::TrustLost));
    running.until("clean again", |_| !site.path("web", "a").exists()).await;
    running.stop().await;
    assert_eq!(site.text("web", "b").as_deref(), Some("1"));
}

/// Both copies of the inventory are lost; what the folder holds is found by its marks.
#[tokio::test]
async fn f22_a_folder_that_lost_its_inventory_is_searched_for_what_is_no_longer_declared() {
    let mut site = running().await;
    site.fleet.publish("other", &[config("c", "1")]);
    site.assign().await;
    let copy = site.path("web", "copy");
    std::fs::copy(site.path("web", "a"), &copy).unwrap();
    std::fs::remove_dir_all(site.state()).unwrap();
    std::fs::remove_dir_all(site.target().join(".windlass")).unwrap();
    site.fleet.publish("web", &[config("b", "1")]);
    site.fleet.remove("other", cdn::document::RemovalMode::Orphan);
    site.wire.serve(site.fleet.assign(&site.wire.cluster));
    let status = site.once().await;
    assert_eq!(reasons(&status), [HoldReason::NeedsConfirm], "a mark is no proof of what was applied");
    let hold = status.holds().remove(0);
    assert!(site.path("web", "a").exists() && hold.object.is_some_and(|object| object.name == "a"));
    let hold = hold.digest.unwrap();
    site.fleet.approvals.push(cdn::document::Approval { hold, signatures: Vec::new() });
    assert!(reasons(&site.assign().await).is_empty());
    assert!(!site.path("web", "a").exists());
    assert_eq!(site.text("web", "b").as_deref(), Some("1"));
    assert!(copy.exists(), "a mark that names another file's object is nobody's");
    let orphan = std::fs::read_to_string(site.path("other", "c")).unwrap();
    assert!(!orphan.contains("windlass.dev/owner"), "it was let go, and is not found again: {orphan}");
}

#[tokio::test]
async fn l5_what_was_trusted_of_a_service_goes_with_it_and_so_does_its_bundle() {
    let mut site = running().await;
    site.fleet.publish("other", &[config("b", "1")]);
    site.assign().await;
    let state = site.state();
    let bundles = || std::fs::read_dir(state.join("bundle")).unwrap().count();
    let trusted = || std::fs::read_to_string(state.join("trusted.json")).unwrap();
    assert!(trusted().contains("default/other"));
    assert_eq!(bundles(), 3);
    site.fleet.remove("other", cdn::document::RemovalMode::Delete);
    let envelope = site.fleet.assign(&site.wire.cluster);
    site.wire.serve(envelope);
    site.once().await;
    assert!(!trusted().contains("default/other"));
    assert_eq!(bundles(), 2, "the one that runs and the one before it");
}

#[tokio::test]
async fn l6_that_trust_was_lost_is_not_forgotten_by_a_restart() {
    let mut site = running().await;
    site.fleet.publish("web", &[config("a", "2"), config("b", "2")]);
    site.fleet.publish("bad", &[config("c", "1")]);
    site.assign().await;
    // A service that never gets clean.
    std::fs::remove_file(site.path("bad", "c")).unwrap();
    std::fs::create_dir_all(site.path("bad", "c").join("in the way")).unwrap();
    for file in ["trusted.json", "trusted.json.twin"] {
        std::fs::remove_file(site.state().join(file)).unwrap();
    }
    site.fleet.publish("web", &[config("a", "2")]);
    site.assign().await;
    for _ in ["restarted", "and again"] {
        let status = site.once().await;
        assert!(reasons(&status).contains(&HoldReason::TrustLost), "{:?}", status.holds());
        assert!(site.path("web", "b").exists());
    }
    std::fs::remove_dir_all(site.path("bad", "c")).unwrap();
    let status = site.once().await;
    assert!(reasons(&status).is_empty(), "{:?}", status.holds());
    assert!(!site.path("web", "b").exists(), "one clean full pass was made");
}

#[tokio::test]
async fn i2_a_damaged_name_of_the_target_folder_is_answered_by_its_twin_and_never_made_anew() {
    let site = running().await;
    let home = site.target().join(".windlass/home");
    let whole = std::fs::read(&home).unwrap();
    std::fs::write(&home, "").unwrap();
    std::fs::write(site.path("web", "a"), "damaged").unwrap();
    let status = site.once().await;
    assert!(reasons(&status).is_empty(), "{:?}", status.holds());
    assert_eq!(site.text("web", "a").as_deref(), Some("2"));
    std::fs::write(site.target().join(".windlass/home.twin"), "").unwrap();
    std::fs::write(site.path("web", "a"), "damaged").unwrap();
    let status = site.once().await;
    assert_eq!(reasons(&status), [HoldReason::ApplyFailed]);
    assert!(site.wire.report().holds[0].message.contains("is damaged"), "and the api is told");
    assert_eq!(std::fs::read(&home).unwrap(), b"");
    std::fs::write(&home, whole).unwrap();
    assert!(reasons(&site.once().await).is_empty());
}
