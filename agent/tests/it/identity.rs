//! A lost identity: what is trusted goes on running and being repaired, and nobody becomes another cluster over it.

use std::path::{Path, PathBuf};

use agent::{Agent, Settings};
use axum::http::StatusCode;
use cdn::document::HoldReason;
use cdn::{ClusterId, Key};

use crate::outside::with;
use crate::site::{Site, reasons};
use crate::state::running;

fn files(site: &Site) -> [PathBuf; 2] {
    ["identity.json", "identity.json.twin"].map(|name| site.state().join(name))
}

fn damage(file: &Path) {
    std::fs::write(file, "damaged").unwrap();
}

fn remove(file: &Path) {
    std::fs::remove_file(file).unwrap();
}

/// Whoever follows it gets nowhere: nobody can say what it holds.
fn tie(file: &Path) {
    remove(file);
    std::os::unix::fs::symlink(file, file).unwrap();
}

#[tokio::test]
async fn l1_a_lost_identity_stops_no_repair_and_joins_nothing_anew() {
    for (lose, says) in
        [(damage as fn(&Path), "is damaged"), (remove, "identity.json is gone"), (tie, "cannot be read")]
    {
        let site = running().await;
        let whole = std::fs::read(&files(&site)[0]).unwrap();
        for file in &files(&site) {
            lose(file);
        }
        std::fs::write(site.path("web", "a"), "damaged").unwrap();
        let status = site.once().await;
        assert_eq!(site.text("web", "a").as_deref(), Some("2"), "{says}");
        assert_eq!(reasons(&status), [HoldReason::IdentityLost], "{says}");
        assert_eq!(status.cluster.as_ref(), Some(&site.wire.cluster));
        assert!(status.network.problem.contains(says), "{says}: {}", status.network.problem);
        // Put back, it is taken up by the agent that runs.
        let mut agent = site.start();
        agent.until("held", |status| reasons(status) == [HoldReason::IdentityLost]).await;
        for file in files(&site).iter().filter(|file| file.symlink_metadata().is_ok()) {
            remove(file);
        }
        std::fs::write(&files(&site)[0], &whole).unwrap();
        agent.until("connected", |status| status.network.connected && reasons(status).is_empty()).await;
        agent.stop().await;
        assert_eq!(site.wire.far().joins, 1, "{says}");
    }
}

#[tokio::test]
async fn d9_a_copied_state_folder_without_its_identity_applies_nothing_elsewhere_either() {
    let site = running().await;
    for file in &files(&site) {
        damage(file);
    }
    let elsewhere = tempfile::tempdir().unwrap();
    let target = format!("directory:{}", elsewhere.path().join("target").display());
    let settings = Settings { target: target.parse().unwrap(), ..site.settings() };
    let status = Box::pin(Agent::new(settings).once()).await.unwrap();
    assert_eq!(reasons(&status), [HoldReason::IdentityLost, HoldReason::WrongHome]);
    let files = std::fs::read_dir(elsewhere.path().join("target")).unwrap();
    assert_eq!(files.filter(|file| file.as_ref().unwrap().path().is_file()).count(), 0);
}

fn damage_all(site: &Site, names: &[&str]) {
    for name in names {
        damage(&site.state().join(name));
        damage(&site.state().join(format!("{name}.twin")));
    }
}

/// The token lies there still: it is for a cluster that never was, not for one that has lost something.
#[tokio::test]
async fn l1_nobody_joins_over_what_is_trusted_whatever_else_is_lost() {
    for (name, is_repaired) in [("root", true), ("o", false)] {
        let site = running().await;
        let whole = std::fs::read(&files(&site)[0]).unwrap();
        for file in &files(&site) {
            remove(file);
        }
        for file in std::fs::read_dir(site.state().join(name)).unwrap() {
            damage(&file.unwrap().path());
        }
        std::fs::write(site.path("web", "a"), "damaged").unwrap();
        let status = site.once().await;
        assert_eq!(status.cluster.as_ref(), Some(&site.wire.cluster), "{name}");
        assert_eq!(reasons(&status), [HoldReason::IdentityLost], "{name}");
        // The root proves itself wherever it comes from; an assignment comes from the api alone.
        assert_eq!(site.text("web", "a").is_some(), is_repaired, "{name}");
        std::fs::write(&files(&site)[0], &whole).unwrap();
        let status = site.once().await;
        assert!(reasons(&status).is_empty() && site.text("web", "a").as_deref() == Some("2"), "{name}");
        assert_eq!(site.wire.far().joins, 1, "{name}");
    }
}

