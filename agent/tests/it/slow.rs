//! Origins that are slow, endless or away, and an api that wants to be left alone: what runs, and what is asked, goes on.

use std::time::Duration;

use agent::Settings;
use axum::http::StatusCode;
use cdn::Digest;
use cdn::document::HoldReason;
use testbed::Fault;

use crate::edge::Edge;
use crate::fleet::config;
use crate::site::{Running, Site, reasons};

/// A site that reads from an edge alone, and has joined; nothing is assigned.
async fn site() -> (Site, Edge, Settings) {
    let site = Site::new().await;
    let edge = Edge::new(site.fleet.origin().to_owned()).await;
    let mut settings = site.settings();
    settings.origins.origin = vec![edge.proxy.url()];
    (site, edge, settings)
}

fn assign(site: &mut Site) {
    let envelope = site.fleet.assign(&site.wire.cluster);
    site.wire.serve(envelope);
}

/// Text that no compressor makes much smaller than half.
fn noise(length: usize) -> String {
    let mut text = String::new();
    while text.len() < length {
        text.push_str(&Digest::of(text.len().to_string().as_bytes()).hex());
    }
    text
}

#[tokio::test]
async fn a6_a_release_without_an_end_is_cut_where_no_release_would_go_on() {
    let (mut site, edge, mut settings) = site().await;
    edge.proxy.set(Fault::Endless).await.unwrap();
    settings.origins.origin.push(site.fleet.origin().display().to_string());
    site.fleet.publish("web", &[config("a", "1")]);
    // Nothing rides beside the answer: set, release and bundle are all asked for there first.
    assign(&mut site);
    let status = Box::pin(agent::Agent::new(settings).once()).await.unwrap();
    assert_eq!(site.text("web", "a").as_deref(), Some("1"));
    assert!(edge.proxy.traffic().connections > 3, "{:?}", edge.proxy.traffic());
    let bytes = status.network.content_bytes;
    assert!(bytes < 8 << 20, "{bytes} bytes were read");
}

#[tokio::test]
async fn a7_while_an_origin_drips_polls_go_on_and_a_newer_assignment_ends_what_it_does_not_name() {
    let (mut site, edge, settings) = site().await;
    site.fleet.publish("small", &[config("a", "1")]);
    assign(&mut site);
    let mut agent = Running::new(settings);
    agent.until("running", |_| site.text("small", "a").as_deref() == Some("1")).await;
    // Minutes at this rate.
    site.fleet.publish("web", &[config("b", &noise(800_000))]);
    edge.proxy.set(Fault::Drip(2_500)).await.unwrap();
    assign(&mut site);
    agent.until("accepted", |status| status.network.seq == site.fleet.seq).await;
    let polls = site.wire.far().polls;
    agent.until("more polls", |_| site.wire.far().polls > polls + 2).await;
    site.fleet.publish("small", &[config("a", "2")]);
    assign(&mut site);
    agent.until("another service", |_| site.text("small", "a").as_deref() == Some("2")).await;
    assert_eq!(site.text("web", "b"), None);
    site.fleet.publish("web", &[config("b", "mended")]);
    assign(&mut site);
    agent.until("superseded", |_| site.text("web", "b").as_deref() == Some("mended")).await;
    agent.stop().await;
}

#[tokio::test]
async fn a7_a_download_that_newer_assignments_name_too_goes_on_where_it_is() {
    let (mut site, edge, settings) = site().await;
    let big = noise(800_000);
    let published = site.fleet.publish("web", &[config("b", &big)]);
    let length = std::fs::metadata(site.fleet.place(published.encodings[0])).unwrap().len();
    edge.proxy.set(Fault::Drip(length / 5)).await.unwrap();
    assign(&mut site);
    let mut agent = Running::new(settings);
    let mut rounds = 0;
    let arriving = async {
        while site.text("web", "b").as_deref() != Some(&big) {
            rounds += 1;
            assign(&mut site);
            let seq = site.fleet.seq;
            let text = || site.text("web", "b").is_some();
            agent.until("accepted", |status| status.network.seq == seq || text()).await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), arriving).await.expect("it arrives");
    assert!(rounds > 2, "only {rounds} newer assignments while it was on its way");
    let sent = edge.proxy.traffic().bytes_out;
    assert!(sent < 2 * length, "{sent} bytes for one object of {length}");
    agent.stop().await;
}

#[tokio::test]
async fn l4_what_ran_before_the_rest_had_come_runs_again_after_a_restart_without_network() {
    let (mut site, edge, settings) = site().await;
    site.fleet.publish("small", &[config("a", "1")]);
    assign(&mut site);
    let mut agent = Running::new(settings.clone());
    agent.until("running", |_| site.text("small", "a").as_deref() == Some("1")).await;
    site.fleet.publish("small", &[config("a", "2")]);
    site.fleet.publish("web", &[config("b", &noise(800_000))]);
    edge.proxy.set(Fault::Drip(4_000)).await.unwrap();
    assign(&mut site);
    agent.until("the small one", |_| site.text("small", "a").as_deref() == Some("2")).await;
    agent.stop().await;
    edge.proxy.set(Fault::Refuse).await.unwrap();
    site.wire.far().broken = Some((StatusCode::BAD_GATEWAY, String::new()));
    std::fs::write(site.path("small", "a"), "damaged").unwrap();
    let status = Box::pin(agent::Agent::new(settings).once()).await.unwrap();
    assert_eq!(site.text("small", "a").as_deref(), Some("2"));
    assert_eq!(reasons(&status), [HoldReason::ContentUnavailable]);
}

#[tokio::test]
async fn h3_an_api_that_asks_to_be_left_alone_is_while_the_origins_are_asked_again() {
    let mut site = Site::new().await;
    let published = site.fleet.publish("web", &[config("a", "1")]);
    let away = |digest: &Digest| site.fleet.place(*digest).with_extension("away");
    for digest in &published.encodings {
        std::fs::rename(site.fleet.place(*digest), away(digest)).unwrap();
    }
    let back: Vec<_> =
        published.encodings.iter().map(|digest| (away(digest), site.fleet.place(*digest))).collect();
    site.wire.far().poll_after = Some(60);
    assign(&mut site);
    let mut agent = site.start();
    agent.until("missed", |status| reasons(status).contains(&HoldReason::ContentUnavailable)).await;
    for (away, place) in back {
        std::fs::rename(away, place).unwrap();
    }
    agent.until("there", |_| site.text("web", "a").as_deref() == Some("1")).await;
    assert_eq!(site.wire.far().polls, 1);
    agent.stop().await;
}

#[tokio::test]
async fn a9_an_origin_that_was_away_at_the_start_is_soon_asked_again_for_newer_roots() {
    let (mut site, edge, settings) = site().await;
    site.fleet.publish("web", &[config("a", "1")]);
    assign(&mut site);
    let status = Box::pin(agent::Agent::new(settings.clone()).once()).await.unwrap();
    assert_eq!(status.network.root, 1);
    edge.proxy.set(Fault::Refuse).await.unwrap();
    site.fleet.rotate();
    let mut agent = Running::new(settings);
    agent.until("polled", |status| status.network.polls > 0).await;
    edge.proxy.set(Fault::Pass).await.unwrap();
    agent.until("the newer root", |status| status.network.root == 2).await;
    agent.stop().await;
}
