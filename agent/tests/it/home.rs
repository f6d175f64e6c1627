//! What runs at a site stays running and repaired: the directory target from end to end.

use std::time::Duration;

use axum::http::StatusCode;
use cdn::document::{Health, HoldReason, RemovalMode, Sync};
use clap::Parser;

use crate::fleet::{config, service};
use crate::site::{Running, Site, reasons, reported};

#[tokio::test]
async fn what_is_assigned_is_brought_about_and_reported() {
    let mut site = Site::new().await;
    let published = site.fleet.publish("web", &[config("a", "1"), config("b", "1")]);
    let status = site.assign().await;
    assert_eq!(site.names(), ["web_ConfigMap_a.json", "web_ConfigMap_b.json"]);
    let report = site.wire.report();
    assert_eq!((report.seq, report.passed, report.root), (site.fleet.seq, site.fleet.seq, 1));
    let web = &report.services[0];
    assert_eq!((web.release, web.bundle), (Some(published.release), Some(published.bundle)));
    assert_eq!((web.sync, web.health, web.objects), (Sync::Synced, Health::Unknown, 2));
    assert!(report.holds.is_empty());
    assert!(status.network.content_bytes > 0);
}

#[tokio::test]
async fn a_pass_without_news_writes_nothing_and_reads_nothing() {
    let mut site = Site::new().await;
    site.fleet.publish("web", &[config("a", "1")]);
    site.assign().await;
    let written = |site: &Site| std::fs::metadata(site.path("web", "a")).unwrap().modified().unwrap();
    let before = written(&site);
    let status = site.once().await;
    assert_eq!(site.wire.far().unchanged, 1);
    assert_eq!(site.wire.far().joins, 1);
    assert_eq!(written(&site), before);
    let counts = status.pass.unwrap().counts;
    assert!(!counts.wrote());
    assert_eq!(counts.unchanged, 1);
    // What was looked for is root 2, which is not there.
    assert_eq!(status.network.content_bytes, 0);
}

#[tokio::test]
async fn l1_a_restart_with_everything_off_heals_a_damaged_file() {
    let mut site = Site::new().await;
    site.fleet.publish("web", &[config("a", "1"), config("b", "1")]);
    site.assign().await;
    site.wire.far().broken = Some((StatusCode::BAD_GATEWAY, "<html>away</html>".into()));
    std::fs::remove_dir_all(site.fleet.origin()).unwrap();
    std::fs::write(site.path("web", "a"), "damaged").unwrap();
    std::fs::remove_file(site.path("web", "b")).unwrap();
    let mut running = site.start();
    running.until("healed", |status| status.pass.as_ref().is_some_and(|p| p.counts.repaired == 2)).await;
    assert_eq!(site.text("web", "a").as_deref(), Some("1"));
    assert_eq!(site.text("web", "b").as_deref(), Some("1"));
    // And again, without a restart.
    std::fs::write(site.path("web", "a"), "damaged").unwrap();
    running.until("healed again", |_| site.text("web", "a").as_deref() == Some("1")).await;
    running.stop().await;
}

#[tokio::test]
async fn a_running_agent_takes_up_what_changes_and_comes_back_by_itself() {
    let mut site = Site::new().await;
    site.fleet.publish("web", &[config("a", "1")]);
    let envelope = site.fleet.assign(&site.wire.cluster);
    site.wire.serve(envelope);
    let mut running = site.start();
    running.until("applied", |_| site.text("web", "a").as_deref() == Some("1")).await;
    site.wire.far().broken = Some((StatusCode::UNAUTHORIZED, String::new()));
    let status = running.until("cut off", |status| !status.network.connected).await;
    let problem = &status.network.problem;
    assert!(problem.contains("401") && problem.contains("a new join token"), "{problem}");
    site.fleet.publish("web", &[config("a", "2")]);
    let envelope = site.fleet.assign(&site.wire.cluster);
    site.wire.serve(envelope);
    site.wire.far().broken = None;
    running.until("applied", |_| site.text("web", "a").as_deref() == Some("2")).await;
    let reported = || site.wire.far().reports.last().is_some_and(|report| report.seq == site.fleet.seq);
    let coming = async {
        while !reported() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), coming).await.expect("what is applied is reported");
    running.stop().await;
}

