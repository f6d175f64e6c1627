//! What an operator sees of an agent that runs: readiness and metrics.

use std::time::Duration;

use agent::Settings;
use axum::http::StatusCode;
use program::http::{Bounds, Client, Request};
use program::observe::Listen;
use serde_json::Value;

use crate::fleet::config;
use crate::site::{Running, Site};

/// Reads a page of the agent's own port.
pub(crate) async fn page(port: u16, path: &str) -> (u16, String) {
    let settings = program::http::Settings::new("windlass-test/1");
    let request = Request::get(format!("http://127.0.0.1:{port}{path}"));
    let bounds = Bounds::new(1 << 20, Duration::from_secs(10));
    let page = Client::new(&settings).unwrap().fetch(request, bounds).await.unwrap();
    (page.status.as_u16(), String::from_utf8(page.body.to_vec()).unwrap())
}

/// Looks until a part of `/readyz`, which stays at 200, says why it does not wholly work - or, with "", that it does.
pub(crate) async fn until_why(port: u16, name: &str, says: &str) {
    for _ in 0..600 {
        let (status, body) = page(port, "/readyz").await;
        let body: Value = serde_json::from_str(&body).unwrap();
        let mut parts = body["parts"].as_array().unwrap().iter();
        let why = parts.find(|one| one["name"] == name).unwrap()["why"].as_str().map(str::to_owned);
        let fits = match &why {
            Some(why) => !says.is_empty() && why.contains(says),
            None => says.is_empty(),
        };
        if fits {
            assert_eq!((status, &body["ready"]), (200, &Value::Bool(true)), "no restart heals it: {body}");
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{name} never says {says:?}: {}", page(port, "/readyz").await.1);
}

#[tokio::test]
async fn l13_what_is_in_the_way_is_shown_where_an_operator_looks() {
    let mut site = Site::new().await;
    site.fleet.publish("web", &[config("a", "1")]);
    site.wire.serve(site.fleet.assign(&site.wire.cluster));
    let port = testbed::free_port().unwrap();
    let mut settings: Settings = site.settings();
    settings.observe.observe_listen = Listen::At(([127, 0, 0, 1], port).into());
    let mut running = Running::new(settings);
    running.until("applied", |_| site.text("web", "a").as_deref() == Some("1")).await;
    until_why(port, "network", "").await;

    // A cluster that the api does not know.
    site.wire.far().broken = Some((StatusCode::UNAUTHORIZED, String::new()));
    until_why(port, "network", "a new join token").await;
    site.wire.far().broken = None;
    until_why(port, "network", "").await;

    // Content that nobody has.
    let published = site.fleet.publish("web", &[config("a", "2")]);
    for encoding in &published.encodings {
        std::fs::remove_file(site.fleet.place(*encoding)).unwrap();
    }
    site.wire.serve(site.fleet.assign(&site.wire.cluster));
    until_why(port, "sync", "ContentUnavailable").await;

    let (_, metrics) = page(port, "/metrics").await;
    for line in [
        "# HELP windlass_polls_total ",
        "windlass_polls_total{result=\"news\"} ",
        "windlass_polls_total{result=\"unchanged\"} ",
        "windlass_polls_total{result=\"failed\"} ",
        "# HELP windlass_last_poll_timestamp_seconds ",
        "windlass_last_poll_timestamp_seconds 1",
        "# HELP windlass_holds ",
        "windlass_holds{reason=\"ContentUnavailable\"} ",
        "windlass_holds{reason=\"SeqConflict\"} ",
    ] {
        assert!(metrics.lines().any(|one| one.starts_with(line)), "{line} is not in {metrics}");
    }
    running.stop().await;
}
