//! `windlass-mirror` as a process.

use std::process::Command;
use std::time::Duration;

use cdn::{Digest, Key};
use program::http::{Bounds, Client, Request, Settings};
use testbed::{Program, Ready};

const BINARY: &str = env!("CARGO_BIN_EXE_windlass-mirror");

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_serves_counts_and_ends_when_it_is_told_to() {
    let folder = tempfile::tempdir().unwrap();
    let key = Key::Object(Digest::of(b"content"));
    let path = folder.path().join(key.path());
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, "content").unwrap();
    let (port, observe) = (testbed::free_port().unwrap(), testbed::free_port().unwrap());
    let program = Program::new("windlass-mirror", BINARY)
        .arg("--directory")
        .arg(folder.path())
        .args(["--listen", &format!("127.0.0.1:{port}")])
        .env("WINDLASS_OBSERVE_LISTEN", format!("127.0.0.1:{observe}"));
    let mut process = program.start(Ready::Http(format!("http://127.0.0.1:{observe}/readyz"))).await.unwrap();
    let client = Client::new(&Settings::new("windlass-test/1")).unwrap();
    let get = async |url: String| {
        let bounds = Bounds::new(100_000, Duration::from_secs(10));
        String::from_utf8(client.fetch(Request::get(url), bounds).await.unwrap().body.to_vec()).unwrap()
    };
    assert_eq!(get(format!("http://127.0.0.1:{port}{key}")).await, "content");
    let metrics = get(format!("http://127.0.0.1:{observe}/metrics")).await;
    assert!(metrics.contains("windlass_mirror_responses_total{status=\"200\"} 1"), "{metrics}");
    assert!(metrics.contains("windlass_mirror_body_bytes_total 7"), "{metrics}");
    assert_eq!(process.stop().await.unwrap(), 0, "{}", process.log());
}

/// A probe takes a site's mirror out of service while its disk is away, and back when it returns.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_that_is_gone_is_said_by_readyz_until_it_is_back() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("store");
    std::fs::create_dir(&folder).unwrap();
    let observe = testbed::free_port().unwrap();
    let ready = format!("http://127.0.0.1:{observe}/readyz");
    let program = Program::new("windlass-mirror", BINARY).arg("--directory").arg(&folder).args([
        "--listen",
        "127.0.0.1:0",
        "--observe-listen",
        &format!("127.0.0.1:{observe}"),
    ]);
    let mut process = program.start(Ready::Http(ready.clone())).await.unwrap();
    let client = Client::new(&Settings::new("windlass-test/1")).unwrap();
    let until = async |wanted: u16, says: &str| {
        for _ in 0..600 {
            let bounds = Bounds::new(100_000, Duration::from_secs(10));
            let page = client.fetch(Request::get(ready.clone()), bounds).await.unwrap();
            let body = String::from_utf8_lossy(&page.body).into_owned();
            if page.status.as_u16() == wanted {
                assert!(body.contains(says), "{body}");
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("/readyz never answers {wanted}");
    };
    std::fs::remove_dir(&folder).unwrap();
    until(503, &format!("{}: no such folder", folder.display())).await;
    std::fs::create_dir(&folder).unwrap();
    until(200, "folder").await;
    assert_eq!(process.stop().await.unwrap(), 0, "{}", process.log());
}

fn run(arguments: &[&str]) -> (i32, String) {
    let output = Command::new(BINARY).env_clear().args(arguments).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap(), String::from_utf8(text).unwrap())
}

#[test]
fn settings_of_no_use_are_refused_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().to_str().unwrap();
    let (code, text) = run(&["--directory", folder, "--tls-key-file", "/k"]);
    assert!(code == 2 && text.contains("given together"), "{code} {text}");
    let (code, text) =
        run(&["--directory", "/nowhere/at/all", "--listen", "127.0.0.1:0", "--observe-listen", "off"]);
    assert!(code == 1 && text.contains("/nowhere/at/all: no such folder"), "{code} {text}");
    let (code, text) = run(&["--directory", folder, "--check-config"]);
    assert!(code == 0 && text.contains("configuration ok"), "{code} {text}");
    let (code, text) = run(&["--directory", "/nowhere/at/all", "--check-config"]);
    assert!(code == 2 && text.contains("/nowhere/at/all: no such folder"), "{code} {text}");
    let keys = ["--tls-certificate-file", "/nowhere/c.pem", "--tls-key-file", "/nowhere/k.pem"];
    let (code, text) = run(&[&["--directory", folder, "--check-config"], &keys[..]].concat());
    assert!(code == 2 && text.contains("/nowhere/c.pem"), "{code} {text}");
    let (code, text) = run(&["--help"]);
    assert!(code == 0 && text.contains("Example: windlass-mirror"), "{code} {text}");
}
