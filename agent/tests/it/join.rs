//! Joining, and what the api says of the credential that came of it.

use std::time::Duration;

use agent::{Agent, Settings};
use axum::http::StatusCode;

use crate::fleet::config;
use crate::site::Site;
use crate::state::running;

#[tokio::test]
async fn joining_never_supplies_trust() {
    let site = Site::new().await;
    let root = agent::settings::RootArg::Digest(cdn::Digest::of(b"another fleet"));
    let settings = Settings { root: Some(root), ..site.settings() };
    let error = Box::pin(Agent::new(settings).once()).await.unwrap_err();
    assert!(error.to_string().contains("check which fleet"), "{error:#}");
    assert_eq!(site.wire.far().joins, 0);
    let settings = Settings { join_token_file: None, ..site.settings() };
    let error = Box::pin(Agent::new(settings).once()).await.unwrap_err();
    assert!(error.to_string().contains("has not joined yet"), "{error:#}");
}

#[tokio::test]
async fn a_join_whose_answer_was_lost_is_made_again_with_the_same_key_also_after_a_restart() {
    let mut site = Site::new().await;
    site.wire.far().loses_joins = true;
    let agent = site.start();
    let asked = async {
        while site.wire.far().keys.is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), asked).await.expect("it asks to join");
    agent.stop().await;
    site.wire.far().loses_joins = false;
    site.fleet.publish("web", &[config("a", "1")]);
    site.assign().await;
    assert_eq!(site.text("web", "a").as_deref(), Some("1"));
    let keys = site.wire.far().keys.clone();
    assert!(keys.len() > 1 && keys.iter().all(|key| *key == keys[0]), "{keys:?}");
    assert!(!site.state().join("joining.json").exists());
}

#[tokio::test]
async fn a_credential_that_is_refused_is_not_discarded() {
    let site = running().await;
    site.wire.far().broken = Some((StatusCode::UNAUTHORIZED, String::new()));
    std::fs::write(site.path("web", "a"), "damaged").unwrap();
    site.once().await;
    assert_eq!(site.text("web", "a").as_deref(), Some("2"));
    site.wire.far().broken = None;
    let status = site.once().await;
    assert!(status.network.connected);
    assert_eq!(site.wire.far().joins, 1);
}
