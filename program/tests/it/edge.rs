//! The example program as a process: signals, environment, logs and locks are only real from outside.

use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::far::{Far, answer};

pub(crate) struct Edge {
    pub(crate) state: TempDir,
    command: Command,
}

impl Edge {
    pub(crate) fn new() -> Self {
        let state = tempfile::tempdir().unwrap();
        let mut command = Command::new(binary());
        command.env_clear().args(["--observe-listen", "off", "--state-dir"]).arg(state.path());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Self { state, command }
    }

    pub(crate) fn args(mut self, args: &[&str]) -> Self {
        self.command.args(args);
        self
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    /// Runs until it has worked itself into readiness, sends the signals, and waits for the end.
    pub(crate) fn stop_with(mut self, signals: &[&str]) -> (Output, Duration) {
        let child = self.command.spawn().unwrap();
        let lock = self.state.path().join("lock");
        wait_for(|| std::fs::read_to_string(&lock).is_ok_and(|text| !text.is_empty()));
        let begun = Instant::now();
        for signal in signals {
            let sent = Command::new("kill").args([*signal, &child.id().to_string()]).status().unwrap();
            assert!(sent.success());
            // Two signals at the same instant are one to the kernel.
            std::thread::sleep(Duration::from_millis(200));
        }
        (ended(child), begun.elapsed())
    }

    /// Runs to its own end.
    pub(crate) fn output(mut self) -> Output {
        ended(self.command.spawn().unwrap())
    }
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

pub(crate) fn wait_for(mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !condition() {
        assert!(Instant::now() < deadline, "the condition did not come true within 20 s");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// What a process left, or its end by force if it stays.
fn ended(mut child: Child) -> Output {
    let deadline = Instant::now() + Duration::from_secs(20);
    while child.try_wait().unwrap().is_none() {
        if Instant::now() > deadline {
            child.kill().unwrap();
            panic!("the process did not end within 20 s: {:?}", child.wait_with_output().unwrap());
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    child.wait_with_output().unwrap()
}

fn binary() -> PathBuf {
    let this = std::env::current_exe().unwrap();
    let path = this.parent().and_then(|deps| deps.parent()).unwrap().join("examples/edge");
    assert!(path.exists(), "{} is missing: run `cargo test -p program`, which builds it", path.display());
    path
}

#[test]
fn off_a_terminal_every_log_line_is_json() {
    let (output, _) = Edge::new().stop_with(&["-TERM"]);
    let log = text(&output.stderr);
    assert!(output.status.success(), "{log}");
    assert!(log.lines().count() >= 2, "{log}");
    assert!(log.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()), "{log}");
    assert!(log.contains("SIGTERM"), "{log}");
}

#[test]
fn log_level_and_format_are_settings() {
    let (output, _) =
        Edge::new().args(&["--log-format", "text", "--log-level", "warn,edge=info"]).stop_with(&["-INT"]);
    let log = text(&output.stderr);
    assert!(log.contains(" INFO edge: started") && !log.contains("stopping"), "{log}");
    let output = Edge::new().args(&["--log-level", "loud"]).output();
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("error, warn, info, debug, trace"), "{}", text(&output.stderr));
}

#[test]
fn a_second_signal_ends_at_once_and_says_what_was_left() {
    let (output, took) = Edge::new().args(&["--linger", "1h"]).stop_with(&["-TERM", "-TERM"]);
    assert!(took < Duration::from_secs(10), "{took:?}");
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("these tasks had not ended: work"), "{}", text(&output.stderr));
}

#[test]
fn the_environment_stands_between_flags_and_file() {
    let interval = |edge: Edge| {
        let (output, _) = edge.stop_with(&["-TERM"]);
        let log = text(&output.stderr);
        let at = log.find("interval_seconds\":").unwrap_or_else(|| panic!("no interval in {log}"));
        log[at + 18..].chars().take_while(char::is_ascii_digit).collect::<String>()
    };
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "interval = \"11s\"\n").unwrap();
    let config = file.path().to_str().unwrap();
    assert_eq!(interval(Edge::new()), "120");
    assert_eq!(interval(Edge::new().env("WINDLASS_CONFIG", config)), "11");
    let with_env = || Edge::new().args(&["--config", config]).env("WINDLASS_INTERVAL", "12s");
    assert_eq!(interval(with_env()), "12");
    assert_eq!(interval(with_env().args(&["--interval", "13s"])), "13");
}

#[test]
fn k2_a_bad_unit_in_the_environment_ends_with_code_2_and_the_units() {
    let output = Edge::new().env("WINDLASS_INTERVAL", "12 parsecs").output();
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("--interval") && said.contains("the units are ms, s, m, h, d"), "{said}");
}

#[test]
fn k2_check_config_says_ok_on_stdout_and_starts_nothing() {
    let edge = Edge::new().args(&["--check-config"]);
    let lock = edge.state.path().join("lock");
    let output = edge.output();
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(0), "configuration ok\n".to_owned()));
    assert!(!lock.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn g5_a_proxy_of_the_environment_is_used_and_no_proxy_excepts_from_it() {
    let proxy = Far::saying(answer("200 OK", "", "by proxy")).await;
    let direct = Far::saying(answer("200 OK", "", "directly")).await;
    let fetch = |url: String, excepted: &'static str| {
        let edge =
            Edge::new().args(&["--fetch", &url]).env("HTTP_PROXY", &proxy.url("")).env("NO_PROXY", excepted);
        tokio::task::spawn_blocking(move || edge.stop_with(&["-TERM"]))
    };
    fetch("http://content.example/x".to_owned(), "").await.unwrap();
    assert!(proxy.heads()[0].starts_with("get http://content.example/x "), "{:?}", proxy.heads());
    fetch(direct.url("/y"), "127.0.0.1").await.unwrap();
    assert_eq!((proxy.heads().len(), direct.heads().len()), (1, 1));
}

#[test]
fn k2_a_variable_that_is_almost_a_setting_is_told_once_and_refused_never() {
    let edge = Edge::new()
        .env("WINDLASS_INTERVALL", "a secret")
        .env("WINDLASS_API_SERVICE_HOST", "10.0.0.1")
        .env("WINDLASS_API_PORT", "tcp://10.0.0.1:443");
    let (output, _) = edge.stop_with(&["-TERM"]);
    let log = text(&output.stderr);
    assert!(output.status.success(), "{log}");
    assert!(log.contains("WINDLASS_INTERVALL is no setting of this program"), "{log}");
    assert!(log.contains("did you mean WINDLASS_INTERVAL?"), "{log}");
    assert!(log.matches("WINDLASS_INTERVALL").count() == 1 && !log.contains("WINDLASS_API"), "{log}");
    assert!(!log.contains("a secret"), "{log}");
}
