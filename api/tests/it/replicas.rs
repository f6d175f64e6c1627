//! Several replicas on one database: what one of them did is never undone by another that was slow, and all of them tell
//! one document a sequence.

use std::time::Duration;

use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::json;
use sqlx::{Connection, PgConnection};
use testbed::{Process, Program, Ready};
use tokio::task::JoinSet;

use crate::agent::{Agent, Polled};
use crate::fleet::{Fleet, until};
use crate::program::beside;

/// A replica that stands still in the middle of a pass, while another one serves.
struct Slow {
    process: Process,
    url: String,
    /// Has the table of sets locked, so that every pass waits once it has read services and clusters.
    lock: PgConnection,
}

impl Slow {
    async fn start(fleet: &Fleet) -> Self {
        let (process, url) = beside(fleet).await;
        let lock = PgConnection::connect(&fleet.database).await.unwrap();
        Self { process, url, lock }
    }

    /// Lets the slow replica begin a pass by the first request, and the other one overtake it by the second.
    async fn is_overtaken(&mut self, first: RequestBuilder, second: RequestBuilder) {
        self.lock("begin").await;
        self.lock("lock table documents in access exclusive mode").await;
        let (mut slow, mut fast) = (JoinSet::new(), JoinSet::new());
        slow.spawn(first.send());
        let waiting = "select count(*) from pg_locks where not granted and relation = 'documents'::regclass";
        self.until(waiting, 1).await;
        self.process.pause().unwrap();
        let catalog = self.number("select catalog from fleet").await;
        fast.spawn(second.send());
        self.until("select catalog from fleet", catalog + 1).await;
        self.lock("rollback").await;
        assert!(fast.join_all().await.into_iter().all(|said| said.unwrap().status().is_success()));
        self.process.resume().unwrap();
        // Its pass had begun, so what it was asked for is written; only its answer may come too late on a slow machine.
        let late = |status: StatusCode| status == StatusCode::SERVICE_UNAVAILABLE;
        let answers = slow.join_all().await.into_iter().map(|said| said.unwrap().status());
        assert!(answers.into_iter().all(|status| status.is_success() || late(status)));
    }

    async fn lock(&mut self, sql: &'static str) {
        sqlx::query(sql).execute(&mut self.lock).await.unwrap();
    }

    async fn number(&mut self, sql: &'static str) -> i64 {
        sqlx::query_as::<_, (i64,)>(sql).fetch_one(&mut self.lock).await.unwrap().0
    }

    async fn until(&mut self, sql: &'static str, least: i64) {
        let what = format!("{sql} stays below {least}");
        until(&what, async || (self.number(sql).await >= least).then_some(())).await;
    }

    /// Whatever it had begun is over: it serves who joins there after that, and no service changes by it.
    async fn goes_on(&mut self, fleet: &mut Fleet) {
        let here = std::mem::replace(&mut fleet.url, self.url.clone());
        fleet.join("late", json!({})).await;
        fleet.url = here;
    }
}

