//! Newer roots beside a running api, and what is no root at all.

use std::time::Duration;

use cdn::SigningKey;
use cdn::envelope::{Envelope, Role};
use serde_json::{Value, json};

use crate::agent::Polled;
use crate::fleet::Fleet;

impl Fleet {
    /// The next root, which lists this key as the desired key.
    fn next_root(&self, version: u64, desired: &SigningKey) -> Vec<u8> {
        let mut root = self.trust.root().clone();
        root.version = version;
        root.fleet = Some(self.trust.fleet());
        root.roles.desired = Role::of(desired.public());
        Envelope::sign(&root, &[&self.root_key]).to_bytes()
    }

    fn lay_root(&self, version: u64, bytes: &[u8]) {
        std::fs::write(self.path(&format!("root/{version}.new")), bytes).unwrap();
        let place = self.path(&format!("root/{version}.json"));
        std::fs::rename(self.path(&format!("root/{version}.new")), place).unwrap();
    }

    /// Waits until `/readyz` shows this of the roots.
    async fn roots_are(&self, status: u16, words: &str) {
        for _ in 0..600 {
            let said = self.readiness().await;
            let parts = said.body["parts"].as_array().cloned().unwrap_or_default();
            let root = parts.iter().find(|part| part["name"] == "root").unwrap_or(&Value::Null);
            let why = root["why"].as_str().unwrap_or_default();
            if said.status == status && why.contains(words) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{:?}", self.readiness().await);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a9_a_newer_root_is_told_to_every_cluster_and_one_without_our_key_is_not_taken() {
    let fleet = Fleet::on_sqlite().await;
    let mut agent = fleet.join("site-1", json!({})).await;
    agent.has_news(&fleet).await;
    fleet.lay_root(2, &fleet.next_root(2, &fleet.desired_key));
    for _ in 0..600 {
        match agent.poll(&fleet).await {
            Polled::News => break,
            Polled::NotModified => tokio::time::sleep(Duration::from_millis(50)).await,
            Polled::Refused(said) => panic!("{said:?}"),
        }
    }
    assert_eq!(agent.held.as_ref().unwrap().desired.root, 2, "agents ask for the root that is named");
    agent.has_no_news(&fleet).await;
    fleet.roots_are(200, "").await;

    fleet.lay_root(3, &fleet.next_root(3, &SigningKey::random()));
    fleet.roots_are(503, "does not list the public half").await;
    agent.has_no_news(&fleet).await;
    assert!(fleet.path("store/v1/root/3.json").is_file(), "agents can have it all the same");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_root_keeps_no_api_from_starting() {
    let mut fleet = Fleet::on_sqlite().await;
    let mut agent = fleet.join("site-1", json!({})).await;
    fleet.stop().await;
    fleet.lay_root(2, b"garbage");
    fleet.start(&[]).await;
    fleet.roots_are(200, "2.json").await;
    agent.has_news(&fleet).await;
    fleet.stop().await;
    // The right one is given, and other bytes lie at its place in the store.
    std::fs::write(fleet.path("store/v1/root/2.json"), b"garbage").unwrap();
    fleet.lay_root(2, &fleet.next_root(2, &fleet.desired_key));
    fleet.start(&[]).await;
    agent.has_news(&fleet).await;
    fleet.roots_are(200, "").await;
}
