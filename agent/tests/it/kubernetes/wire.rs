//! What no well API server says: the far side of the wire is played here.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use agent::kubernetes::Kubernetes;
use agent::target::{KubernetesSettings, Seen, Served, Target};
use anyhow::Result;
use cdn::document::HoldReason;
use serde_json::json;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::{address, kind};

/// Answers each request with the next of these, and the last one from then on.
struct Played {
    target: Target,
    asked: Arc<Mutex<Vec<String>>>,
    _folder: TempDir,
    _tasks: JoinSet<()>,
}

impl Played {
    async fn new(answers: &[&str]) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let folder = TempDir::new()?;
        let kubeconfig = folder.path().join("kubeconfig");
        let config = json!({"apiVersion": "v1", "kind": "Config", "current-context": "a",
            "contexts": [{"name": "a", "context": {"cluster": "a", "user": "a"}}],
            "clusters": [{"name": "a", "cluster": {"server": format!("http://{}", listener.local_addr()?)}}],
            "users": [{"name": "a", "user": {}}]});
        std::fs::write(&kubeconfig, config.to_string())?;
        let answers: Arc<Mutex<VecDeque<String>>> =
            Arc::new(Mutex::new(answers.iter().map(|answer| (*answer).to_owned()).collect()));
        let asked = Arc::new(Mutex::new(Vec::new()));
        let mut tasks = JoinSet::new();
        let log = Arc::clone(&asked);
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(play(stream, Arc::clone(&answers), Arc::clone(&log)));
            }
        });
        let settings = KubernetesSettings {
            kubeconfig: Some(kubeconfig),
            context: None,
            namespace: "windlass-system".to_owned(),
            request_timeout: Duration::from_secs(5),
        };
        let target = Target::Kubernetes(Kubernetes::connect(&settings).await?);
        Ok(Self { target, asked, _folder: folder, _tasks: tasks })
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("no test panics with it").clone()
    }
}

async fn play(stream: TcpStream, answers: Arc<Mutex<VecDeque<String>>>, log: Arc<Mutex<Vec<String>>>) {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    let mut first = String::new();
    while stream.read_line(&mut line).await.is_ok_and(|read| read > 0) {
        if first.is_empty() {
            first = line.trim_end().to_owned();
        }
        if line == "\r\n" {
            log.lock().expect("no test panics with it").push(std::mem::take(&mut first));
            let answer = {
                let mut answers = answers.lock().expect("no test panics with it");
                if answers.len() > 1 { answers.pop_front() } else { answers.front().cloned() }
            };
            if stream.write_all(answer.unwrap_or_default().as_bytes()).await.is_err() {
                return;
            }
        }
        line.clear();
    }
}

fn answer(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\n{headers}content-length: {}\r\n\r\n{body}", body.len())
}

fn namespace() -> String {
    let body =
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "kube-system", "uid": "u-1"}});
    answer("200 OK", "", &body.to_string())
}

#[tokio::test]
async fn f29_a_server_that_asks_to_wait_is_asked_again_then() -> Result<()> {
    let busy = answer("429 Too Many Requests", "retry-after: 1\r\n", "");
    let played = Played::new(&[&busy, &namespace()]).await?;
    let started = Instant::now();
    assert_eq!(played.target.home().await?, "u-1");
    assert!(started.elapsed() >= Duration::from_secs(1), "{:?}", started.elapsed());
    assert_eq!(played.asked().len(), 2);
    Ok(())
}

#[tokio::test]
async fn f29_a_server_that_asks_to_wait_for_long_is_left_alone_by_all() -> Result<()> {
    let busy = answer("429 Too Many Requests", "retry-after: 3600\r\n", "");
    let played = Played::new(&[&busy]).await?;
    let started = Instant::now();
    for _ in 0..3 {
        let refused = played.target.home().await.expect_err("it has too much to do");
        assert_eq!((refused.reason, refused.retry), (HoldReason::ApplyFailed, true));
    }
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    assert_eq!(played.asked().len(), 1, "nobody asks again while it is to be left alone");
    Ok(())
}

#[tokio::test]
async fn a_503_is_not_asked_again() -> Result<()> {
    let played = Played::new(&[&answer("503 Service Unavailable", "", "")]).await?;
    played.target.home().await.expect_err("it does not work");
    assert_eq!(played.asked().len(), 1);
    Ok(())
}

