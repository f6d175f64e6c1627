//! Every write leaves a row in the audit log: of every route that the description lists, and of what nobody asked for.

use std::collections::BTreeSet;

use cdn::Digest;
use reqwest::Method;
use serde_json::{Value, json};

use crate::agent::Agent;
use crate::fleet::{Fleet, hold};

/// A report is a cluster's word of itself and no act: its last one is kept with the cluster, and a row for each would
/// bury the acts of people.
const NO_ACT: &str = "POST /v1/report";

/// Reads the log as it grows.
struct Log<'a> {
    fleet: &'a Fleet,
    /// The newest row that has been read.
    last: Value,
    /// The operations that have left one.
    seen: BTreeSet<String>,
}

impl<'a> Log<'a> {
    async fn read(fleet: &'a Fleet) -> Self {
        let mut log = Self { fleet, last: Value::Null, seen: BTreeSet::new() };
        log.last = log.newest().await[0].clone();
        log
    }

    async fn newest(&self) -> [Value; 2] {
        let page = self.fleet.get("/v1/audit?limit=2").await.ok();
        [0, 1].map(|n| page["items"][n].clone())
    }

    /// The operation has left exactly one row since the last one was read; gives its object.
    async fn has(&mut self, operation: &str, who: &str, verb: &str) -> String {
        self.seen.insert(operation.to_owned());
        self.grows(operation, who, verb).await
    }

    /// The same of what is no operation.
    async fn grows(&mut self, by: &str, who: &str, verb: &str) -> String {
        let [new, before] = self.newest().await;
        assert_ne!(new, self.last, "{by} leaves a row");
        assert_eq!(before, self.last, "{by} leaves one row");
        assert_eq!((new["who"].as_str(), new["verb"].as_str()), (Some(who), Some(verb)), "{by}: {new}");
        self.last = new.clone();
        new["object"].as_str().unwrap().to_owned()
    }

    async fn has_no_more(&self, operation: &str) {
        assert_eq!(self.newest().await[0], self.last, "{operation} leaves none");
    }

    async fn posts(&mut self, operation: &str, path: &str, body: Value, verb: &str) -> Value {
        let said = self.fleet.post(path, body).await.ok();
        self.has(operation, "admin", verb).await;
        said
    }

    async fn deletes(&mut self, operation: &str, path: &str, verb: &str) {
        let said = self.fleet.send(Method::DELETE, path, &self.fleet.admin, None).await;
        assert!(said.status.is_success(), "{said:?}");
        self.has(operation, "admin", verb).await;
    }
}

/// Every operation of the description that is no `GET`.
async fn writes(fleet: &Fleet) -> BTreeSet<String> {
    let description = fleet.get("/v1/openapi.json").await.ok();
    let paths = description["paths"].as_object().unwrap().iter();
    let operations = paths.flat_map(|(path, item)| {
        let methods = item.as_object().unwrap().keys().filter(|method| *method != "get");
        methods.map(move |method| format!("{} {path}", method.to_uppercase()))
    });
    operations.collect()
}

on_both! {
    /// A new route that leaves none fails here, and so does one that nobody has added here.
    async fn every_write_leaves_an_audit_row(fleet) {
        let mut log = Log::read(&fleet).await;
        catalog(&mut log).await;
        let agent = joins(&mut log).await;
        follows(&mut log).await;
        let agent = is_marked(&mut log, agent).await;
        goes(&mut log, agent).await;
        let mut expected = writes(&fleet).await;
        assert!(expected.remove(NO_ACT) && expected.len() > 20, "{expected:?}");
        assert_eq!(log.seen, expected, "each of these was tried, and left a row");
        let all = fleet.get("/v1/audit?limit=1000").await.ok().to_string();
        for kind in ["wla_", "wlc_", "wlj_", "wlp_"] {
            assert!(!all.contains(kind), "a token is in the audit log: {all}");
        }
    }
}

/// Sources, services, and what a publisher says of them.
async fn catalog(log: &mut Log<'_>) {
    let fleet = log.fleet;
    fleet.source("default").await;
    log.has("PUT /v1/sources/{project}/{name}", "admin", "source.put").await;
    fleet.global("web", json!({"matchLabels": {"env": "prod"}})).await;
    // The source was put again as well, which is a write.
    log.last = log.newest().await[1].clone();
    log.has("PUT /v1/global-services/{project}/{name}", "admin", "service.put").await;
    let spec = json!({"source": "repo", "namespace": "app", "clusters": []});
    fleet.put("/v1/services/default/tides", spec).await.ok();
    log.has("PUT /v1/services/{project}/{name}", "admin", "service.put").await;
    let publisher = fleet.publisher("ci", "default").await;
    let id = log.has("POST /v1/publishers", "admin", "publisher.create").await;
    for seq in [1, 2] {
        fleet.publish(&publisher, "default/web", seq).await;
        log.has("POST /v1/releases", "publisher:ci", "release.register").await;
    }
    let status = json!({"service": "default/web", "outcome": "refused", "message": "not in the allow list"});
    fleet.send(Method::POST, "/v1/publish-status", &publisher, Some(status)).await.ok();
    log.has("POST /v1/publish-status", "publisher:ci", "service.publish-status").await;
    let path = format!("/v1/publishers/{id}/revoke");
    log.posts("POST /v1/publishers/{id}/revoke", &path, json!({}), "publisher.revoke").await;
}

