//! `windlass-agent` as a process.

use std::process::Command;

const BINARY: &str = env!("CARGO_BIN_EXE_windlass-agent");

fn run(arguments: &[&str]) -> (i32, String) {
    let output = Command::new(BINARY).env_clear().args(arguments).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap(), String::from_utf8(text).unwrap())
}

#[test]
fn why_it_ends_is_said_once() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    let (state, target) = (format!("--state={}", at("state")), format!("--target=directory:{}", at("target")));
    let (code, text) = run(&["--api=http://127.0.0.1:1", &state, &target, "--observe-listen=off"]);
    assert_eq!((code, text.matches("has not joined yet").count()), (1, 1), "{text}");
}
