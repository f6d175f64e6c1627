//! A fleet for a test: keys made by the program, the real api on SQLite in this process, and a user logged in to it.

use std::collections::BTreeMap;

use api::{Clock, Running, Settings};
use cdn::document::{Document, Health, Hold, HoldReason, Report, ServiceReport, Sync, Usage};
use cdn::wire::{JoinAnswer, JoinRequest, PublishStatus, SEQ_HEADER};
use cdn::{Secret, SigningKey};
use clap::Parser;
use jiff::Timestamp;
use program::http::{Bounds, Client, Request, Settings as HttpSettings, header};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

use crate::user::User;

pub(crate) struct Fleet {
    pub(crate) user: User,
    pub(crate) url: String,
    running: Running,
    stop: CancellationToken,
    client: Client,
}

impl Fleet {
    /// Keys, api, login.
    pub(crate) async fn start() -> Self {
        let user = User::new();
        user.run("keys init --dir keys").await.ok();
        let at = |name: &str| user.path(name).display().to_string();
        let settings = Settings::try_parse_from([
            "windlass-api".to_owned(),
            "--listen=127.0.0.1:0".to_owned(),
            "--observe-listen=off".to_owned(),
            "--origins=https://cdn.example.com".to_owned(),
            format!("--root={}", at("keys/root")),
            format!("--desired-key={}", at("keys/desired.key")),
            format!("--database={}", at("api.db")),
            format!("--store={}", at("store")),
            format!("--admin-token-file={}", at("admin.token")),
        ])
        .unwrap();
        let stop = CancellationToken::new();
        let running = api::start(settings, Clock::system(), stop.clone()).await.unwrap();
        let url = format!("http://{}", running.address);
        let client = Client::new(&HttpSettings::new("test")).unwrap();
        let login = format!("login --server {url} --token-file admin.token --root keys");
        user.run(&login).await.ok();
        Self { user, url, running, stop, client }
    }

    pub(crate) async fn end(self) {
        self.stop.cancel();
        self.running.wait().await.unwrap();
    }

    /// The person's token.
    pub(crate) fn token(&self) -> String {
        self.user.text("admin.token").trim().to_owned()
    }

    /// A cluster joins with a new token; gives its credential.
    pub(crate) async fn join(&self, name: &str, flags: &str) -> JoinAnswer {
        let line = format!("join-token create -o name{flags}");
        let token = self.user.run(&line).await.ok();
        let request = JoinRequest {
            name: name.to_owned(),
            key: SigningKey::random().public(),
            agent: "test/1".to_owned(),
        };
        self.post("/v1/join", token.trim(), &request).await
    }

    /// What a cluster reports: these holds.
    pub(crate) async fn report(&self, credential: &Secret, holds: Vec<Hold>) {
        self.report_all(credential, Vec::new(), holds).await;
    }

    /// What a cluster reports: that it runs this release, and all is well.
    pub(crate) async fn runs(&self, credential: &Secret, service: &str, release: &str) {
        let running = ServiceReport {
            name: service.parse().unwrap(),
            release: Some(release.parse().unwrap()),
            bundle: None,
            sync: Sync::Synced,
            health: Health::Healthy,
            objects: 1,
            since: Timestamp::now(),
        };
        self.report_all(credential, vec![running], Vec::new()).await;
    }

    /// A cluster's agent polls, and holds a sequence that this api never issued.
    pub(crate) async fn polls_ahead(&self, credential: &Secret) {
        let seq = header::HeaderName::from_static(SEQ_HEADER);
        let request = Request::get(format!("{}/v1/desired", self.url)).bearer(credential.expose());
        let ahead = Timestamp::now().as_millisecond() + 86_400_000;
        let request = request.header(seq, &ahead.to_string());
        let answer = self.client.fetch(request, Bounds::new(1 << 20, Duration::from_secs(10))).await.unwrap();
        assert_eq!(answer.status.as_u16(), 409, "{:?}", answer.body);
    }

    /// What the service's publisher says of it.
    pub(crate) async fn say(&self, status: &PublishStatus) {
        let token = self.user.text("publisher.token");
        let _answer: serde_json::Value = self.post("/v1/publish-status", token.trim(), status).await;
    }

