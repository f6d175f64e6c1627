//! An api that stands at the far side of the wire: it keeps what it is told, can be away, and says what is wanted.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use cdn::Digest;
use cdn::document::Release;
use cdn::envelope::Envelope;
use cdn::wire::{Described, Newest, PublishStatus, Unknown, Wanted, WantedService};
use tokio::task::JoinSet;

/// The api; ends when dropped.
pub struct Api {
    pub url: String,
    told: Arc<Mutex<Told>>,
    _serving: JoinSet<()>,
}

#[derive(Default)]
struct Told {
    away: bool,
    wanted: Wanted,
    asked: usize,
    not_modified: usize,
    releases: BTreeMap<Digest, Release>,
    statuses: Vec<PublishStatus>,
}

pub const TOKEN: &str = "wlp_canary-token";

impl Api {
    pub async fn start() -> Self {
        let told = Arc::new(Mutex::new(Told::default()));
        let router = Router::new()
            .route("/v1/wanted", get(wanted))
            .route("/v1/releases", post(release))
            .route("/v1/publish-status", post(status))
            .with_state(Arc::clone(&told));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let mut serving = JoinSet::new();
        serving.spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, told, _serving: serving }
    }

    pub fn want(&self, services: Vec<WantedService>) {
        self.told.lock().unwrap().wanted.services = services.into_iter().map(Described::Known).collect();
    }

    /// Has this root, and says so.
    pub fn has_root(&self, version: u64) {
        self.told.lock().unwrap().wanted.root = Some(version);
    }

    /// Wants a service beside the others, in words that this publisher may not know.
    pub fn want_also(&self, value: serde_json::Value) {
        let unknown = Described::Unknown(Unknown { value, why: String::new() });
        self.told.lock().unwrap().wanted.services.push(unknown);
    }

    pub fn away(&self, away: bool) {
        self.told.lock().unwrap().away = away;
    }

    /// A database of before anything was registered is put back.
    pub fn restore(&self) {
        self.told.lock().unwrap().releases.clear();
    }

    /// How often it was asked what is wanted, and how often that was no news.
    pub fn asked(&self) -> (usize, usize) {
        let told = self.told.lock().unwrap();
        (told.asked, told.not_modified)
    }

    pub fn releases(&self) -> BTreeMap<Digest, Release> {
        self.told.lock().unwrap().releases.clone()
    }

    pub fn statuses(&self) -> Vec<PublishStatus> {
        self.told.lock().unwrap().statuses.clone()
    }
}

fn refuse(told: &Told, headers: &HeaderMap) -> Option<StatusCode> {
    let bearer = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    match bearer {
        _ if told.away => Some(StatusCode::SERVICE_UNAVAILABLE),
        Some(bearer) if bearer == format!("Bearer {TOKEN}") => None,
        Some(_) | None => Some(StatusCode::UNAUTHORIZED),
    }
}

async fn wanted(State(told): State<Arc<Mutex<Told>>>, headers: HeaderMap) -> Response {
    let mut told = told.lock().unwrap();
    told.asked += 1;
    if let Some(status) = refuse(&told, &headers) {
        return status.into_response();
    }
    let mut wanted = told.wanted.clone();
    for service in &mut wanted.services {
        let Described::Known(service) = service else { continue };
        let known = told.releases.iter().filter(|(_, release)| release.service == service.name);
        let newest = known.max_by_key(|(_, release)| release.seq);
        service.asked = Some(Digest::of(&cdn::json::canonical_of(service)));
        service.newest = newest.map_or(Newest::None, |(digest, _)| Newest::Release(*digest));
    }
    let body = cdn::json::canonical_of(&wanted);
    let etag = format!("\"{}\"", Digest::of(&body).hex());
    if headers.get(header::IF_NONE_MATCH).is_some_and(|known| *known == etag.as_str()) {
        told.not_modified += 1;
        return StatusCode::NOT_MODIFIED.into_response();
    }
    ([(header::ETAG, etag), (header::CONTENT_TYPE, "application/json".to_owned())], body).into_response()
}

async fn release(State(told): State<Arc<Mutex<Told>>>, headers: HeaderMap, body: Bytes) -> Response {
    let mut told = told.lock().unwrap();
    if let Some(status) = refuse(&told, &headers) {
        return status.into_response();
    }
    match Envelope::claim::<Release>(&body) {
        Ok(release) => match told.releases.insert(Digest::of(&body), release) {
            None => StatusCode::CREATED.into_response(),
            Some(_) => StatusCode::OK.into_response(),
        },
        Err(_) => StatusCode::BAD_REQUEST.into_response(),
    }
}

async fn status(State(told): State<Arc<Mutex<Told>>>, headers: HeaderMap, body: Bytes) -> Response {
    let mut told = told.lock().unwrap();
    if let Some(status) = refuse(&told, &headers) {
        return status.into_response();
    }
    told.statuses.push(cdn::json::document(&body).unwrap());
    StatusCode::NO_CONTENT.into_response()
}
