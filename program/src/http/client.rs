//! The client itself: how connections are made, and the way from a request to an answer.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use ::http::HeaderMap;
use reqwest::Url;
use tokio::time::{Instant, timeout};

use super::answer::{Answer, Response};
use super::error::{Bound, Cause, FetchError, cause_of, innermost, place};
use super::meter::Bounds;
use super::redirect::{self, Next};
use super::request::Request;
use crate::files;
use crate::settings::duration;

const MAX_CA_BYTES: u64 = 4 * 1024 * 1024;
/// Stands for a deadline beyond what the clock can hold.
const LONGEST: Duration = Duration::from_hours(24 * 365);
const SECOND: Duration = Duration::from_secs(1);

/// Connections stay open across polls: a 304 on a warm connection costs a tenth of one with a fresh handshake.
const IDLE_CONNECTION: Duration = Duration::from_mins(10);

/// The settings of the client, for `#[command(flatten)]`. Proxies come from `HTTPS_PROXY`, `HTTP_PROXY`,
/// `ALL_PROXY` and `NO_PROXY`, as everywhere.
#[derive(Debug, Clone, clap::Args)]
pub struct HttpArgs {
    /// Certificate authorities to trust besides the system's (PEM, any number in one file)
    #[arg(long, env = "WINDLASS_CA_FILE", value_name = "FILE")]
    pub ca_file: Option<PathBuf>,
    /// How long a connection may take to come about
    #[arg(long, env = "WINDLASS_CONNECT_TIMEOUT", default_value = "10s", value_name = "TIME",
        value_parser = duration(SECOND, 120 * SECOND))]
    pub connect_timeout: Duration,
}

impl HttpArgs {
    /// The client's settings; `user_agent` is the program and its version, `windlass-agent/0.1.0`.
    pub fn settings(&self, user_agent: impl Into<String>) -> Settings {
        Settings {
            ca_file: self.ca_file.clone(),
            connect_timeout: self.connect_timeout,
            ..Settings::new(user_agent)
        }
    }
}

/// How a client connects.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Certificate authorities to trust besides the system's (PEM bundle).
    pub ca_file: Option<PathBuf>,
    /// The most time for name, connection and TLS.
    pub connect_timeout: Duration,
    /// The most time from a sent request to the head of its answer.
    pub answer_timeout: Duration,
    /// Who we say we are.
    pub user_agent: String,
}

impl Settings {
    /// The usual settings: the system's authorities, 10 s to connect, 30 s to answer.
    pub fn new(user_agent: impl Into<String>) -> Self {
        Self {
            ca_file: None,
            connect_timeout: 10 * SECOND,
            answer_timeout: 30 * SECOND,
            user_agent: user_agent.into(),
        }
    }
}

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The file of certificate authorities cannot be read.
    #[error("CA file {}: {why}; check the path given with --ca-file", file.display())]
    CaUnreadable {
        /// The file.
        file: PathBuf,
        /// What went wrong.
        why: io::Error,
    },
    /// The file holds no certificate, or a broken one.
    #[error("CA file {}: {why}; it must hold PEM blocks `-----BEGIN CERTIFICATE-----`", file.display())]
    CaUnusable {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The client below refuses these settings.
    #[error("cannot set up the HTTP client: {0}")]
    Setup(String),
}

/// A bounded HTTP client. Clones share connections.
#[derive(Debug, Clone)]
pub struct Client {
    /// None until there is somebody to trust; all clones share it.
    trusting: Arc<OnceLock<reqwest::Client>>,
    trusting_nobody: reqwest::Client,
    connect_timeout: Duration,
    answer_timeout: Duration,
}

impl Client {
    /// Makes a client; reads the CA file (blocking, at the start of a program).
    pub fn new(settings: &Settings) -> Result<Self, ClientError> {
        let client = Self::trusting_nobody(settings)?;
        client.trust(settings)?;
        Ok(client)
    }

    /// A client for a program that must go on though its CA file is of no use. Over https it trusts nobody until
    /// [`Client::trust`] has read the file, also not the system's authorities: whoever names a file means its servers,
    /// and somebody who can take the file away must gain nothing by it.
    pub fn trusting_nobody(settings: &Settings) -> Result<Self, ClientError> {
        crate::install_crypto();
        let trusting_nobody = builder(settings).tls_certs_only([]).build().map_err(|error| setup(&error))?;
        let (connect_timeout, answer_timeout) = (settings.connect_timeout, settings.answer_timeout);
        Ok(Self { trusting: Arc::default(), trusting_nobody, connect_timeout, answer_timeout })
    }

