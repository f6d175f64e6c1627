//! A fleet for a test: keys, root 1, a running api, and whoever talks to it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use api::{Clock, Running, Settings};
use cdn::document::{Floors, Hold, HoldReason, Release, Revision, Roles, Root, Stored};
use cdn::encoding::Encoding;
use cdn::envelope::{Envelope, Role};
use cdn::trust::Trust;
use cdn::wire::{JoinAnswer, JoinRequest};
use cdn::{Digest, PublicKey, ServiceName, SigningKey};
use clap::Parser;
use jiff::Timestamp;
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};
use sqlx::Connection;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::agent::Agent;

pub(crate) struct Fleet {
    pub(crate) folder: TempDir,
    pub(crate) clock: Clock,
    pub(crate) trust: Trust,
    pub(crate) root_key: SigningKey,
    pub(crate) desired_key: SigningKey,
    pub(crate) release_key: SigningKey,
    pub(crate) other_key: SigningKey,
    pub(crate) http: reqwest::Client,
    pub(crate) admin: String,
    pub(crate) database: String,
    pub(crate) url: String,
    arguments: Vec<String>,
    running: Option<(Running, CancellationToken)>,
}

/// Which way a database is copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Copied {
    Away,
    Back,
}

/// An answer, read.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) status: StatusCode,
    pub(crate) etag: Option<String>,
    pub(crate) notice: Option<String>,
    pub(crate) body: Value,
}

impl Said {
    pub(crate) async fn read(answer: Response) -> Self {
        let status = answer.status();
        let header = |name| answer.headers().get(name).map(|text| text.to_str().unwrap().to_owned());
        let (etag, notice) = (header("etag"), header("windlass-notice"));
        let bytes = answer.bytes().await.unwrap();
        Self { status, etag, notice, body: serde_json::from_slice(&bytes).unwrap_or(Value::Null) }
    }

    #[track_caller]
    pub(crate) fn ok(self) -> Value {
        assert!(self.status.is_success(), "{self:?}");
        self.body
    }

    #[track_caller]
    pub(crate) fn refused(self, status: u16, code: &str) -> Value {
        assert_eq!((self.status.as_u16(), self.body["code"].as_str()), (status, Some(code)), "{self:?}");
        assert!(
            self.body["detail"].as_str().is_some_and(|detail| !detail.is_empty()),
            "no next step: {self:?}"
        );
        self.body
    }
}

/// A hold that a person may approve.
pub(crate) fn hold(digest: Digest) -> Hold {
    Hold {
        reason: HoldReason::PruneBudget,
        service: Some("default/web".parse().unwrap()),
        object: None,
        message: "40 of 50 objects would go".to_owned(),
        since: start_time(),
        digest: Some(digest),
    }
}

pub(crate) fn start_time() -> Timestamp {
    Timestamp::from_second(1_800_000_000).unwrap()
}