fn prod() -> serde_json::Value {
    json!({"matchLabels": {"env": "prod"}})
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h12_a_pass_that_began_before_an_undo_does_not_take_it_back() {
    let mut fleet = Fleet::on_postgres().await;
    fleet.global("web", prod()).await;
    let publisher = fleet.publisher("ci", "default").await;
    let one = fleet.publish(&publisher, "default/web", 1).await;
    let mut agent = fleet.join("site-1", json!({"env": "prod"})).await;
    let before = agent.has_news(&fleet).await;
    let mut slow = Slow::start(&fleet).await;
    let release = fleet.http.post(format!("{}/v1/releases", slow.url)).bearer_auth(&publisher);
    let undo = fleet.http.post(format!("{}/v1/services/default/web/undo", fleet.url));
    let undo = undo.bearer_auth(&fleet.admin);
    slow.is_overtaken(release.body(fleet.release("default/web", 2)), undo).await;
    slow.goes_on(&mut fleet).await;
    assert_eq!(
        fleet.get("/v1/clusters/site-1").await.ok()["seq"],
        before.desired.seq,
        "nothing was assigned"
    );
    assert_eq!(fleet.get("/v1/services/default/web").await.ok()["release"], json!(one));
    for url in [fleet.url.clone(), slow.url.clone()] {
        fleet.url = url;
        agent.has_no_news(&fleet).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h12_a_pass_of_one_cluster_that_began_before_its_service_left_does_not_bring_it() {
    let mut fleet = Fleet::on_postgres().await;
    fleet.global("web", prod()).await;
    let publisher = fleet.publisher("ci", "default").await;
    fleet.publish(&publisher, "default/web", 1).await;
    let mut agent = fleet.join("site-1", json!({"env": "test"})).await;
    let before = agent.has_news(&fleet).await;
    assert!(before.services().is_empty());
    let mut slow = Slow::start(&fleet).await;
    let patch = fleet.http.patch(format!("{}/v1/clusters/site-1", slow.url)).bearer_auth(&fleet.admin);
    let put =
        fleet.http.put(format!("{}/v1/global-services/default/web", fleet.url)).bearer_auth(&fleet.admin);
    let elsewhere = json!({"source": "repo", "path": "web", "namespace": "app",
        "selector": {"matchLabels": {"env": "else"}}});
    slow.is_overtaken(patch.json(&json!({"labels": {"env": "prod"}})), put.json(&elsewhere)).await;
    slow.goes_on(&mut fleet).await;
    assert_eq!(
        fleet.get("/v1/clusters/site-1").await.ok()["seq"],
        before.desired.seq,
        "nothing was assigned"
    );
    agent.has_no_news(&fleet).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_that_were_started_with_other_origins_tell_one_document() {
    let mut fleet = Fleet::on_postgres().await;
    let mut agent = fleet.join("site-1", json!({})).await;
    let before = agent.has_news(&fleet).await.desired;
    let (newer, stop) = fleet.another(&["--origins=https://elsewhere.example.com"]).await;
    let older = std::mem::replace(&mut fleet.url, format!("http://{}", newer.address));
    let after = agent.has_news(&fleet).await.desired;
    assert!(after.seq > before.seq && after.origins.len() > before.origins.len(), "{after:?}");
    // The one that was there before says the same, by its own signature.
    fleet.url = older;
    agent.has_no_news(&fleet).await;
    let (held, etag) = (agent.held.take(), agent.has_news(&fleet).await.desired);
    assert_eq!(held.unwrap().desired, etag);
    assert_eq!(fleet.get("/v1/whoami").await.ok()["origins"], json!(after.origins));
    stop.cancel();
    newer.wait().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d9_two_agents_that_each_poll_a_replica_of_their_own_are_told_apart() {
    let mut fleet = Fleet::on_postgres().await;
    let mut agent = fleet.join("site-1", json!({})).await;
    agent.has_news(&fleet).await;
    let mut copy = agent.twin();
    "00000000000000b2".clone_into(&mut copy.start);
    let (other, stop) = fleet.another(&[]).await;
    let urls = [fleet.url.clone(), format!("http://{}", other.address)];
    let both = async || {
        let mut refused = 0;
        for (one, url) in [&mut agent, &mut copy].into_iter().zip(&urls) {
            fleet.url.clone_from(url);
            refused += u32::from(is_refused(one, &fleet).await);
        }
        (refused == 2).then_some(())
    };
    until("one of them is told something", both).await;
    assert!(fleet.get("/v1/clusters/site-1").await.ok()["duplicate_since"].is_string());
    fleet.post("/v1/clusters/site-1/recover", json!({})).await.ok();
    copy.has_news(&fleet).await;
    stop.cancel();
    other.wait().await.unwrap();
}

async fn is_refused(agent: &mut Agent, fleet: &Fleet) -> bool {
    match agent.poll(fleet).await {
        Polled::NotModified => false,
        Polled::Refused(said) => {
            said.refused(409, "duplicate_identity");
            true
        }
        Polled::News => panic!("there is no news"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_that_is_restarted_often_between_two_replicas_is_no_duplicate() {
    let mut fleet = Fleet::on_postgres().await;
    let mut agent = fleet.join("site-1", json!({})).await;
    agent.has_news(&fleet).await;
    let (other, stop) = fleet.another(&[]).await;
    let urls = [fleet.url.clone(), format!("http://{}", other.address)];
    for round in 0..60_usize {
        // Now here, now there, and anew now and then: before, while and after the replicas hear of each other.
        agent.start = format!("{:016x}", round / 7 + 1);
        fleet.url.clone_from(&urls[round % 3 % 2]);
        agent.has_no_news(&fleet).await;
        tokio::time::sleep(Duration::from_millis(70)).await;
    }
    assert_eq!(fleet.get("/v1/clusters/site-1").await.ok().get("duplicate_since"), None);
    stop.cancel();
    other.wait().await.unwrap();
}

/// All of it happens under the lock that every writer of every replica waits for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_a_hundred_thousand_clusters_run_is_deleted_by_one_request() {
    let fleet = Fleet::on_postgres().await;
    fleet.global("web", prod()).await;
    let mut database = PgConnection::connect(&fleet.database).await.unwrap();
    for sql in [
        "insert into clusters (id, name, labels, projects, own_values, state, credential, key, joined_at, agent, seq,
           changed_at, extras, stale, change, agent_start, reported_number, reported_seq, sync, health, services, holds,
           version)
         select 'cl-' || lpad(to_hex(n), 32, '0'), 'mass-' || n, '{}', '[]', '{}', 'active', 'c' || n, 'k', 0, '', 0,
           0, '', 0, 0, 0, 0, 0, 'unknown', 'unknown', 0, 0, 1 from generate_series(1, 100000) as n",
        "insert into running (cluster, service, sync, health)
         select id, 'default/web', 'synced', 'healthy' from clusters",
    ] {
        sqlx::query(sql).execute(&mut database).await.unwrap();
    }
    let path = "/v1/services/default/web?mode=orphan";
    let gone = fleet.send(Method::DELETE, path, &fleet.admin, None).await.ok();
    assert_eq!(gone["removals"], 100_000);
    let open = fleet.get("/v1/removals?limit=1000").await.ok();
    assert_eq!(open["items"].as_array().unwrap().len(), 1_000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d8_what_a_clock_that_was_ahead_has_said_is_known_to_every_replica() {
    let mut fleet = Fleet::on_postgres().await;
    let mut agent = fleet.join("site-1", json!({})).await;
    agent.has_news(&fleet).await;
    let (other, stop) = fleet.another(&[]).await;
    let mut ahead = agent.report();
    ahead.number = 4_000_000_000_000;
    agent.send(&fleet, &ahead).await.ok();
    // The other one's memory knows nothing of it: its database does.
    fleet.url = format!("http://{}", other.address);
    let behind = agent.report();
    let problem = agent.send(&fleet, &behind).await.refused(409, "report_outdated");
    let mut next = agent.report();
    next.number = problem["number"].as_u64().unwrap() + 1;
    agent.send(&fleet, &next).await.ok();
    let cluster = fleet.get("/v1/clusters/site-1").await.ok();
    assert_eq!(cluster["report"]["number"], 4_000_000_000_001_u64);
    stop.cancel();
    other.wait().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_replicas_sign_the_same_payload_and_hear_of_each_other() {
    let fleet = Fleet::on_postgres().await;
    let mut agent = fleet.join("site-1", json!({})).await;
    let (other, stop) = fleet.another(&[]).await;
    agent.has_news(&fleet).await;
    let mut fleet = fleet;
    let first = std::mem::replace(&mut fleet.url, format!("http://{}", other.address));
    agent.has_no_news(&fleet).await;
    fleet.global("web", json!({"matchExpressions": [{"key": "none", "operator": "DoesNotExist"}]})).await;
    let publisher = fleet.publisher("ci", "default").await;
    fleet.publish(&publisher, "default/web", 1).await;
    fleet.url = first;
    let news = async || match agent.poll(&fleet).await {
        Polled::News => Some(()),
        Polled::NotModified => None,
        Polled::Refused(said) => panic!("{said:?}"),
    };
    until("no news of the other one", news).await;
    assert_eq!(agent.held.as_ref().unwrap().services(), ["default/web"]);
    stop.cancel();
    other.wait().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_credential_made_by_another_replica_is_looked_up_once() {
    let fleet = Fleet::on_postgres().await;
    let (other, stop) = fleet.another(&[]).await;
    let here = fleet.url.clone();
    let mut fleet = fleet;
    fleet.url = format!("http://{}", other.address);
    let token = fleet.join_token(json!({})).await;
    let joined = fleet.join_with(&token, "site-1").await.unwrap();
    fleet.url = here;
    Agent::new(&fleet, &joined).has_news(&fleet).await;
    stop.cancel();
    other.wait().await.unwrap();
}

/// Each would tell what the other does not know.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_api_on_one_sqlite_file_is_refused_until_the_first_one_has_ended() {
    let mut fleet = Fleet::on_sqlite().await;
    let mut agent = fleet.join("site-1", json!({})).await;
    agent.has_news(&fleet).await;
    let program = Program::new("windlass-api", env!("CARGO_BIN_EXE_windlass-api"));
    let mut second = program.args(&fleet.arguments()[1..]).start(Ready::AtOnce).await.unwrap();
    assert_eq!(second.wait(Duration::from_secs(20)).await.unwrap(), 1);
    let log = second.log();
    let holder = format!("api.db is in use by process {}", std::process::id());
    for says in [&holder, "serves one api alone", "use PostgreSQL for several replicas"] {
        assert!(log.contains(says), "{says}: {log}");
    }
    agent.has_no_news(&fleet).await;
    for _ in 0..3 {
        fleet.stop().await;
        fleet.start(&[]).await;
    }
    agent.has_no_news(&fleet).await;
    fleet.stop().await;
    let (mut next, url) = beside(&fleet).await;
    fleet.url = url;
    agent.has_no_news(&fleet).await;
    assert_eq!(next.stop().await.unwrap(), 0);
}
