//! Newer roots beside a running api, and what is no root at all.

use std::time::Duration;

use cdn::document::{Roles, Root};
use cdn::envelope::{Envelope, Role, Signature};
use cdn::{Digest, SigningKey};
use serde_json::{Value, json};

use crate::agent::{Agent, Polled};
use crate::fleet::{Fleet, hold};

impl Fleet {
    /// The next root, which lists this key as the desired key.
    fn next_root(&self, version: u64, desired: &SigningKey) -> Vec<u8> {
        self.root_with(version, |roles| roles.desired = Role::of(desired.public()))
    }

    /// A later root with other roles.
    fn root_with(&self, version: u64, change: impl FnOnce(&mut Roles)) -> Vec<u8> {
        self.root_of(version, |root| change(&mut root.roles))
    }

    /// A later root with anything else.
    fn root_of(&self, version: u64, change: impl FnOnce(&mut Root)) -> Vec<u8> {
        let mut root = self.trust.root().clone();
        root.version = version;
        root.fleet = Some(self.trust.fleet());
        change(&mut root);
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

/// The last sequence that is read.
const LAST: u64 = (1 << 53) - 1;

impl Agent {
    /// Polls until it is told this root.
    async fn is_told_root(&mut self, fleet: &Fleet, version: u64) {
        for _ in 0..600 {
            self.poll(fleet).await;
            if self.held.as_ref().is_some_and(|held| held.desired.root == version) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("root {version} was never told");
    }
}

on_both! {
    async fn a3_a9_what_a_dropped_key_has_signed_is_newer_than_nothing_else(fleet) {
        fleet.global("web", json!({"matchLabels": {"env": "prod"}})).await;
        let publisher = fleet.publisher("ci", "default").await;
        let one = fleet.publish(&publisher, "default/web", 1).await;
        let mut agent = fleet.join("site-1", json!({"env": "prod"})).await;
        assert_eq!(agent.has_news(&fleet).await.release("default/web"), Some(one));
        let stolen = fleet.withdrawing("default/web", LAST, LAST);
        fleet.register(&publisher, stolen.clone()).await.ok();
        let stolen = Digest::of(&stolen);
        assert_eq!(agent.has_news(&fleet).await.release("default/web"), Some(stolen));
        fleet.register(&publisher, fleet.release("default/web", 2)).await.refused(409, "not_newer");

        let key = SigningKey::random();
        let by_new = |seq: u64| fleet.release_by(&key, "default/web", seq, 0);
        fleet.register(&publisher, by_new(3)).await.refused(422, "release_refused");
        let next = fleet.root_with(2, |roles| {
            roles.release.insert("default".parse().unwrap(), Role::of(key.public()));
        });
        fleet.lay_root(2, &next);
        agent.is_told_root(&fleet, 2).await;
        let service = async || fleet.get("/v1/services/default/web").await.ok();
        assert_eq!(service().await["release"], json!(stolen), "with no other its agents say that they refuse it");

        let (three, four) = (by_new(3), by_new(4));
        assert_eq!(fleet.register(&publisher, three.clone()).await.status, 201);
        let three = Digest::of(&three);
        assert_eq!(agent.has_news(&fleet).await.release("default/web"), Some(three));
        let wanted = fleet.http.get(format!("{}/v1/wanted", fleet.url)).bearer_auth(&publisher);
        let wanted: Value = wanted.send().await.unwrap().json().await.unwrap();
        assert_eq!(wanted["services"][0]["newest"], json!(three));
        let again = fleet.release_by(&key, "default/web", LAST, 0);
        fleet.register(&publisher, again).await.refused(409, "not_newer");
        fleet.register(&publisher, four.clone()).await.ok();
        let undone = fleet.post("/v1/services/default/web/undo", json!({})).await.ok();
        assert_eq!(undone["to"], json!(three), "no floor of the dropped key counts");
        fleet.post("/v1/services/default/web/undo", json!({})).await.refused(409, "nothing_to_undo");
        let pin = async |release| fleet.post("/v1/services/default/web/pin", json!({"release": release})).await;
        pin(stolen).await.refused(409, "not_trusted");
        pin(one).await.refused(409, "not_trusted");
        let listed = fleet.get("/v1/services/default/web/releases").await.ok();
        let trusted = |release: &Value| (release["seq"].as_u64().unwrap(), release["trusted"].as_bool().unwrap());
        let listed: Vec<_> = listed["items"].as_array().unwrap().iter().map(trusted).collect();
        assert_eq!(listed, [(LAST, false), (4, true), (3, true), (1, false)]);

        // A root that lists the old key again: what it signed counts again.
        let key = fleet.release_key.public();
        let next = fleet.root_with(3, |roles| {
            roles.release.insert("default".parse().unwrap(), Role::of(key));
        });
        fleet.lay_root(3, &next);
        agent.is_told_root(&fleet, 3).await;
        fleet.post("/v1/services/default/web/resume", json!({})).await.ok();
        assert_eq!(fleet.get("/v1/services/default/web").await.ok()["release"], json!(stolen));
    }

    async fn a9_with_an_older_root_than_another_replica_nothing_is_registered(fleet) {
        let mut fleet = fleet;
        fleet.global("web", json!({"matchLabels": {"env": "prod"}})).await;
        let publisher = fleet.publisher("ci", "default").await;
        fleet.stop().await;
        fleet.lay_root(2, &fleet.next_root(2, &fleet.desired_key));
        fleet.start(&[]).await;
        fleet.publish(&publisher, "default/web", 1).await;
        fleet.stop().await;
        std::fs::remove_file(fleet.path("root/2.json")).unwrap();
        fleet.start(&[]).await;
        fleet.roots_are(200, "root 2 counts in this fleet already").await;
        let two = fleet.release("default/web", 2);
        assert_eq!(fleet.register(&publisher, two.clone()).await.status, 503);
        fleet.lay_root(2, &fleet.next_root(2, &fleet.desired_key));
        fleet.roots_are(200, "").await;
        for _ in 0..600 {
            if fleet.register(&publisher, two.clone()).await.status == 201 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("the release is never registered");
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
async fn an_origin_that_root_does_not_allow_is_said_before_every_agent_says_it() {
    let fleet = Fleet::on_sqlite().await;
    let only = |host: &str| vec![host.to_owned()];
    fleet.lay_root(2, &fleet.root_of(2, |root| root.origin_hosts = only("cdn.example.net")));
    fleet.roots_are(200, "https://cdn.example.com, and root 2 allows no origin on its host").await;
    fleet.lay_root(3, &fleet.root_of(3, |root| root.origin_hosts = only("cdn.example.com")));
    fleet.roots_are(200, "").await;
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
    // One is missing on the way to a later one.
    fleet.stop().await;
    fleet.lay_root(4, b"any");
    fleet.start(&[]).await;
    fleet.roots_are(200, "3.json is missing, while").await;
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
