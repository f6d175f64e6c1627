//! `windlass-agent` as a process.

use std::ffi::OsStr;
use std::process::Command;

use axum::http::StatusCode;
use testbed::{Process, Program, Ready};

use crate::fleet::config;
use crate::shown::{page, until_why};
use crate::site::Site;

pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_windlass-agent");

fn run(arguments: &[impl AsRef<OsStr>]) -> (i32, String) {
    let output = Command::new(BINARY).env_clear().args(arguments).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap(), String::from_utf8(text).unwrap())
}

#[test]
fn why_it_ends_is_said_once() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    let (state, target) =
        (format!("--state={}", at("state")), format!("--target=directory:{}", at("target")));
    let (code, text) = run(&["--api=http://127.0.0.1:1", &state, &target, "--observe-listen=off"]);
    assert_eq!((code, text.matches("has not joined yet").count()), (1, 1), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn l13_the_log_names_what_drifted_and_stays_short() {
    let mut site = Site::new().await;
    let many: Vec<_> = (0..12).map(|n| config(&format!("c{n:02}"), "1")).collect();
    site.fleet.publish("web", &many);
    site.assign().await;
    let repair = |damaged: usize| {
        for n in 0..damaged {
            std::fs::write(site.path("web", &format!("c{n:02}")), "damaged").unwrap();
        }
        let arguments: Vec<String> = site.arguments().into_iter().chain(["once".to_owned()]).collect();
        let (code, text) = run(&arguments);
        assert_eq!(code, 0, "{text}");
        let line = text.lines().find(|line| line.contains("drift is repaired"));
        line.unwrap_or_else(|| panic!("no such line in {text}")).to_owned()
    };
    let line = repair(1);
    assert!(line.contains("default/web: ConfigMap/web/c00\""), "{line}");
    let line = repair(12);
    assert_eq!((line.matches("ConfigMap").count(), line.contains(", and 2 more")), (10, true), "{line}");
}

/// The agent of a site, once it is ready, and the port that it is observed at.
async fn start(site: &Site) -> (Process, u16) {
    let port = testbed::free_port().unwrap();
    let program = Program::new("windlass-agent", BINARY)
        .args(site.arguments().iter().filter(|argument| !argument.starts_with("--observe-listen")))
        .args([format!("--observe-listen=127.0.0.1:{port}")]);
    let process = program.start(Ready::Http(format!("http://127.0.0.1:{port}/readyz"))).await.unwrap();
    (process, port)
}

/// The api tells this cluster nothing until a person has looked: an alert at the site must find it too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn l13_what_the_api_holds_against_a_cluster_is_a_hold_at_its_site_until_it_answers_again() {
    let mut site = Site::new().await;
    site.fleet.publish("web", &[config("a", "1")]);
    site.assign().await;
    let (process, port) = start(&site).await;
    for (code, reason) in [("duplicate_identity", "DuplicateIdentity"), ("agent_ahead", "AgentAhead")] {
        let gauge = |held: u8| format!("windlass_holds{{reason=\"{reason}\"}} {held}");
        let body = format!(r#"{{"code": "{code}", "title": "conflict", "detail": "look", "status": 409}}"#);
        site.wire.far().broken = Some((StatusCode::CONFLICT, body));
        until_why(port, "network", &format!("{reason}: ")).await;
        let (_, metrics) = page(port, "/metrics").await;
        assert!(metrics.contains(&gauge(1)), "{metrics}");
        site.wire.far().broken = None;
        until_why(port, "network", "").await;
        let (_, metrics) = page(port, "/metrics").await;
        assert!(metrics.contains(&gauge(0)), "{metrics}");
    }
    drop(process);
}

/// An alert on what never happened yet must find it at zero.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_metric_is_there_from_the_start_though_nothing_is_to_do() {
    let mut site = Site::new().await;
    site.fleet.publish("web", &[config("a", "1")]);
    site.assign().await;
    let (process, port) = start(&site).await;
    let (_, metrics) = page(port, "/metrics").await;
    for line in [
        "windlass_sync_passes_total{result=\"complete\"} ",
        "windlass_sync_passes_total{result=\"failed\"} 0",
        "windlass_objects{state=\"synced\"} 1",
        "windlass_apply_seconds_count 0",
        "windlass_prune_held 0",
        "windlass_last_success_timestamp_seconds 1",
        "windlass_content_bytes_total{kind=\"full\"} 0",
        "windlass_content_bytes_total{kind=\"cached\"} 0",
        "windlass_verify_failures_total{reason=\"NotSigned\"} 0",
    ] {
        let name = line.split(['{', ' ']).next().unwrap().trim_end_matches("_count");
        let help = format!("# HELP {name} ");
        for line in [line, &help] {
            assert!(metrics.lines().any(|one| one.starts_with(line)), "{line} is not in {metrics}");
        }
    }
    drop(process);
}

#[tokio::test]
async fn k2_check_config_looks_into_what_is_named_and_makes_nothing() {
    let site = Site::new().await;
    let (folder, checked) = (tempfile::tempdir().unwrap(), ["--check-config".to_owned()]);
    let check = |more: &str| run(&[&site.arguments(), &checked[..], &[more.to_owned()]].concat());
    let (code, text) = check("--log-level=info");
    assert!(code == 0 && text.contains("configuration ok"), "{code} {text}");
    assert!(!site.state().exists() && !site.target().exists());
    let wrong = folder.path().join("wrong");
    std::fs::write(&wrong, "wrong").unwrap();
    let (wrong, gone) = (wrong.display().to_string(), folder.path().join("gone").display().to_string());
    for (setting, file) in [
        ("--ca-file", &gone),
        ("--ca-file", &wrong),
        ("--root", &gone),
        ("--root", &wrong),
        ("--origin-token-file", &format!("cdn.example.com={gone}")),
    ] {
        let (code, text) = check(&format!("{setting}={file}"));
        let named = file.rsplit('=').next().unwrap();
        assert!(code == 2 && text.contains(named), "{setting}={file}: {code} {text}");
    }
    // The one setting that is given already.
    std::fs::write(site.token_file(), "wrong").unwrap();
    let (code, text) = check("--log-level=info");
    assert!(code == 2 && text.contains("--join-token-file"), "{code} {text}");
    // Once it has joined, nobody needs the token.
    std::fs::create_dir(site.state()).unwrap();
    std::fs::write(site.state().join("identity.json"), "").unwrap();
    assert_eq!(check("--log-level=info").0, 0);
    std::fs::remove_dir_all(site.state()).unwrap();
    std::fs::write(site.token_file(), site.wire.token.secret().expose()).unwrap();
    for folder in [site.target(), site.state()] {
        std::fs::write(&folder, "").unwrap();
        let (code, text) = check("--log-level=info");
        assert!(code == 2 && text.contains(&folder.display().to_string()), "{code} {text}");
    }
}