#[tokio::test]
async fn h2_after_a_restart_the_first_poll_waits_for_its_phase_and_repair_does_not() {
    let mut site = Site::new().await;
    site.fleet.publish("web", &[config("a", "1")]);
    site.assign().await;
    std::fs::write(site.path("web", "a"), "damaged").unwrap();
    let cluster = site.wire.cluster.as_str().as_bytes();
    let left = |interval: &Duration| {
        let phase = program::schedule::phase(cluster, *interval);
        program::schedule::until_phase(phase, *interval, std::time::SystemTime::now())
    };
    // Its turn may be just now; then another interval has it elsewhere.
    let interval = [60, 59, 58, 57].map(Duration::from_mins).into_iter().max_by_key(left).unwrap();
    let mut running = Running::new(agent::Settings { poll_interval: interval, ..site.settings() });
    let status = running.until("repaired", |_| site.text("web", "a").as_deref() == Some("1")).await;
    assert_eq!(status.network.polls, 0, "its turn is in {:?}", left(&interval));
    running.stop().await;
}

#[tokio::test]
async fn g9_origins_that_are_away_keep_nobody_from_the_api() {
    let mut site = Site::new().await;
    site.fleet.publish("web", &[config("a", "1")]);
    site.assign().await;
    // Nobody listens there, and packets to it go nowhere.
    let origins = ["http://192.0.2.1:9", "http://127.0.0.1:1"].map(str::to_owned).to_vec();
    let mut settings = site.settings();
    settings.origins.origin = origins;
    site.fleet.remove("web", RemovalMode::Delete);
    let envelope = site.fleet.assign(&site.wire.cluster);
    let set = cdn::document::Set::new(Vec::new()).to_bytes();
    let objects = [(cdn::Digest::of(&set), cdn::wire::Inline(set))].into();
    site.wire.far().answer = Some(cdn::wire::PollAnswer { envelope, objects });
    let begun = std::time::Instant::now();
    let status = Box::pin(agent::Agent::new(settings).once()).await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(20));
    assert!(status.network.connected);
    assert!(site.names().is_empty());
}

#[tokio::test]
async fn a_removed_service_goes_and_nothing_else() {
    let mut site = Site::new().await;
    site.fleet.publish("web", &[config("a", "1")]);
    site.fleet.publish("api", &[config("a", "1")]);
    site.assign().await;
    site.fleet.remove("web", RemovalMode::Delete);
    site.assign().await;
    assert_eq!(site.names(), ["api_ConfigMap_a.json"]);
    assert_eq!(site.wire.report().removed, [service("web")]);
    site.fleet.remove("api", RemovalMode::Orphan);
    site.assign().await;
    assert_eq!(site.names(), ["api_ConfigMap_a.json"]);
    assert!(!site.files()["api_ConfigMap_a.json"].contains("windlass"));
    assert_eq!(site.wire.report().removed, [service("api"), service("web")]);
}

#[tokio::test]
async fn a_foreign_file_is_never_deleted_and_an_edited_one_only_with_a_yes() {
    let mut site = Site::new().await;
    site.fleet.publish("web", &[config("a", "1"), config("b", "1"), config("c", "1")]);
    site.assign().await;
    std::fs::write(site.target().join("mine.yaml"), "kind: ConfigMap").unwrap();
    let edited = site.files()["web_ConfigMap_b.json"].replace("\"1\"", "\"2\"");
    std::fs::write(site.path("web", "b"), &edited).unwrap();
    site.fleet.publish("web", &[config("a", "1")]);
    let status = site.assign().await;
    assert_eq!(site.names(), ["mine.yaml", "web_ConfigMap_a.json", "web_ConfigMap_b.json"]);
    assert_eq!(reasons(&status), [HoldReason::NeedsConfirm]);
    assert_eq!(site.text("web", "b").as_deref(), Some("2"));
    // Wanted again it is repaired, and then it is ours to delete.
    site.fleet.publish("web", &[config("a", "1"), config("b", "1")]);
    site.assign().await;
    assert_eq!(site.text("web", "b").as_deref(), Some("1"));
    site.fleet.publish("web", &[config("a", "1")]);
    site.assign().await;
    assert_eq!(site.names(), ["mine.yaml", "web_ConfigMap_a.json"]);
}

