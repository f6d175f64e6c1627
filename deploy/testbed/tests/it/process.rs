//! How programs start, say why they did not, and end.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use testbed::{Program, Ready};

fn shell(script: &str) -> Program {
    Program::new("script", "/bin/sh").args(["-c", script])
}

#[tokio::test]
async fn a_program_that_ends_too_soon_shows_its_log() {
    let soon = shell("echo what went wrong >&2; exit 3").start(Ready::Line("ready".to_owned())).await;
    let said = format!("{:#}", soon.expect_err("it never becomes ready"));
    assert!(said.contains("exit code 3") && said.contains("what went wrong"), "{said}");
    let missing = Program::new("missing", "/nowhere/missing").start(Ready::Line("ready".to_owned())).await;
    let said = format!("{:#}", missing.expect_err("it is not there"));
    assert!(said.contains("exit code 127") && said.contains("/nowhere/missing"), "{said}");
    let late = shell("sleep 60")
        .ready_within(Duration::from_millis(200))
        .start(Ready::Line("ready".to_owned()))
        .await;
    let said = format!("{:#}", late.expect_err("it says nothing"));
    assert!(said.contains("runs, but not after 200ms"), "{said}");
}

#[tokio::test]
async fn a_program_sees_only_what_it_was_given() {
    let mut process = shell("env; pwd").env("GIVEN", "this").start(Ready::AtOnce).await.expect("it starts");
    assert_eq!(process.wait(Duration::from_secs(10)).await.expect("it ends"), 0);
    let log = process.log();
    assert!(log.contains("GIVEN=this") && log.contains("PATH=") && !log.contains("CARGO"), "{log}");
    assert!(log.contains(process.folder().to_str().expect("the path is text")), "{log}");
}

#[tokio::test]
async fn a_program_is_stopped_killed_and_started_again() {
    let script = "trap 'echo asked; exit 5' TERM; echo ready; while :; do sleep 0.05; done";
    let mut process = shell(script).start(Ready::Line("ready".to_owned())).await.expect("it starts");
    process.start_again().await.expect_err("it runs already");
    assert_eq!(process.stop().await.expect("it ends"), 5);
    assert!(process.log().contains("asked") && !process.is_running());
    let first = process.id();
    process.start_again().await.expect("it starts again");
    assert!(process.is_running() && process.id() != first);
    process.kill().await.expect("it is killed");
    assert_eq!(process.wait(Duration::ZERO).await.expect("it has ended"), 137);
    assert_eq!(process.log().matches("ready").count(), 2);
}

#[tokio::test]
async fn dropping_it_ends_the_program_and_its_children() {
    let process = shell("sleep 600 & echo child $!; wait")
        .start(Ready::Line("child".to_owned()))
        .await
        .expect("it starts");
    let child: u32 =
        process.log().trim().rsplit(' ').next().and_then(|id| id.parse().ok()).expect("it tells its child");
    let (parent, folder) = (process.id(), process.folder().to_owned());
    assert!(alive(parent) && alive(child));
    drop(process);
    until("both are gone", || !alive(parent) && !alive(child)).await;
    assert!(!folder.exists());
}

/// The whole of `testbed up`, and nobody left to clean up after it.
#[tokio::test]
async fn nothing_outlives_a_test_process_that_is_killed() {
    let mut up = Command::new(env!("CARGO_BIN_EXE_testbed"))
        .arg("up")
        .stdout(Stdio::piped())
        .spawn()
        .expect("testbed starts");
    let lines = BufReader::new(up.stdout.take().expect("it has a stdout")).lines().map_while(Result::ok);
    let (told, _) = tokio::task::spawn_blocking(move || {
        let mut lines = lines;
        let told: Vec<String> = lines.by_ref().take_while(|line| !line.contains("Ctrl-C")).collect();
        (told, lines)
    })
    .await
    .expect("its words are read");
    let kubeconfig =
        told.iter().find_map(|line| line.split_once("KUBECONFIG=")).expect("it tells a kubeconfig").1;
    let workplace: PathBuf = Path::new(kubeconfig).ancestors().nth(2).expect("a run has a folder").to_owned();
    let parts = running_in(&workplace);
    for name in ["etcd", "kube-apiserver", "kube-scheduler", "kwok", "weed", "postgres", "nginx"] {
        assert!(parts.iter().any(|(_, command)| command.contains(name)), "{name} runs: {parts:?}");
    }
    up.kill().expect("it is killed");
    up.wait().expect("it is gone");
    until("all parts and their files are gone", || running_in(&workplace).is_empty() && !workplace.exists())
        .await;
}

/// The processes that name a folder in their arguments or run in it.
fn running_in(folder: &Path) -> BTreeSet<(u32, String)> {
    let processes = std::fs::read_dir("/proc").expect("there is /proc").filter_map(|entry| {
        let path = entry.ok()?.path();
        let id = path.file_name()?.to_str()?.parse().ok()?;
        let command = String::from_utf8_lossy(&std::fs::read(path.join("cmdline")).ok()?).replace('\0', " ");
        let runs_there = std::fs::read_link(path.join("cwd")).is_ok_and(|cwd| cwd.starts_with(folder));
        (runs_there || command.contains(folder.to_str()?)).then_some((id, command))
    });
    processes.collect()
}

/// A zombie is not alive: its parent has only not looked yet.
fn alive(id: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{id}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < Duration::from_secs(20), "not after 20 s: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