#[tokio::test]
async fn l1_a_root_that_is_given_stands_in_for_the_one_that_is_lost() {
    let site = running().await;
    for file in &files(&site) {
        remove(file);
    }
    damage_all(&site, &["root/1.json"]);
    let root = site.token_file().with_file_name("root.json");
    std::fs::rename(site.fleet.origin().join(Key::Root(1).path()), &root).unwrap();
    site.wire.far().broken = Some((StatusCode::BAD_GATEWAY, String::new()));
    std::fs::write(site.path("web", "a"), "damaged").unwrap();
    let status = site.once().await;
    assert_eq!(reasons(&status), [HoldReason::IdentityLost, HoldReason::ContentUnavailable]);
    assert!(status.network.problem.contains("--root FILE"), "{}", status.network.problem);
    let settings = with(&site, &[format!("--root={}", root.display())]);
    let status = Box::pin(Agent::new(settings).once()).await.unwrap();
    assert_eq!(reasons(&status), [HoldReason::IdentityLost]);
    assert_eq!(site.text("web", "a").as_deref(), Some("2"));
}

/// What cannot be read just now may say who this is.
#[tokio::test]
async fn l2_a_lost_identity_is_made_up_from_nothing_but_what_is_trusted() {
    let site = running().await;
    damage_all(&site, &["identity.json", "trusted.json"]);
    let settings = Settings { join_token_file: None, ..site.settings() };
    let error = Box::pin(Agent::new(settings).once()).await.unwrap_err();
    assert!(error.to_string().contains("is damaged"), "{error:#}");
    for name in ["trusted.json", "trusted.json.twin"] {
        tie(&site.state().join(name));
    }
    let error = Box::pin(Agent::new(site.settings()).once()).await.unwrap_err();
    assert!(error.to_string().contains("cannot be read"), "{error:#}");
    assert_eq!(site.wire.far().joins, 1);
}

/// A folder of parts of two clusters: one does not run what the other was assigned.
#[tokio::test]
async fn a8_what_another_cluster_trusted_is_not_taken_up() {
    let mut site = running().await;
    let trusted = ["trusted.json", "trusted.json.twin"].map(|name| site.state().join(name));
    let others = std::fs::read(&trusted[0]).unwrap();
    damage_all(&site, &["identity.json", "trusted.json"]);
    std::fs::write(site.path("web", "a"), "damaged").unwrap();
    let other = ClusterId::random();
    site.wire.far().cluster = other.clone();
    site.wire.far().answer = None;
    site.once().await;
    for file in &trusted {
        std::fs::write(file, &others).unwrap();
    }
    let status = site.once().await;
    assert_eq!((status.cluster.as_ref(), status.network.root, status.network.seq), (Some(&other), 1, 0));
    assert_eq!(std::fs::read_to_string(site.path("web", "a")).unwrap(), "damaged");
    site.wire.serve(site.fleet.assign(&other));
    site.once().await;
    assert_eq!(site.text("web", "a").as_deref(), Some("2"));
}

#[tokio::test]
async fn l13_a_cluster_whose_state_folder_is_lost_is_told_how_it_gets_its_name_back() {
    let site = running().await;
    std::fs::remove_dir_all(site.state()).unwrap();
    let settings = Settings { join_token_file: None, ..site.settings() };
    let error = Box::pin(Agent::new(settings).once()).await.unwrap_err().to_string();
    assert!(error.contains("state folder") && error.contains("windlass join-token create"), "{error}");
    let taken = r#"{"code": "name_taken", "title": "conflict", "status": 409}"#;
    site.wire.far().broken = Some((StatusCode::CONFLICT, taken.to_owned()));
    let error = Box::pin(Agent::new(site.settings()).once()).await.unwrap_err().to_string();
    assert!(error.contains("`windlass delete cluster cluster`"), "{error}");
    assert_eq!(site.text("web", "a").as_deref(), Some("2"), "what runs stays as it is");
}
