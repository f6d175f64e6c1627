//! `ApiServer`: the one way to the API server. Every request is bounded in time, every answer in bytes, and all of them
//! together in number; nothing is retried but what the server asked to send later (429), and that with an end.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use http::{HeaderMap, Method, Request, StatusCode, header};
use http_body_util::BodyExt as _;
use kube::client::Body;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep_until, timeout};

use super::trouble::Trouble;
use crate::USER_AGENT;
use crate::target::KubernetesSettings;

/// Requests at once. More than 16 connections make an API server no faster.
const AT_ONCE: usize = 16;
/// How often one request is sent again because the server asked for it.
const RESENDS: u32 = 4;
/// The wait when a 429 names none.
const WAIT: Duration = Duration::from_secs(1);
/// The longest wait that is believed.
const LONGEST_WAIT: Duration = Duration::from_mins(1);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// A connection to one API server.
pub(super) struct ApiServer {
    client: Client,
    places: Semaphore,
    /// No request is sent before this moment: the server said that it has too much to do.
    quiet_until: Mutex<Option<Instant>>,
    timeout: Duration,
}

/// One request. It has no `Debug`: a Secret may be in its body (law L10).
pub(super) struct Ask {
    /// The method.
    pub(super) method: Method,
    /// Path and query.
    pub(super) path: String,
    /// Whether only the metadata of objects is wanted.
    pub(super) metadata_only: bool,
    /// Whether the answer is a list: its metadata-only form has another name.
    pub(super) list: bool,
    /// The body and its content type.
    pub(super) body: Option<(&'static str, Vec<u8>)>,
    /// The longest answer that is read, in bytes.
    pub(super) limit: usize,
}

/// One answer of success. It has no `Debug` for the same reason.
pub(super) struct Answer {
    /// 200, 201 or another 2xx.
    pub(super) status: StatusCode,
    /// The whole body.
    pub(super) body: Vec<u8>,
}

/// An object has at most 1.5 MB in etcd; JSON and managedFields make it longer.
const OBJECT_LIMIT: usize = 8 << 20;
/// A page of a list, or a discovery document.
const LIST_LIMIT: usize = 32 << 20;

impl Ask {
    /// Reads an object or a document.
    pub(super) fn get(path: String) -> Self {
        Self { method: Method::GET, path, metadata_only: false, list: false, body: None, limit: OBJECT_LIMIT }
    }

    /// Reads a list, or a page of one.
    pub(super) fn list(path: String) -> Self {
        Self { list: true, limit: LIST_LIMIT, ..Self::get(path) }
    }

    /// Sends a body.
    pub(super) fn with(method: Method, path: String, content_type: &'static str, body: Vec<u8>) -> Self {
        Self { method, body: Some((content_type, body)), ..Self::get(path) }
    }

    /// Wants only metadata where that is enough: less to send, and no Secret's content comes here at all.
    pub(super) fn metadata_only(mut self, yes: bool) -> Self {
        self.metadata_only = yes;
        self
    }

    fn request(&self) -> Result<Request<Body>, Trouble> {
        // A server that cannot give only the metadata gives the whole object.
        let accept = match (self.metadata_only, self.list) {
            (false, _) => "application/json",
            (true, false) => "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json",
            (true, true) => {
                "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"
            }
        };
        let mut request =
            Request::builder().method(&self.method).uri(&self.path).header(header::ACCEPT, accept);
        if let Some((content_type, _)) = &self.body {
            request = request.header(header::CONTENT_TYPE, *content_type);
        }
        let body = self.body.as_ref().map_or_else(Body::empty, |(_, bytes)| Body::from(bytes.clone()));
        request.body(body).map_err(|error| Trouble::Garbage(format!("no request can be made: {error}")))
    }
}

impl ApiServer {
    /// Reads the configuration; no request is sent.
    pub(super) async fn connect(settings: &KubernetesSettings) -> anyhow::Result<Self> {
        program::install_crypto();
        let mut config = configuration(settings).await?;
        // Its own retries are silent and unbounded by our deadline: 15 of them turned a dead aggregated API into minutes.
        config.default_retry = false;
        config.connect_timeout = Some(CONNECT_TIMEOUT);
        config.headers.push((header::USER_AGENT, header::HeaderValue::from_static(USER_AGENT)));
        Ok(Self {
            client: Client::try_from(config)?,
            places: Semaphore::new(AT_ONCE),
            quiet_until: Mutex::new(None),
            timeout: settings.request_timeout,
        })
    }