    async fn report_all(&self, credential: &Secret, services: Vec<ServiceReport>, holds: Vec<Hold>) {
        let report = Report {
            format: Report::TYPE.to_owned(),
            number: u64::try_from(Timestamp::now().as_millisecond()).unwrap(),
            seq: 1,
            passed: 1,
            root: 1,
            agent: "test/1".to_owned(),
            services,
            holds,
            removed: Vec::new(),
            usage: Usage::default(),
        };
        let _answer: serde_json::Value = self.post("/v1/report", credential.expose(), &report).await;
    }

    async fn post<B: Serialize, T: DeserializeOwned>(&self, path: &str, token: &str, body: &B) -> T {
        let body = serde_json::to_vec(body).unwrap();
        let request = Request::post_json(format!("{}{path}", self.url), body).bearer(token);
        let answer = self.client.fetch(request, Bounds::new(1 << 20, Duration::from_secs(10))).await.unwrap();
        assert!(answer.status.is_success(), "{path}: {} {:?}", answer.status, answer.body);
        let bytes: &[u8] = if answer.body.is_empty() { b"null" } else { &answer.body };
        serde_json::from_slice(bytes).unwrap()
    }

    /// Publishes a folder of manifests as a service, by the program itself; gives the release's digest.
    pub(crate) async fn publish(&self, service: &str, manifests: &BTreeMap<&str, String>) -> String {
        if !self.user.path("publisher.token").exists() {
            self.user.run("publisher create main --out publisher.token").await.ok();
            let allow = format!(
                "[[allow]]\nservices = [\"*/*\"]\nrepository = \"{}\"\nlocal = true\n",
                self.folder()
            );
            self.user.write("allow.toml", allow);
        }
        let name = service.rsplit('/').next().unwrap();
        for (file, text) in manifests {
            self.user.write(&format!("source/{name}/{file}"), text);
        }
        let from = format!(" --from-directory {} --path {name} --namespace apps", self.folder());
        self.publish_from(service, &from).await
    }

    /// Publishes a service again, as the api describes it.
    pub(crate) async fn publish_as_described(&self, service: &str) -> String {
        self.publish_from(service, "").await
    }

    async fn publish_from(&self, service: &str, from: &str) -> String {
        let line = format!(
            "publish {service}{from} --store store --root keys/root --release-key keys/release-default.key \
             --allow allow.toml --cache cache --api {} --token-file publisher.token -o name",
            self.url
        );
        let printed = self.user.run(&line).await.ok();
        printed.trim().strip_prefix("release/").unwrap().to_owned()
    }

    /// The folder that stands for a repository.
    pub(crate) fn folder(&self) -> String {
        std::fs::create_dir_all(self.user.path("source")).unwrap();
        self.user.path("source").display().to_string()
    }

    /// Describes the source and some services from it, at every cluster with `env=test`.
    pub(crate) async fn describe(&self, services: &[&str]) {
        let mut text = document("Source", "here", &format!("{{directory: {{path: \"{}\"}}}}", self.folder()));
        for service in services {
            let spec = format!(
                "{{source: here, path: {service}, namespace: apps, selector: {{matchLabels: {{env: test}}}}}}"
            );
            text.extend(["---\n", &document("GlobalService", service, &spec)]);
        }
        self.user.write("fleet.yaml", text);
        self.user.run("apply -f fleet.yaml").await.ok();
    }
}

/// A fleet document.
pub(crate) fn document(kind: &str, name: &str, spec: &str) -> String {
    format!("apiVersion: windlass.dev/v1alpha1\nkind: {kind}\nmetadata: {{name: {name}}}\nspec: {spec}\n")
}

/// A manifest that needs nothing.
pub(crate) fn config(name: &str, value: &str) -> String {
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata: {{key: \"{value}\"}}\n")
}

/// A hold that says something.
pub(crate) fn hold(message: &str) -> Hold {
    Hold {
        reason: HoldReason::PruneBudget,
        service: Some("default/web".parse().unwrap()),
        object: None,
        message: message.to_owned(),
        since: Timestamp::now(),
        digest: Some(cdn::Digest::of(message.as_bytes())),
    }
}