/// Waits for what comes by itself: far longer than it takes, so that a machine with much else to do only makes it late.
pub(crate) async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let began = Instant::now();
    while began.elapsed() < Duration::from_mins(2) {
        if let Some(found) = look().await {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("after two minutes: {what}")
}

impl Fleet {
    /// On this database.
    pub(crate) async fn on(database: String) -> Self {
        Box::pin(Self::new(tempfile::tempdir().unwrap(), database)).await
    }

    /// What the api is started with; the first one is its name.
    pub(crate) fn arguments(&self) -> &[String] {
        &self.arguments
    }

    pub(crate) async fn on_sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("api.db").display().to_string();
        Box::pin(Self::new(folder, database)).await
    }

    pub(crate) async fn on_postgres() -> Self {
        let postgres = testbed::Postgres::shared().await.unwrap();
        let database = postgres.create_database("api").await.unwrap();
        Box::pin(Self::new(tempfile::tempdir().unwrap(), database)).await
    }

    async fn new(folder: TempDir, database: String) -> Self {
        program::install_crypto();
        let [root_key, desired_key, routes_key, release_key, other_key] =
            std::array::from_fn(|_| SigningKey::random());
        let release = |key: &SigningKey| Role::of(key.public());
        let root = Root {
            version: 1,
            fleet: None,
            issued: start_time(),
            roles: Roles {
                root: Role::of(root_key.public()),
                desired: Role::of(desired_key.public()),
                routes: Role::of(routes_key.public()),
                release: BTreeMap::from([
                    ("default".parse().unwrap(), release(&release_key)),
                    ("other".parse().unwrap(), release(&other_key)),
                ]),
                approver: None,
            },
            origin_hosts: Vec::new(),
            floors: Floors::default(),
        };
        let root_1 = Envelope::sign(&root, &[&root_key]).to_bytes();
        let trust = Trust::begin(Digest::of(&root_1), &root_1).unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir(at("root")).unwrap();
        std::fs::write(at("root/1.json"), &root_1).unwrap();
        std::fs::write(at("desired"), desired_key.to_text().expose()).unwrap();
        std::fs::write(at("database-url"), &database).unwrap();
        let arguments = [
            "windlass-api",
            "--listen=127.0.0.1:0",
            "--observe-listen=127.0.0.1:0",
            "--origins=https://cdn.example.com",
            &format!("--root={}", at("root").display()),
            &format!("--desired-key={}", at("desired").display()),
            &format!("--database-url-file={}", at("database-url").display()),
            &format!("--store={}", at("store").display()),
            &format!("--admin-token-file={}", at("admin-token").display()),
        ]
        .map(str::to_owned)
        .to_vec();
        let clock = Clock::stopped_at(start_time());
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let mut fleet = Self {
            folder,
            clock,
            trust,
            root_key,
            desired_key,
            release_key,
            other_key,
            http,
            admin: String::new(),
            database,
            url: String::new(),
            arguments,
            running: None,
        };
        fleet.start(&[]).await;
        let admin = std::fs::read_to_string(fleet.path("admin-token")).unwrap();
        admin.trim().clone_into(&mut fleet.admin);
        fleet
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Starts the api, with these settings beside the usual.
    pub(crate) async fn start(&mut self, more: &[&str]) {
        let running = self.another(more).await;
        self.url = format!("http://{}", running.0.address);
        self.running = Some(running);
    }

    /// Starts a second replica on the same database.
    pub(crate) async fn another(&self, more: &[&str]) -> (Running, CancellationToken) {
        let arguments = self.arguments.iter().map(String::as_str).chain(more.iter().copied());
        let settings = Settings::parse_from(arguments);
        let stop = CancellationToken::new();
        let running = api::start(settings, self.clock.clone(), stop.clone()).await.unwrap();
        (running, stop)
    }

    pub(crate) async fn stop(&mut self) {
        let (running, stop) = self.running.take().unwrap();
        stop.cancel();
        running.wait().await.unwrap();
    }

    /// What `/readyz` answers.
    pub(crate) async fn readiness(&self) -> Said {
        let (running, _) = self.running.as_ref().unwrap();
        let url = format!("http://{}/readyz", running.observe.unwrap());
        Said::read(self.http.get(url).send().await.unwrap()).await
    }

    /// Copies the database of an api that is stopped, or puts the copy in its place.
    pub(crate) async fn copy_database(&self, copy: Copied) {
        let Some((_, name)) =
            self.database.rsplit_once('/').filter(|_| self.database.starts_with("postgres"))
        else {
            let (mut from, mut to) = (self.path("api.db"), self.path("backup.db"));
            if copy == Copied::Back {
                std::mem::swap(&mut from, &mut to);
            }
            std::fs::copy(from, to).unwrap();
            assert!(
                !self.path("api.db-wal").exists(),
                "an api that has ended leaves nothing beside its file"
            );
            return;
        };
        let postgres = testbed::Postgres::shared().await.unwrap();
        let mut names = [name.to_owned(), format!("{name}_backup")];
        if copy == Copied::Back {
            names.reverse();
            postgres.sql("postgres", &format!("drop database {name} with (force)")).await.unwrap();
        }
        let sql = format!("create database {} template {}", names[1], names[0]);
        // The server may still be ending the sessions of the api.
        for _ in 0..200 {
            if postgres.sql("postgres", &sql).await.is_ok() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{sql} fails for ten seconds");
    }

    /// Runs SQL in the database.
    pub(crate) async fn sql(&self, sql: &'static str) {
        let is_postgres = self.database.starts_with("postgres");
        let url = if is_postgres { self.database.clone() } else { format!("sqlite://{}", self.database) };
        let mut conn = sqlx::AnyConnection::connect(&url).await.unwrap();
        sqlx::query(sql).execute(&mut conn).await.unwrap();
        conn.close().await.unwrap();
    }

    pub(crate) async fn send(&self, method: Method, path: &str, token: &str, body: Option<Value>) -> Said {
        let mut request = self.http.request(method, format!("{}{path}", self.url)).bearer_auth(token);
        if let Some(body) = body {
            request = request.json(&body);
        }
        Said::read(request.send().await.unwrap()).await
    }

    pub(crate) async fn get(&self, path: &str) -> Said {
        self.send(Method::GET, path, &self.admin, None).await
    }

    pub(crate) async fn put(&self, path: &str, body: Value) -> Said {
        self.send(Method::PUT, path, &self.admin, Some(body)).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Said {
        self.send(Method::POST, path, &self.admin, Some(body)).await
    }

    /// A join token.
    pub(crate) async fn join_token(&self, body: Value) -> String {
        let made = self.post("/v1/join-tokens", body).await.ok();
        made["token"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn join_with(&self, token: &str, name: &str) -> Result<JoinAnswer, Said> {
        self.join_as(token, name, SigningKey::random().public()).await
    }

    pub(crate) async fn join_as(&self, token: &str, name: &str, key: PublicKey) -> Result<JoinAnswer, Said> {
        let request = JoinRequest { name: name.to_owned(), key, agent: "0.1.0".to_owned() };
        let said =
            self.send(Method::POST, "/v1/join", token, Some(serde_json::to_value(request).unwrap())).await;
        if said.status.is_success() { Ok(serde_json::from_value(said.body).unwrap()) } else { Err(said) }
    }

    /// A cluster with these labels that has joined.
    pub(crate) async fn join(&self, name: &str, labels: Value) -> Agent {
        let token = self.join_token(json!({"labels": labels})).await;
        let joined = self.join_with(&token, name).await.unwrap();
        Agent::new(self, &joined)
    }

    /// A publisher's credential.
    pub(crate) async fn publisher(&self, name: &str, project: &str) -> String {
        let made = self.post("/v1/publishers", json!({"name": name, "project": project})).await.ok();
        made["token"].as_str().unwrap().to_owned()
    }

    /// A source of the project, and a service with a selector.
    pub(crate) async fn global(&self, name: &str, selector: Value) {
        self.source("default").await;
        let spec = json!({"source": "repo", "path": name, "namespace": "app", "selector": selector});
        self.put(&format!("/v1/global-services/default/{name}"), spec).await.ok();
    }

    pub(crate) async fn source(&self, project: &str) {
        let spec = json!({"git": {"url": "https://git.example.com/repo.git", "ref": "main"}});
        self.put(&format!("/v1/sources/{project}/repo"), spec).await.ok();
    }

    /// The envelope of a release, signed by its project's key.
    pub(crate) fn release(&self, service: &str, seq: u64) -> Vec<u8> {
        self.withdrawing(service, seq, 0)
    }

    /// The same of one that withdraws all below a sequence.
    pub(crate) fn withdrawing(&self, service: &str, seq: u64, min_seq: u64) -> Vec<u8> {
        let key = if service.starts_with("other/") { &self.other_key } else { &self.release_key };
        self.release_by(key, service, seq, min_seq)
    }

    /// The same of any key.
    pub(crate) fn release_by(&self, key: &SigningKey, service: &str, seq: u64, min_seq: u64) -> Vec<u8> {
        let service: ServiceName = service.parse().unwrap();
        let bundle = Digest::of(format!("{service} {seq}").as_bytes());
        let release = Release {
            fleet: self.trust.fleet(),
            service,
            revision: Revision { id: format!("commit-{seq}"), subject: "A change".to_owned(), time: None },
            bundle,
            length: 1_024,
            namespace: "app".to_owned(),
            encodings: vec![Stored { encoding: Encoding::Zst, digest: bundle, length: 512 }],
            seq,
            min_seq,
            objects: 3,
        };
        Envelope::sign(&release, &[key]).to_bytes()
    }

    pub(crate) async fn register(&self, token: &str, envelope: Vec<u8>) -> Said {
        let request = self.http.post(format!("{}/v1/releases", self.url)).bearer_auth(token).body(envelope);
        Said::read(request.send().await.unwrap()).await
    }

    /// Publishes a service's release; gives its digest.
    pub(crate) async fn publish(&self, token: &str, service: &str, seq: u64) -> Digest {
        let envelope = self.release(service, seq);
        self.register(token, envelope.clone()).await.ok();
        Digest::of(&envelope)
    }

    /// All rows of the database, as text.
    pub(crate) async fn dump(&self) -> String {
        if let Some(name) = self.database.strip_prefix("postgres://").and_then(|url| url.rsplit('/').next()) {
            let postgres = testbed::Postgres::shared().await.unwrap();
            let sql = "select query_to_xml('select * from ' || table_name, true, false, '') from \
                       information_schema.tables where table_schema = 'public'";
            return postgres.sql(name, sql).await.unwrap();
        }
        let mut text = String::new();
        for file in ["api.db", "api.db-wal"] {
            let bytes = std::fs::read(self.path(file)).unwrap_or_default();
            text.push_str(&String::from_utf8_lossy(&bytes));
        }
        text
    }
}
