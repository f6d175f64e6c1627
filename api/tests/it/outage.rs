//! The database or the store is away, slow or full: polls go on, writes say so, and nothing has to be restarted.

use std::fs::{File, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use cdn::document::{Hold, HoldReason, Report};
use cdn::secret::{Token, TokenKind};
use cdn::wire::PollAnswer;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::agent::Agent;
use crate::fleet::{Fleet, start_time};

/// Who waits for the database waits for ten seconds.
const AT_ONCE: Duration = Duration::from_secs(5);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h6_polls_go_on_while_the_database_answers_nothing() {
    let mut postgres = testbed::Postgres::start().await.unwrap();
    let database = postgres.create_database("api").await.unwrap();
    let fleet = Fleet::on(database).await;
    let mut agent = fleet.join("site-1", json!({})).await;
    agent.has_news(&fleet).await;
    postgres.pause().unwrap();
    for _ in 0..50 {
        let polled = tokio::time::timeout(AT_ONCE, agent.has_no_news(&fleet)).await;
        polled.expect("a poll waits for nothing");
    }
    assert_eq!(fleet.readiness().await.status, 200);
    postgres.resume().unwrap();
    fleet.get("/v1/clusters").await.ok();

    // And when it is gone altogether, and back.
    postgres.kill().await.unwrap();
    agent.has_no_news(&fleet).await;
    let said = fleet.get("/v1/clusters").await;
    assert!([500, 503].contains(&said.status.as_u16()), "{said:?}");
    agent.has_no_news(&fleet).await;
    degraded(&fleet, "database").await;
    postgres.start_again().await.unwrap();
    for _ in 0..200 {
        if fleet.get("/v1/clusters").await.status.is_success() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    fleet.join("site-2", json!({})).await.has_news(&fleet).await;
}

/// `/readyz` comes to show why a part does not work.
async fn degraded(fleet: &Fleet, part: &str) -> String {
    comes_to_show(fleet, part, |why| why.as_str().map(str::to_owned)).await
}

/// `/readyz` comes to show that a part works.
async fn works(fleet: &Fleet, part: &str) {
    comes_to_show(fleet, part, |why| why.is_null().then_some(())).await;
}

/// What `/readyz` shows of a part in the end; it says all the while that the api is ready.
async fn comes_to_show<T>(fleet: &Fleet, part: &str, read: impl Fn(&Value) -> Option<T>) -> T {
    for _ in 0..600 {
        let said = fleet.readiness().await;
        assert_eq!((said.status.as_u16(), &said.body["ready"]), (200, &json!(true)), "{said:?}");
        let parts = said.body["parts"].as_array().unwrap();
        let shown = parts.iter().find(|shown| shown["name"] == part).unwrap();
        if let Some(state) = read(&shown["why"]) {
            return state;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("`{part}` is not shown as it is")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h6_polls_with_news_do_not_wait_for_the_database_either() {
    let postgres = testbed::Postgres::start().await.unwrap();
    let database = postgres.create_database("api").await.unwrap();
    let mut fleet = Fleet::on(database).await;
    let mut agents = Vec::new();
    for n in 0..12 {
        let mut agent = fleet.join(&format!("site-{n}"), json!({})).await;
        let change = json!({"values": {"default": {"region": format!("eu-{n}")}}});
        fleet.send(Method::PATCH, &format!("/v1/clusters/site-{n}"), &fleet.admin, Some(change)).await.ok();
        let held = agent.has_news(&fleet).await;
        assert_eq!(held.objects.len(), 2, "set and values ride along");
        agents.push(agent);
    }
    // What was read once rides along still; what is one cluster's own is fetched from the CDN then.
    fleet.clock.advance(Duration::from_hours(13));
    postgres.pause().unwrap();
    for brought in news_of_all(&fleet, &agents).await {
        assert!(brought.objects.len() == 1, "the set is in memory: {:?}", brought.objects.keys());
    }
    assert_eq!(fleet.readiness().await.status, 200);
    postgres.resume().unwrap();
    // Nothing at all was read before.
    fleet.stop().await;
    fleet.start(&[]).await;
    postgres.pause().unwrap();
    news_of_all(&fleet, &agents).await;
    postgres.resume().unwrap();
    for agent in &mut agents {
        agent.held = None;
        agent.has_news(&fleet).await;
    }
}

/// All ask at once, and each must be told its news.
async fn news_of_all(fleet: &Fleet, agents: &[Agent]) -> Vec<PollAnswer> {
    let mut polls = JoinSet::new();
    for agent in agents {
        let poll = fleet.http.get(format!("{}/v1/desired", fleet.url)).bearer_auth(&agent.credential);
        polls.spawn(async move {
            let answer = tokio::time::timeout(AT_ONCE, poll.send()).await;
            let answer = answer.expect("a poll waits for nothing").unwrap();
            assert_eq!(answer.status(), 200);
            serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap()
        });
    }
    polls.join_all().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h7_a_flood_of_reports_is_bounded_and_none_that_was_taken_is_lost() {
    let postgres = testbed::Postgres::start().await.unwrap();
    let database = postgres.create_database("api").await.unwrap();
    let fleet = Fleet::on(database).await;
    let mut requests = Vec::new();
    for n in 0..40 {
        let mut agent = fleet.join(&format!("site-{n}"), json!({})).await;
        agent.has_news(&fleet).await;
        let body = cdn::json::canonical_of(&large_report(&mut agent));
        assert!(body.len() > 800_000);
        let request = fleet.http.post(format!("{}/v1/report", fleet.url)).bearer_auth(&agent.credential);
        requests.push(request.body(body));
    }
    postgres.pause().unwrap();
    let mut sends = JoinSet::new();
    for (n, request) in requests.into_iter().enumerate() {
        sends.spawn(async move { (n, request.send().await.unwrap().status().as_u16()) });
    }
    let (mut taken, mut refused) = (Vec::new(), Vec::new());
    while let Some(said) = sends.join_next().await {
        match said.unwrap() {
            (n, 429) => refused.push(n),
            (n, 204) => taken.push(n),
            other => panic!("{other:?}"),
        }
        if taken.len() + refused.len() == 20 {
            postgres.resume().unwrap();
        }
    }
    assert!(refused.len() >= 20 && taken.len() >= 10, "{} refused, {} taken", refused.len(), taken.len());
    for (numbers, stored) in [(taken, json!(1)), (refused, json!(null))] {
        for n in numbers {
            let cluster = fleet.get(&format!("/v1/clusters/site-{n}")).await.ok();
            assert_eq!(cluster["report"]["number"], stored, "site-{n}");
        }
    }
}

/// Nearly as large as a report may be.
fn large_report(agent: &mut Agent) -> Report {
    let hold = Hold {
        reason: HoldReason::ApplyFailed,
        service: None,
        object: None,
        message: "x".repeat(450),
        since: start_time(),
        digest: None,
    };
    Report { holds: vec![hold; 1_600], ..agent.report() }
}

/// Sends the head of a request and the beginning of its body, and nothing more.
async fn drip(fleet: &Fleet, path: &str, token: &str) -> TcpStream {
    let mut stream = TcpStream::connect(fleet.url.strip_prefix("http://").unwrap()).await.unwrap();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\ncontent-length: 900\r\n\r\n{{"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h7_who_sends_slowly_takes_no_room_from_others() {
    let mut fleet = Fleet::on_sqlite().await;
    fleet.stop().await;
    fleet.start(&["--max-requests=4"]).await;
    let mut agent = fleet.join("site-1", json!({})).await;
    agent.has_news(&fleet).await;
    let join = fleet.join_token(json!({})).await;
    let mut open = Vec::new();
    for _ in 0..16 {
        open.push(drip(&fleet, "/v1/join", &join).await);
    }
    for _ in 0..8 {
        open.push(drip(&fleet, "/v1/report", &agent.credential).await);
    }
    // The ninth of one cluster is refused, which shows that eight are under way. A report that came before one of the
    // eight took its place, so one more is opened after each.
    let report = agent.report();
    for rounds in 1.. {
        let said = agent.send(&fleet, &report).await;
        if said.status == 429 {
            said.refused(429, "slow_down");
            break;
        }
        assert!(rounds < 64, "no report is refused, however many are under way");
        open.push(drip(&fleet, "/v1/report", &agent.credential).await);
    }
    fleet.join("site-2", json!({})).await.has_news(&fleet).await;
    drop(open);
    for _ in 0..200 {
        if agent.send(&fleet, &report).await.status == 204 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the places were not given back");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d5_a_network_that_has_guessed_enough_does_not_reach_the_database() {
    let mut postgres = testbed::Postgres::start().await.unwrap();
    let database = postgres.create_database("api").await.unwrap();
    let fleet = Fleet::on(database).await;
    let publisher = fleet.publisher("ci", "default").await;
    let wanted = async |token: &str| fleet.send(Method::GET, "/v1/wanted", token, None).await;
    wanted(&publisher).await.ok();
    let guess = |kind| Token::random(kind, Some(fleet.trust.fleet())).secret().expose().to_owned();
    for _ in 0..60 {
        wanted(&guess(TokenKind::Publisher)).await.refused(401, "unknown_credential");
    }
    wanted(&publisher).await.ok();
    postgres.pause().unwrap();
    let refusals = async {
        wanted(&guess(TokenKind::Publisher)).await.refused(429, "slow_down");
        fleet.join_with(&guess(TokenKind::Join), "site-1").await.unwrap_err().refused(429, "slow_down");
    };
    tokio::time::timeout(AT_ONCE, refusals).await.expect("nothing is asked of the database");
    postgres.resume().unwrap();
    postgres.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h1_beyond_its_bound_the_api_sheds_and_polls_go_on() {
    let mut postgres = testbed::Postgres::start().await.unwrap();
    let database = postgres.create_database("api").await.unwrap();
    let mut fleet = Fleet::on(database).await;
    fleet.stop().await;
    fleet.start(&["--max-requests=4"]).await;
    let mut agent = fleet.join("site-1", json!({})).await;
    agent.has_news(&fleet).await;
    postgres.pause().unwrap();
    let mut sends = JoinSet::new();
    for _ in 0..20 {
        let request = fleet.http.get(format!("{}/v1/clusters", fleet.url)).bearer_auth(&fleet.admin);
        sends.spawn(async move { request.send().await });
    }
    for _ in 0..16 {
        let answer = sends.join_next().await.unwrap().unwrap().unwrap();
        assert_eq!(answer.status(), 503);
        let after: u64 = answer.headers()["retry-after"].to_str().unwrap().parse().unwrap();
        assert!((5..35).contains(&after), "{after}");
    }
    agent.has_no_news(&fleet).await;
    postgres.resume().unwrap();
    while let Some(answer) = sends.join_next().await {
        assert_eq!(answer.unwrap().unwrap().status(), 200);
    }
    postgres.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i3_on_a_full_disk_writes_are_refused_and_polls_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let disk = Mounted::small(folder.path().join("disk"));
    let fleet = Fleet::on(disk.0.join("api.db").display().to_string()).await;
    let mut agent = fleet.join("site-1", json!({})).await;
    agent.has_news(&fleet).await;
    fill(&disk.0.join("filler"));
    let mut refused = None;
    // What room SQLite has left in its own files is used up first.
    for _ in 0..10_000 {
        let said = fleet.post("/v1/join-tokens", json!({"labels": {"text": "x".repeat(60)}})).await;
        if !said.status.is_success() {
            refused = Some(said);
            break;
        }
    }
    let refused = refused.expect("a write is refused where the disk is full");
    refused.refused(507, "database_full");
    until_there_is_room(&fleet, &mut agent, || std::fs::remove_file(disk.0.join("filler")).unwrap()).await;
    fleet.join_token(json!({})).await;
    drop(fleet);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i3_on_a_full_disk_of_postgresql_reports_are_refused_and_polls_go_on() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
    let disk = Mounted::small(folder.path().join("disk"));
    assert!(Command::new("chown").arg("postgres").arg(&disk.0).status().unwrap().success());
    let postgres = testbed::Postgres::start().await.unwrap();
    let database = postgres.create_database("api").await.unwrap();
    let name = database.rsplit('/').next().unwrap().to_owned();
    let fleet = Fleet::on(database).await;
    let tablespace = format!("create tablespace small location '{}'", disk.0.display());
    postgres.sql(&name, &tablespace).await.unwrap();
    postgres.sql(&name, "alter table holds set tablespace small").await.unwrap();
    let mut agent = fleet.join("site-1", json!({})).await;
    agent.has_news(&fleet).await;
    fill(&disk.0.join("filler"));
    until_there_is_room(&fleet, &mut agent, || std::fs::remove_file(disk.0.join("filler")).unwrap()).await;
}

/// A report is refused, reads and polls go on, and `/readyz` says why; until there is room again and something was
/// written.
async fn until_there_is_room(fleet: &Fleet, agent: &mut Agent, make_room: impl FnOnce()) {
    let report = large_report(agent);
    let refused = async || {
        let refused = agent.send(fleet, &report).await.refused(507, "database_full");
        assert!(refused["detail"].as_str().unwrap().contains("Free space"), "{refused}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    // Once at least, and again: a write of the api's own may be so small that it still finds room.
    refused().await;
    let again = async {
        loop {
            refused().await;
        }
    };
    let why = tokio::select! {
        why = degraded(fleet, "database") => why,
        () = again => String::new(),
    };
    assert!(why.contains("disk is full") && why.contains("free space"), "{why}");
    agent.has_no_news(fleet).await;
    let held = agent.held.take();
    agent.has_news(fleet).await;
    assert_eq!(
        agent.held.as_ref().unwrap().objects.len(),
        held.unwrap().objects.len(),
        "the set rides along"
    );
    assert_eq!(fleet.get("/v1/clusters/site-1").await.ok()["report"], json!(null));
    make_room();
    agent.send(fleet, &report).await.ok();
    works(fleet, "database").await;
    assert_eq!(fleet.get("/v1/clusters/site-1").await.ok()["report"]["number"], report.number);
}

on_both! {
    async fn while_the_store_is_away_writes_are_kept_and_assigned_when_it_is_back(fleet) {
        let mut agent = fleet.join("site-1", json!({"env": "prod"})).await;
        agent.has_news(&fleet).await;
        fleet.global("web", json!({"matchLabels": {"env": "prod"}})).await;
        let publisher = fleet.publisher("ci", "default").await;
        let (objects, away) = (fleet.path("store/v1/o"), fleet.path("away"));
        std::fs::rename(&objects, &away).unwrap();
        std::fs::write(&objects, "not a folder").unwrap();
        let release = fleet.publish(&publisher, "default/web", 1).await;
        agent.has_no_news(&fleet).await;
        degraded(&fleet, "assign").await;
        agent.reports(&fleet, &[], Vec::new()).await;
        let shown = fleet.get("/v1/clusters/site-1").await;
        let notice = shown.notice.clone().unwrap_or_default();
        assert!(notice.contains("clusters keep their assignments"), "{notice}");
        assert_eq!(shown.ok()["sync"], "pending", "nobody can say that it runs what is wanted");
        let others = fleet.send(Method::GET, "/v1/wanted", &publisher, None).await;
        assert_eq!((others.status.as_u16(), others.notice), (200, None), "a reason names the store");
        std::fs::remove_file(&objects).unwrap();
        std::fs::rename(&away, &objects).unwrap();
        // The next write of anybody serves it too, and the loop would in a few seconds.
        fleet.post("/v1/services/default/web/resume", json!({})).await.ok();
        assert_eq!(agent.has_news(&fleet).await.release("default/web"), Some(release));
        agent.reports(&fleet, &[], Vec::new()).await;
        let shown = fleet.get("/v1/clusters/site-1").await;
        assert_eq!(shown.notice, None);
        assert_eq!(shown.ok()["sync"], "synced");
    }
}

fn fill(path: &Path) {
    let mut file = File::create(path).unwrap();
    while file.write_all(&[0; 4096]).is_ok() {}
}

/// A small disk of its own.
struct Mounted(PathBuf);

impl Mounted {
    fn small(path: PathBuf) -> Self {
        std::fs::create_dir(&path).unwrap();
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", "size=4m", "tmpfs"]).arg(&path).status();
        assert!(mount.unwrap().success(), "a tmpfs can be mounted by root");
        Self(path)
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        Command::new("umount").arg("-l").arg(&self.0).status().unwrap();
    }
}
