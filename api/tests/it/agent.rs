//! An agent's side of the protocol: it polls, believes in the order of `cdn::trust`, and reports.

use cdn::document::{Desired, Health, Hold, Report, ServiceReport, Set, Sync, Usage};
use cdn::trust::{Floor, Snapshot};
use cdn::wire::{JoinAnswer, PollAnswer, RenewAnswer};
use cdn::{ClusterId, Digest, ServiceName};
use reqwest::Method;

use crate::fleet::{Fleet, Said, start_time};

#[derive(Debug)]
pub(crate) struct Agent {
    pub(crate) id: ClusterId,
    pub(crate) credential: String,
    pub(crate) start: String,
    /// What it holds.
    pub(crate) held: Option<Held>,
    reports: u64,
}

#[derive(Debug, Clone)]
pub(crate) struct Held {
    pub(crate) desired: Desired,
    pub(crate) set: Set,
    pub(crate) objects: Vec<Digest>,
    etag: String,
    floor: Floor,
}

/// What a poll brought.
#[derive(Debug)]
pub(crate) enum Polled {
    NotModified,
    News,
    Refused(Said),
}

impl Agent {
    pub(crate) fn new(_fleet: &Fleet, joined: &JoinAnswer) -> Self {
        assert_eq!(joined.origins, ["https://cdn.example.com"]);
        Self {
            id: joined.cluster.clone(),
            credential: joined.credential.expose().to_owned(),
            start: "00000000000000a1".to_owned(),
            held: None,
            reports: 0,
        }
    }

    /// Another agent with the same identity.
    pub(crate) fn twin(&self) -> Self {
        let (id, credential, start) = (self.id.clone(), self.credential.clone(), self.start.clone());
        Self { id, credential, start, held: self.held.clone(), reports: self.reports }
    }

    pub(crate) async fn poll(&mut self, fleet: &Fleet) -> Polled {
        let mut request = fleet
            .http
            .get(format!("{}/v1/desired", fleet.url))
            .bearer_auth(&self.credential)
            .header(cdn::wire::START_HEADER, &self.start);
        if let Some(held) = &self.held {
            request = request
                .header("if-none-match", &held.etag)
                .header(cdn::wire::SEQ_HEADER, held.desired.seq.to_string());
        }
        let answer = request.send().await.unwrap();
        if answer.status() == 304 {
            return Polled::NotModified;
        }
        if answer.status() != 200 {
            return Polled::Refused(Said::read(answer).await);
        }
        let etag = answer.headers()["etag"].to_str().unwrap().to_owned();
        let answer: PollAnswer = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
        self.accept(fleet, etag, answer);
        Polled::News
    }

    /// Polls and has news.
    #[track_caller]
    fn news(polled: &Polled) {
        assert!(matches!(polled, Polled::News), "{polled:?}");
    }

    pub(crate) async fn has_news(&mut self, fleet: &Fleet) -> Held {
        let polled = self.poll(fleet).await;
        Self::news(&polled);
        self.held.clone().unwrap()
    }

    pub(crate) async fn has_no_news(&mut self, fleet: &Fleet) {
        let polled = self.poll(fleet).await;
        assert!(matches!(polled, Polled::NotModified), "{polled:?}");
    }

    pub(crate) async fn is_refused(&mut self, fleet: &Fleet, status: u16, code: &str) {
        match self.poll(fleet).await {
            Polled::Refused(said) => drop(said.refused(status, code)),
            polled @ (Polled::NotModified | Polled::News) => panic!("{polled:?}"),
        }
    }

    /// Believes as agents do: signature, fleet, cluster, order; then set and values by digest.
    fn accept(&mut self, fleet: &Fleet, etag: String, answer: PollAnswer) {
        let envelope = answer.envelope.to_bytes();
        assert_eq!(etag, format!("\"{}\"", answer.envelope.payload_digest()));
        let floor = self.held.as_ref().map(|held| held.floor.clone());
        let accepted = fleet.trust.accept(&envelope, &self.id, floor.as_ref()).unwrap();
        let floor = accepted.floor().clone();
        let objects = answer.proved();
        // What does not ride beside the document lies in the store.
        let object = |digest: Digest| {
            let stored = fleet.path("store").join(cdn::Key::Object(digest).path());
            objects.get(&digest).cloned().unwrap_or_else(|| std::fs::read(stored).unwrap())
        };
        let desired = accepted.desired().clone();
        let values = desired.values.map(|values| object(values.digest));
        let snapshot: Snapshot = accepted.open(&object(desired.set.digest), values.as_deref()).unwrap();
        let stored = fleet.path("store").join(cdn::Key::Object(desired.set.digest).path());
        assert!(desired.set.is(&std::fs::read(stored).unwrap()), "the set lies in the store");
        let (set, objects) = (snapshot.set().clone(), objects.into_keys().collect());
        self.held = Some(Held { desired, set, objects, etag, floor });
    }

    /// A report that all of the set runs.
    pub(crate) fn report(&mut self) -> Report {
        self.reports += 1;
        let held = self.held.as_ref().unwrap();
        let service = |entry: &cdn::document::ServiceEntry| ServiceReport {
            name: entry.name.clone(),
            release: Some(entry.release),
            bundle: None,
            sync: Sync::Synced,
            health: Health::Healthy,
            objects: 3,
            since: start_time(),
        };
        Report {
            format: "report.v0".to_owned(),
            number: self.reports,
            seq: held.desired.seq,
            passed: held.desired.seq,
            root: 1,
            agent: "0.1.0".to_owned(),
            services: held.set.services.iter().map(service).collect(),
            holds: Vec::new(),
            removed: Vec::new(),
            usage: Usage::default(),
        }
    }

    pub(crate) async fn send(&self, fleet: &Fleet, report: &Report) -> Said {
        let body = serde_json::to_value(report).unwrap();
        fleet.send(Method::POST, "/v1/report", &self.credential, Some(body)).await
    }

    pub(crate) async fn reports(&mut self, fleet: &Fleet, removed: &[&str], holds: Vec<Hold>) {
        let mut report = self.report();
        report.removed = removed.iter().map(|name| name.parse().unwrap()).collect();
        report.holds = holds;
        self.send(fleet, &report).await.ok();
    }

    pub(crate) async fn renew(&self, fleet: &Fleet) -> String {
        let said = fleet.send(Method::POST, "/v1/renew", &self.credential, None).await;
        let answer: RenewAnswer = serde_json::from_value(said.ok()).unwrap();
        answer.credential.expose().to_owned()
    }
}

impl Held {
    pub(crate) fn release(&self, service: &str) -> Option<Digest> {
        let service: ServiceName = service.parse().unwrap();
        self.set.get(&service).map(|entry| entry.release)
    }

    pub(crate) fn services(&self) -> Vec<String> {
        self.set.services.iter().map(|entry| entry.name.to_string()).collect()
    }
}