/// A cluster joins, is approved, and renews its credential.
async fn joins(log: &mut Log<'_>) -> Agent {
    let fleet = log.fleet;
    let body = json!({"max_uses": 2, "labels": {"env": "prod"}});
    let made = log.posts("POST /v1/join-tokens", "/v1/join-tokens", body, "join-token.create").await;
    let id = made["id"].as_str().unwrap().to_owned();
    let joined = fleet.join_with(made["token"].as_str().unwrap(), "site-1").await.unwrap();
    log.has("POST /v1/join", &format!("join:{id}"), "cluster.join").await;
    let path = format!("/v1/join-tokens/{id}/revoke");
    log.posts("POST /v1/join-tokens/{id}/revoke", &path, json!({}), "join-token.revoke").await;
    let path = "/v1/clusters/site-1/approve";
    log.posts("POST /v1/clusters/{cluster}/approve", path, json!({}), "cluster.approve").await;
    let mut agent = Agent::new(fleet, &joined);
    let who = format!("cluster:{}", agent.id);
    agent.has_news(fleet).await;
    log.has_no_more("a poll").await;
    agent.credential = agent.renew(fleet).await;
    log.has("POST /v1/renew", &who, "cluster.renew").await;
    agent.has_no_news(fleet).await;
    log.grows("the first use of a credential", &who, "cluster.promote").await;
    agent
}

/// Which release a service runs.
async fn follows(log: &mut Log<'_>) {
    let path = |verb: &str| format!("/v1/services/default/web/{verb}");
    let operation = |verb: &str| format!("POST /v1/services/{{project}}/{{name}}/{verb}");
    let latest = log.fleet.get("/v1/services/default/web").await.ok()["latest"].clone();
    log.posts(&operation("undo"), &path("undo"), json!({}), "service.undo").await;
    log.posts(&operation("pin"), &path("pin"), json!({"release": latest}), "service.pin").await;
    log.posts(&operation("resume"), &path("resume"), json!({}), "service.resume").await;
}

/// What only a person resolves: the api marks it, and a person takes the mark away.
async fn is_marked(log: &mut Log<'_>, mut agent: Agent) -> Agent {
    let fleet = log.fleet;
    let operation = "POST /v1/clusters/{cluster}/recover";
    agent.has_news(fleet).await;
    let mut copy = agent.twin();
    "00000000000000b2".clone_into(&mut copy.start);
    copy.has_no_news(fleet).await;
    agent.has_no_news(fleet).await;
    copy.is_refused(fleet, 409, "duplicate_identity").await;
    log.grows("two agents with one identity", "api", "cluster.duplicate").await;
    agent.is_refused(fleet, 409, "duplicate_identity").await;
    log.has_no_more("what is marked already").await;
    log.posts(operation, "/v1/clusters/site-1/recover", json!({}), "cluster.recover").await;

    let held = agent.has_news(fleet).await;
    agent.held.as_mut().unwrap().desired.seq += 86_400_000;
    for _ in 0..2 {
        agent.is_refused(fleet, 409, "agent_ahead").await;
    }
    log.grows("an agent that is ahead", "api", "cluster.ahead").await;
    log.posts(operation, "/v1/clusters/site-1/recover", json!({}), "cluster.recover").await;
    agent.held = Some(held);
    agent.has_news(fleet).await;
    agent
}

/// Holds and removals, and the end of all.
async fn goes(log: &mut Log<'_>, mut agent: Agent) {
    let fleet = log.fleet;
    let digest = Digest::of(b"exactly these objects");
    agent.reports(fleet, &[], vec![hold(digest)]).await;
    log.has_no_more(NO_ACT).await;
    let path = format!("/v1/holds/{digest}/approve");
    log.posts("POST /v1/holds/{digest}/approve", &path, json!({}), "hold.approve").await;
    let change = json!({"labels": {"env": "test"}});
    fleet.send(Method::PATCH, "/v1/clusters/site-1", &fleet.admin, Some(change)).await.ok();
    log.has("PATCH /v1/clusters/{cluster}", "admin", "cluster.patch").await;
    let removal = json!({"cluster": "site-1", "service": "default/web", "mode": "orphan"});
    log.posts("POST /v1/removals", "/v1/removals", removal, "removal.create").await;
    let path = "/v1/clusters/site-1/revoke";
    log.posts("POST /v1/clusters/{cluster}/revoke", path, json!({}), "cluster.revoke").await;
    log.deletes("DELETE /v1/clusters/{cluster}", "/v1/clusters/site-1", "cluster.delete").await;
    let service = |kind: &str, name: &str| {
        let operation = format!("DELETE /v1/{kind}/{{project}}/{{name}}");
        (operation, format!("/v1/{kind}/default/{name}?mode=orphan"))
    };
    for (operation, path) in [service("global-services", "web"), service("services", "tides")] {
        log.deletes(&operation, &path, "service.delete").await;
    }
    log.deletes("DELETE /v1/sources/{project}/{name}", "/v1/sources/default/repo", "source.delete").await;
}