#[tokio::test]
async fn where_a_removal_takes_no_effect_it_is_said_and_not_tried() {
    let mut site = Site::new().await;
    site.fleet.publish("web", &[config("a", "1"), config("b", "1")]);
    site.assign().await;
    site.fleet.publish("web", &[config("a", "1")]);
    let envelope = site.fleet.assign(&site.wire.cluster);
    site.wire.serve(envelope);
    let settings = agent::Settings { target_ignores_removal: true, ..site.settings() };
    let status = Box::pin(agent::Agent::new(settings).once()).await.unwrap();
    assert_eq!(reasons(&status), [HoldReason::PruneUnsupported]);
    assert_eq!(site.names().len(), 2);
}

#[tokio::test]
async fn one_service_that_cannot_be_had_holds_itself_and_its_dependents() {
    let mut site = Site::new().await;
    let first = site.fleet.publish("base", &[config("a", "1")]);
    site.fleet.publish("web", &[config("b", "1")]);
    site.fleet.publish("lone", &[config("c", "1")]);
    site.fleet.depends("web", "base");
    site.assign().await;
    let second = site.fleet.publish("base", &[config("a", "2")]);
    for object in &second.encodings {
        std::fs::remove_file(site.fleet.place(*object)).unwrap();
    }
    site.fleet.publish("web", &[config("b", "2")]);
    site.fleet.publish("lone", &[config("c", "2")]);
    let status = site.assign().await;
    assert_eq!(reasons(&status), [HoldReason::ContentUnavailable, HoldReason::DependencyNotReady]);
    let texts = [("base", "a"), ("web", "b"), ("lone", "c")].map(|(s, n)| site.text(s, n).unwrap());
    assert_eq!(texts, ["1", "1", "2"]);
    assert_eq!(reported(&status, "base").release, Some(first.release));
    assert_eq!(reported(&status, "base").sync, Sync::Held);
    // The report says the sequence accepted all the same.
    assert_eq!(site.wire.report().seq, site.fleet.seq);
    site.fleet.publish("base", &[config("a", "2")]);
    let status = site.assign().await;
    assert!(reasons(&status).is_empty());
    assert_eq!(site.text("web", "b").as_deref(), Some("2"));
}

#[tokio::test]
async fn going_back_to_what_ran_before_moves_no_byte() {
    let mut site = Site::new().await;
    site.fleet.publish("web", &[config("a", "1")]);
    let old = site.fleet.set.clone();
    site.assign().await;
    site.fleet.publish("web", &[config("a", "2")]);
    site.assign().await;
    let objects = site.fleet.origin().join("v1/o");
    std::fs::remove_dir_all(&objects).unwrap();
    site.fleet.set = old;
    let status = site.assign().await;
    assert_eq!(site.text("web", "a").as_deref(), Some("1"));
    assert!(reasons(&status).is_empty());
    assert!(status.network.saved_bytes > 0);
}

#[tokio::test]
async fn d8_a_clock_that_was_ahead_once_silences_no_later_report() {
    let mut site = Site::new().await;
    site.fleet.publish("web", &[config("a", "1")]);
    // Said in the year 2096, before somebody set the clock.
    site.wire.far().reported = 4_000_000_000_000;
    site.assign().await;
    let report = site.wire.report();
    assert_eq!(report.seq, site.fleet.seq);
    assert!(report.number > 4_000_000_000_000, "{}", report.number);
}

#[test]
fn an_agent_polls_as_often_as_an_api_expects_that_told_it_nothing() {
    let settings =
        agent::Settings::try_parse_from(["windlass-agent", "--api=https://api.example.com"]).unwrap();
    assert_eq!(settings.poll_interval, cdn::wire::POLL_INTERVAL);
}

/// Approving is a person's yes to exactly these objects: they see them, and that the service is not done.
#[tokio::test]
async fn l13_a_service_whose_leftovers_wait_for_a_yes_is_held_and_names_them() {
    let mut site = Site::new().await;
    let many = |count: usize| (0..count).map(|n| config(&format!("c{n:02}"), "1")).collect::<Vec<_>>();
    site.fleet.publish("web", &many(20));
    site.assign().await;
    site.fleet.publish("web", &many(3));
    let status = site.assign().await;
    assert_eq!(reasons(&status), [HoldReason::PruneBudget]);
    let message = &status.holds()[0].message;
    for n in 3..20 {
        assert!(message.contains(&format!("/c{n:02}")), "{n}: {message}");
    }
    assert_eq!(reported(&status, "web").sync, Sync::Held);
    assert_eq!(site.names().len(), 20);
}