    /// Sends one request. Any status outside 2xx is a [`Trouble::Refused`].
    pub(super) async fn send(&self, ask: Ask) -> Result<Answer, Trouble> {
        let patience = Instant::now() + self.timeout;
        for _ in 0..RESENDS {
            let (status, headers, body) = self.send_once(&ask, patience).await?;
            if status.is_success() {
                return Ok(Answer { status, body });
            }
            if status != StatusCode::TOO_MANY_REQUESTS {
                return Err(Trouble::refused(status, &body));
            }
            let until = Instant::now() + asked_wait(&headers);
            self.be_quiet(until);
            if until > patience {
                return Err(Trouble::refused(status, &body));
            }
        }
        Err(Trouble::refused(StatusCode::TOO_MANY_REQUESTS, b""))
    }

    async fn send_once(
        &self,
        ask: &Ask,
        patience: Instant,
    ) -> Result<(StatusCode, HeaderMap, Vec<u8>), Trouble> {
        if let Some(until) = self.quiet() {
            if until > patience {
                return Err(Trouble::refused(StatusCode::TOO_MANY_REQUESTS, b""));
            }
            sleep_until(until).await;
        }
        let request = ask.request()?;
        let _place = self.places.acquire().await.map_err(|_| Trouble::Silent("shutting down".to_owned()))?;
        let exchange = async {
            let (parts, body) = self.client.send(request).await.map_err(|error| silent(&error))?.into_parts();
            let body = read(body, ask.limit).await?;
            Ok((parts.status, parts.headers, body))
        };
        match timeout(self.timeout, exchange).await {
            Ok(answer) => answer,
            Err(_) => Err(Trouble::Silent(format!("no answer within {} s", self.timeout.as_secs_f32()))),
        }
    }

    fn quiet(&self) -> Option<Instant> {
        *self.quiet_until.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn be_quiet(&self, until: Instant) {
        let mut quiet = self.quiet_until.lock().unwrap_or_else(PoisonError::into_inner);
        *quiet = (*quiet).max(Some(until));
    }
}

impl fmt::Debug for ApiServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiServer").field("timeout", &self.timeout).finish_non_exhaustive()
    }
}

async fn configuration(settings: &KubernetesSettings) -> anyhow::Result<Config> {
    use anyhow::Context as _;
    let options = KubeConfigOptions { context: settings.context.clone(), ..KubeConfigOptions::default() };
    if let Some(path) = &settings.kubeconfig {
        let file = Kubeconfig::read_from(path).with_context(|| format!("read {}", path.display()))?;
        let config = Config::from_custom_kubeconfig(file, &options).await;
        return config.with_context(|| format!("use {}", path.display()));
    }
    if settings.context.is_none()
        && let Ok(config) = Config::incluster()
    {
        return Ok(config);
    }
    let config = Config::from_kubeconfig(&options).await;
    config.context("no cluster: not in a pod with a ServiceAccount, and no kubeconfig can be used; name one")
}

fn asked_wait(headers: &HeaderMap) -> Duration {
    let seconds = headers.get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
    seconds.map_or(WAIT, Duration::from_secs).min(LONGEST_WAIT)
}

/// The chain of causes, which for a connection is more than its first line.
fn silent(error: &dyn std::error::Error) -> Trouble {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        if !text.contains(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        cause = error.source();
    }
    Trouble::Silent(text)
}

async fn read(mut body: Body, limit: usize) -> Result<Vec<u8>, Trouble> {
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| silent(&error))?;
        let Some(part) = frame.data_ref() else { continue };
        if bytes.len() + part.len() > limit {
            return Err(Trouble::TooLong(limit));
        }
        bytes.extend_from_slice(part);
    }
    Ok(bytes)
}