    /// Reads the CA file (blocking): from then on this client and its clones trust what it holds, and the system's
    /// authorities. One that does already stays as it is.
    pub fn trust(&self, settings: &Settings) -> Result<(), ClientError> {
        if self.trusting.get().is_some() {
            return Ok(());
        }
        let authorities = match &settings.ca_file {
            Some(file) => authorities(file)?,
            None => Vec::new(),
        };
        match builder(settings).tls_certs_merge(authorities).build() {
            Ok(trusting) => {
                self.trusting.get_or_init(|| trusting);
                Ok(())
            }
            // A container without any certificate can still read plain http from its site's mirror; https will
            // say that nothing is trusted.
            Err(error) if settings.ca_file.is_none() => {
                tracing::warn!(reason = innermost(&error), "no certificate authorities: https will fail");
                Ok(())
            }
            Err(error) => Err(setup(&error)),
        }
    }

    /// Asks and reads the whole answer.
    pub async fn fetch(&self, request: Request, bounds: Bounds) -> Result<Response, FetchError> {
        self.open(request, bounds).await?.whole().await
    }

    /// Asks and gives the answer as soon as its head is there; its body is read by [`Answer::chunk`].
    pub async fn open(&self, request: Request, bounds: Bounds) -> Result<Answer, FetchError> {
        let now = Instant::now();
        let deadline = now.checked_add(bounds.deadline).unwrap_or_else(|| now + LONGEST);
        let mut url = request.checked_url()?;
        let mut headers = request.headers.clone();
        for _ in 0..=redirect::MOST {
            let at = place(&url);
            let sent = self.send(&request, (&url, &headers), &bounds, deadline).await;
            let answer = sent.map_err(|cause| FetchError { at: at.clone(), cause })?;
            match redirect::decide(&request.method, &url, answer.status(), answer.headers()) {
                Next::Answer => return Answer::new(answer, at, &bounds, deadline),
                Next::Refuse(why) => return Err(FetchError { at, cause: Cause::RedirectRefused(why) }),
                Next::Follow(to) => {
                    if !redirect::same_place(&url, &to) {
                        headers = redirect::harmless(&headers);
                    }
                    url = to;
                }
            }
        }
        Err(FetchError { at: place(&url), cause: Cause::RedirectRefused("more than 3 in a row") })
    }

    async fn send(
        &self,
        request: &Request,
        (url, headers): (&Url, &HeaderMap),
        bounds: &Bounds,
        deadline: Instant,
    ) -> Result<reqwest::Response, Cause> {
        let inner = self.trusting.get().unwrap_or(&self.trusting_nobody);
        let mut asking = inner.request(request.method.clone(), url.clone()).headers(headers.clone());
        let mut upload = Duration::ZERO;
        if let Some(body) = &request.body {
            upload = bounds.min_rate.time_for(body.len() as u64);
            asking = asking.body(body.clone());
        }
        let answer_time = self.connect_timeout + self.answer_timeout + upload;
        let left = deadline.saturating_duration_since(Instant::now());
        match timeout(left.min(answer_time), asking.send()).await {
            Ok(answer) => answer.map_err(|error| cause_of(&error, self.connect_timeout)),
            Err(_) if left <= answer_time => Err(Cause::Timeout(Bound::Deadline, bounds.deadline)),
            Err(_) => Err(Cause::Timeout(Bound::Answer, answer_time)),
        }
    }
}

fn builder(settings: &Settings) -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .user_agent(&settings.user_agent)
        .connect_timeout(settings.connect_timeout)
        // Redirects are ours (see `redirect`), and retries are the caller's.
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .pool_idle_timeout(IDLE_CONNECTION)
        .pool_max_idle_per_host(4)
        // A black hole must not look like a slow server for ever (FAULTS G8).
        .tcp_keepalive(60 * SECOND)
        .http2_keep_alive_interval(30 * SECOND)
        .http2_keep_alive_timeout(10 * SECOND)
}

fn authorities(file: &Path) -> Result<Vec<reqwest::Certificate>, ClientError> {
    let pem = files::read_bounded(file, MAX_CA_BYTES)
        .map_err(|why| ClientError::CaUnreadable { file: file.to_owned(), why })?;
    let unusable = |why| ClientError::CaUnusable { file: file.to_owned(), why };
    let bundle = reqwest::Certificate::from_pem_bundle(&pem).map_err(|error| unusable(innermost(&error)))?;
    if bundle.is_empty() { Err(unusable("no certificate in it".to_owned())) } else { Ok(bundle) }
}

fn setup(error: &reqwest::Error) -> ClientError {
    ClientError::Setup(innermost(error))
}
