//! The program as it is shipped: it starts, serves, is observed, ends in order, and never shows a credential.

use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use serde_json::json;
use testbed::{Process, Program, Ready, free_port};

use crate::fleet::{Fleet, until};

/// The program on the same folder and database as a fleet whose own api is stopped.
pub(crate) async fn program(fleet: &mut Fleet, more: &[&str]) -> (Process, String) {
    fleet.stop().await;
    let (process, url, observe) = started(fleet, more).await;
    fleet.url = url;
    (process, observe)
}

/// The program as another replica of a fleet, and where it serves.
pub(crate) async fn beside(fleet: &Fleet) -> (Process, String) {
    let (process, url, _) = started(fleet, &[]).await;
    (process, url)
}

async fn started(fleet: &Fleet, more: &[&str]) -> (Process, String, String) {
    let (port, shown) = (free_port().unwrap(), free_port().unwrap());
    let observe = format!("http://127.0.0.1:{shown}");
    let listen = format!("--listen=127.0.0.1:{port}");
    let observed = format!("--observe-listen=127.0.0.1:{shown}");
    let process = Program::new("windlass-api", env!("CARGO_BIN_EXE_windlass-api"))
        .args(fleet.arguments().iter().filter(|argument| !argument.contains("listen=")).skip(1))
        .args([listen, observed])
        .args(more)
        .start(Ready::Http(format!("{observe}/readyz")))
        .await
        .unwrap();
    (process, format!("http://127.0.0.1:{port}"), observe)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_counts_polls_names_no_cluster_and_ends_in_order() {
    let mut fleet = Fleet::on_sqlite().await;
    let (mut process, observe) = program(&mut fleet, &[]).await;
    let mut agent = fleet.join("site-1", json!({})).await;
    agent.has_news(&fleet).await;
    for _ in 0..3 {
        agent.has_no_news(&fleet).await;
    }
    let metrics = fleet.http.get(format!("{observe}/metrics")).send().await.unwrap().text().await.unwrap();
    assert!(metrics.contains("windlass_polls_total{result=\"not_modified\"} 3"), "{metrics}");
    assert!(metrics.contains("windlass_polls_total{result=\"news\"} 1"), "{metrics}");
    assert!(
        !metrics.contains(agent.id.as_str()) && !metrics.contains("site-1"),
        "h8: no label names a cluster"
    );
    let mode = std::fs::metadata(fleet.path("admin-token")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(process.stop().await.unwrap(), 0, "{}", process.log());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn l13_a_database_that_is_empty_is_said_and_holds_are_counted_of_none_too() {
    let mut fleet = Fleet::on_sqlite().await;
    let (mut process, observe) = program(&mut fleet, &[]).await;
    until("the holds are counted", async || {
        let metrics =
            fleet.http.get(format!("{observe}/metrics")).send().await.unwrap().text().await.unwrap();
        metrics.contains("windlass_holds{reason=\"PruneBudget\"} 0").then_some(())
    })
    .await;
    process.stop().await.unwrap();
    let log = process.log();
    assert!(log.contains(fleet.path("api.db").to_str().unwrap()) && !log.contains("was empty"), "{log}");
    std::fs::rename(fleet.path("api.db"), fleet.path("elsewhere.db")).unwrap();
    let (mut process, _) = beside(&fleet).await;
    process.stop().await.unwrap();
    assert!(process.log().contains("the database was empty"), "{}", process.log());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d6_no_credential_is_in_the_log_at_trace() {
    let mut fleet = Fleet::on_sqlite().await;
    let (mut process, _) = program(&mut fleet, &["--log-level=trace"]).await;
    let join = fleet.join_token(json!({})).await;
    let mut agent = crate::agent::Agent::new(&fleet, &fleet.join_with(&join, "site-1").await.unwrap());
    agent.has_news(&fleet).await;
    let next = agent.renew(&fleet).await;
    let publisher = fleet.publisher("ci", "default").await;
    fleet.send(reqwest::Method::GET, "/v1/wanted", &publisher, None).await.ok();
    fleet.send(reqwest::Method::GET, "/v1/clusters", &publisher, None).await;
    let report = agent.report();
    agent.send(&fleet, &report).await.ok();
    assert_eq!(process.stop().await.unwrap(), 0);
    let log = process.log();
    assert!(log.contains("/v1/join") && log.len() > 10_000, "the log is at trace: {} bytes", log.len());
    for secret in [&join, &agent.credential, &next, &publisher, &fleet.admin] {
        // Whole, or the part that opens something.
        let random = secret.rsplit('_').nth(1).unwrap();
        assert!(!log.contains(random), "a credential is in the log: {}...", &secret[..4]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i1_what_was_acknowledged_is_there_after_it_was_killed() {
    let mut fleet = Fleet::on_sqlite().await;
    let (mut process, _) = program(&mut fleet, &[]).await;
    let token = fleet.join_token(json!({"max_uses": 100, "approve": true})).await;
    let mut agents = Vec::new();
    for round in 0..3 {
        for n in 0..5 {
            let joined = fleet.join_with(&token, &format!("site-{round}-{n}")).await.unwrap();
            agents.push(crate::agent::Agent::new(&fleet, &joined));
        }
        process.kill().await.unwrap();
        process.start_again().await.unwrap();
        for agent in &mut agents {
            agent.held = None;
            agent.has_news(&fleet).await;
        }
    }
    process.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn k2_settings_that_cannot_be_are_refused_with_the_next_step() {
    let mut fleet = Fleet::on_sqlite().await;
    fleet.stop().await;
    let other = cdn::SigningKey::random();
    std::fs::write(fleet.path("other-key"), other.to_text().expose()).unwrap();
    let key = format!("--desired-key={}", fleet.path("other-key").display());
    let token = format!("--admin-token-file={}", fleet.path("other-key").display());
    for (wrong, says) in [
        (key.as_str(), "does not list the public half"),
        (token.as_str(), "other-key"),
        ("--root=nowhere", "read root 1 from nowhere"),
        ("--origins=ftp://x", "is not an origin"),
        ("--database=postgres://host/db?password=x", "holds a password"),
        ("--tls-certificate-file=x", "are given together"),
        ("--poll-interval=1s", "must be between"),
        ("--poll-intervall=1m", "--poll-interval"),
    ] {
        let flag = wrong.split('=').next().unwrap();
        let usual =
            fleet.arguments().iter().filter(|argument| argument.split('=').next() != Some(flag)).skip(1);
        let program = || Program::new("windlass-api", env!("CARGO_BIN_EXE_windlass-api"));
        for more in [vec![wrong], vec![wrong, "--check-config"]] {
            let program = program().args(usual.clone()).args(&more);
            let mut process = program.start(Ready::AtOnce).await.unwrap();
            assert_ne!(process.wait(Duration::from_secs(20)).await.unwrap(), 0, "{more:?}");
            assert!(process.log().contains(says), "{more:?}: {}", process.log());
        }
    }
    let elsewhere = format!("--database={}", fleet.path("none.db").display());
    let program = Program::new("windlass-api", env!("CARGO_BIN_EXE_windlass-api"));
    let usual = fleet.arguments().iter().filter(|argument| !argument.starts_with("--database")).skip(1);
    let program = program.args(usual).args([elsewhere.as_str(), "--check-config"]);
    let mut process = program.start(Ready::AtOnce).await.unwrap();
    assert_eq!(process.wait(Duration::from_secs(20)).await.unwrap(), 0, "{}", process.log());
    assert!(!fleet.path("none.db").exists(), "a check makes nothing");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i5_a_damaged_database_is_refused_with_the_next_step() {
    let mut fleet = Fleet::on_sqlite().await;
    for n in 0..20 {
        fleet.join_token(json!({"labels": {"n": n.to_string()}})).await;
    }
    fleet.stop().await;
    let path = fleet.path("api.db");
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    for page in bytes[4_096..middle].chunks_mut(4_096) {
        page[..64].fill(0xa5);
    }
    std::fs::write(&path, bytes).unwrap();
    let program = Program::new("windlass-api", env!("CARGO_BIN_EXE_windlass-api"));
    let mut process = program.args(&fleet.arguments()[1..]).start(Ready::AtOnce).await.unwrap();
    assert_eq!(process.wait(Duration::from_secs(20)).await.unwrap(), 1);
    assert!(process.log().contains("put the last backup in its place"), "{}", process.log());
}
