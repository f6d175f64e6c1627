//! Newer roots beside a running api, and what is no root at all.

use std::time::Duration;

use cdn::document::Roles;
use cdn::envelope::{Envelope, Role, Signature};
use cdn::{Digest, SigningKey};
use serde_json::{Value, json};

use crate::agent::Polled;
use crate::fleet::{Fleet, hold};

impl Fleet {
    /// The next root, which lists this key as the desired key.
    fn next_root(&self, version: u64, desired: &SigningKey) -> Vec<u8> {
        self.root_with(version, |roles| roles.desired = Role::of(desired.public()))
    }

    /// A later root with other roles.
    fn root_with(&self, version: u64, change: impl FnOnce(&mut Roles)) -> Vec<u8> {
        let mut root = self.trust.root().clone();
        root.version = version;
        root.fleet = Some(self.trust.fleet());
        change(&mut root.roles);
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

/// Agents believe nobody else, and a yes replaces the one before.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_root_lists_approvers_a_hold_is_approved_by_their_signatures_alone() {
    let mut fleet = Fleet::on_sqlite().await;
    let [one, two, stranger] = std::array::from_fn(|_| SigningKey::random());
    let approvers = Role { keys: vec![one.public(), two.public()], threshold: 2 };
    fleet.lay_root(2, &fleet.root_with(2, |roles| roles.approver = Some(approvers)));
    fleet.stop().await;
    fleet.start(&[]).await;
    let mut agent = fleet.join("site-1", json!({})).await;
    agent.has_news(&fleet).await;
    let digest = Digest::of(b"exactly these objects");
    agent.reports(&fleet, &[], vec![hold(digest)]).await;
    let approve = async |signatures: Value| {
        fleet.post(&format!("/v1/holds/{digest}/approve"), json!({"signatures": signatures})).await
    };
    let by = |key: &SigningKey| json!(Signature::approve(digest, key));
    let of_another = json!(Signature::approve(Digest::of(b"others"), &two));
    let wrong = [json!([]), json!([by(&one)]), json!([by(&one), by(&one)]), json!([by(&one), by(&stranger)])];
    for signatures in wrong.iter().cloned().chain([json!([by(&one), of_another])]) {
        let said = approve(signatures).await.refused(422, "signature_needed");
        assert!(said["detail"].as_str().unwrap().contains("2 of them have to sign"), "{said}");
    }
    agent.has_no_news(&fleet).await;
    approve(json!([by(&one), by(&two)])).await.ok();
    let told = agent.has_news(&fleet).await.desired.approvals;
    assert_eq!(json!(told[0].signatures), json!([by(&one), by(&two)]));
    for signatures in wrong {
        approve(signatures).await.refused(422, "signature_needed");
    }
    agent.has_no_news(&fleet).await;
}
