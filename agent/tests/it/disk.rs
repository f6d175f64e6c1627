//! The state folder on a disk that is full, or read-only: the kernel's own refusals.

use std::collections::BTreeSet;

use agent::{Agent, Settings, Status};
use axum::http::StatusCode;
use cdn::Digest;
use cdn::document::HoldReason;
use testbed::Volume;

use crate::fleet::config;
use crate::site::{Running, Site, reasons};

/// A site whose state lies on a disk of its own, and runs text 1.
async fn on(volume: &Volume) -> (Site, Settings) {
    let mut site = Site::new().await;
    let settings = Settings { state: volume.path().join("state"), ..site.settings() };
    site.fleet.publish("web", &[config("a", "1")]);
    assign(&mut site);
    once(&settings).await;
    assert_eq!(site.text("web", "a").as_deref(), Some("1"));
    (site, settings)
}

fn assign(site: &mut Site) {
    let envelope = site.fleet.assign(&site.wire.cluster);
    site.wire.serve(envelope);
}

async fn once(settings: &Settings) -> Status {
    Box::pin(Agent::new(settings.clone()).once()).await.unwrap()
}

fn unwritable(status: &Status) -> bool {
    reasons(status).contains(&HoldReason::StateUnwritable)
}

/// A restart with everything off repairs what ran.
async fn repairs(site: &Site, settings: &Settings) {
    site.wire.far().broken = Some((StatusCode::BAD_GATEWAY, String::new()));
    std::fs::write(site.path("web", "a"), "damaged").unwrap();
    once(settings).await;
    assert_eq!(site.text("web", "a").as_deref(), Some("1"));
    site.wire.far().broken = None;
}

/// News is not acted upon where it cannot be stored, and is once it can.
async fn waits_for_room(mut site: Site, settings: Settings, mend: impl FnOnce()) {
    site.fleet.publish("web", &[config("a", "2")]);
    assign(&mut site);
    let mut agent = Running::new(settings);
    let status = agent.until("said", unwritable).await;
    assert!(status.network.seq < site.fleet.seq);
    std::fs::write(site.path("web", "a"), "damaged").unwrap();
    agent.until("repaired", |_| site.text("web", "a").as_deref() == Some("1")).await;
    mend();
    agent.until("applied", |_| site.text("web", "a").as_deref() == Some("2")).await;
    agent.until("no longer said", |status| !unwritable(status)).await;
    agent.stop().await;
}

#[tokio::test]
async fn i3_an_agent_starts_on_a_full_disk_and_repairs_what_runs() {
    let volume = Volume::new(2 << 20).unwrap();
    let (site, settings) = on(&volume).await;
    volume.fill().unwrap();
    repairs(&site, &settings).await;
    waits_for_room(site, settings, || volume.empty().unwrap()).await;
}

#[tokio::test]
async fn i4_an_agent_starts_on_a_read_only_disk_and_repairs_what_runs() {
    let mut volume = Volume::new(2 << 20).unwrap();
    let (site, settings) = on(&volume).await;
    volume.read_only(true).unwrap();
    repairs(&site, &settings).await;
    let mut agent = Running::new(settings.clone());
    agent.until("running", |status| status.network.connected).await;
    let second = Box::pin(Agent::new(settings.clone()).once()).await.unwrap_err();
    assert!(format!("{second:#}").contains("is in use by"), "{second:#}");
    agent.stop().await;
    waits_for_room(site, settings, || volume.read_only(false).unwrap()).await;
}

#[tokio::test]
async fn i3_a_bundle_that_does_not_fit_takes_the_place_of_spare_ones_and_never_of_the_one_that_runs() {
    // Room for two bundles, not for three.
    let volume = Volume::new(2_500 << 10).unwrap();
    let (mut site, settings) = on(&volume).await;
    let bulk = |text: &str| [config("a", "1"), config("bulk", &text.repeat(900 << 10))];
    let bundles = || -> BTreeSet<Digest> {
        let files = std::fs::read_dir(settings.state.join("bundle")).unwrap();
        let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
        names.map(|name| Digest::from_hex(name.strip_suffix(".tar").unwrap()).unwrap()).collect()
    };
    let mut made = Vec::new();
    for text in ["x", "y", "z"] {
        made.push(site.fleet.publish("web", &bulk(text)).bundle);
        assign(&mut site);
        let status = once(&settings).await;
        assert!(reasons(&status).is_empty(), "{text}: {:?}", status.holds());
    }
    assert_eq!(bundles(), BTreeSet::from([made[1], made[2]]), "the oldest gave its room");
    // Now nothing spare is large enough.
    std::fs::write(volume.path().join("other"), vec![0; 400 << 10]).unwrap();
    site.fleet.publish(
        "web",
        &[config("a", "1"), config("bulk", &"v".repeat(900 << 10)), config("more", &"w".repeat(900 << 10))],
    );
    assign(&mut site);
    let mut agent = Running::new(settings.clone());
    agent.until("said", unwritable).await;
    agent.until("applied from memory", |_| site.text("web", "more").is_some()).await;
    agent.stop().await;
    assert_eq!(bundles(), BTreeSet::from([made[2]]), "the one that ran stays until the new one fits");
}