#[tokio::test]
async fn f2_answers_without_sense_are_unknown() -> Result<()> {
    let strange =
        ["", "{}", "null", "<html>", r#"{"kind":"APIResourceList","groupVersion":"","resources":[]}"#];
    for body in strange {
        let played = Played::new(&[&answer("200 OK", "", body)]).await?;
        let thing = kind("things.dev", "v1", "Thing");
        let served = played.target.served(&[thing.clone()].into()).await;
        assert!(matches!(served[&thing], Served::Unknown(_)), "{body}: {served:?}");
    }
    Ok(())
}

#[tokio::test]
async fn f1_a_404_for_a_group_that_is_registered_elsewhere_proves_nothing() -> Result<()> {
    let service = json!({"metadata": {"name": "v1.things.dev"}, "spec": {"group": "things.dev", "version": "v1",
        "service": {"namespace": "ops", "name": "things"}}, "status": {}});
    let local = json!({"metadata": {"name": "v1.apps"}, "spec": {"group": "apps", "version": "v1"},
        "status": {"conditions": [{"type": "Available", "status": "True"}]}});
    let list = |items: &[&serde_json::Value]| {
        let list = json!({"kind": "APIServiceList", "items": items});
        answer("200 OK", "", &list.to_string())
    };
    let missing = answer("404 Not Found", "", "404 page not found");
    let none = answer("200 OK", "", r#"{"kind":"PartialObjectMetadataList","metadata":{},"items":null}"#);
    let thing = kind("things.dev", "v1", "Thing");
    let played = Played::new(&[&missing, &list(&[&local, &service]), &none]).await?;
    let served = played.target.served(&[thing.clone()].into()).await;
    let Served::Unknown(why) = &served[&thing] else { anyhow::bail!("{served:?}") };
    assert!(why.contains("v1.things.dev") && why.contains("ops/things"), "{why}");
    let played = Played::new(&[&missing, &list(&[&local]), &none]).await?;
    let served = played.target.served(&[thing.clone()].into()).await;
    assert_eq!(served[&thing], Served::Absent, "without the registration nothing speaks for it");
    Ok(())
}

/// The discovery of a group that an aggregated API serves, and after that an answer without sense.
async fn after_discovery(strange: &str) -> Result<Seen> {
    let resources = json!({"kind": "APIResourceList", "groupVersion": "things.dev/v1",
        "resources": [{"name": "things", "kind": "Thing", "namespaced": true}]});
    let played = Played::new(&[&answer("200 OK", "", &resources.to_string()), strange]).await?;
    let things = (0..6).map(|n| {
        address(&json!({"apiVersion": "things.dev/v1", "kind": "Thing", "metadata": {"name": format!("t{n}"), "namespace": "a"}}))
    });
    let things = things.collect::<Result<Vec<_>>>()?;
    let mut seen = played.target.observe(&things).await;
    assert_eq!(seen.len(), 6);
    Ok(seen.remove(&things[3].id).unwrap_or(Seen::Missing))
}

#[tokio::test]
async fn f2_a_list_or_an_object_without_sense_is_unknown_not_missing() -> Result<()> {
    let other =
        r#"{"kind":"Thing","metadata":{"name":"other","namespace":"a","uid":"u","resourceVersion":"1"}}"#;
    let not_about_it =
        r#"{"kind":"Status","code":404,"reason":"NotFound","details":{"name":"t3","kind":"others"}}"#;
    for strange in [
        answer("200 OK", "", ""),
        answer("200 OK", "", "{}"),
        answer("200 OK", "", other),
        answer("404 Not Found", "", "404 page not found"),
        answer("404 Not Found", "", not_about_it),
        answer("500 Internal Server Error", "", ""),
        answer("502 Bad Gateway", "", "<html>"),
    ] {
        let seen = after_discovery(&strange).await?;
        assert!(matches!(seen, Seen::Unknown(_)), "{strange}: {seen:?}");
    }
    Ok(())
}

#[tokio::test]
async fn an_answer_without_end_is_dropped() -> Result<()> {
    let endless = format!("HTTP/1.1 200 OK\r\ncontent-length: 99999999\r\n\r\n{}", "x".repeat(9 << 20));
    let played = Played::new(&[&endless]).await?;
    let refused = played.target.home().await.expect_err("it is too long");
    assert!(refused.message.contains("longer than"), "{refused}");
    Ok(())
}
