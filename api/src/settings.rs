//! The settings of `windlass-api`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, ensure};
use cdn::Secret;
use clap::Parser;
use program::logs::LogArgs;
use program::observe::ObserveArgs;
use program::settings::{duration, read_secret};
use store::StoreArgs;

const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);

/// The control plane of a fleet: tells each cluster which digest it should run
///
/// Example: windlass-api --root root/ --desired-key keys/desired --store /var/lib/windlass/store
///   --origins https://cdn.example.com --admin-token-file admin-token
#[derive(Clone, Debug, Parser)]
#[expect(clippy::doc_markdown, reason = "--help shows these lines as they stand")]
#[command(name = "windlass-api", version)]
pub struct Settings {
    /// Address for agents, publishers and people
    #[arg(long, env = "WINDLASS_LISTEN", default_value = "127.0.0.1:8440", value_name = "ADDRESS")]
    pub listen: SocketAddr,
    /// Where the fleet's state is kept: an SQLite file, or postgres://USER@HOST/DATABASE
    #[arg(long, env = "WINDLASS_DATABASE", default_value = "windlass-api.db", value_name = "PLACE")]
    pub database: String,
    /// File with the whole address of the database, where that holds a password
    #[arg(long, env = "WINDLASS_DATABASE_URL_FILE", value_name = "FILE")]
    pub database_url_file: Option<PathBuf>,
    /// Connections to the database
    #[arg(long, env = "WINDLASS_DATABASE_CONNECTIONS", default_value_t = 8, value_parser = clap::value_parser!(u32).range(2..=100), value_name = "N")]
    pub database_connections: u32,
    /// Where sets, values and roots are put for agents to fetch
    #[command(flatten)]
    pub store: StoreArgs,
    /// The fleet's roots: a folder with 1.json, 2.json ... or the file of root 1
    #[arg(long, env = "WINDLASS_ROOT", value_name = "PATH")]
    pub root: PathBuf,
    /// File with the key that signs desired documents; root lists its public half
    #[arg(long, env = "WINDLASS_DESIRED_KEY", value_name = "FILE")]
    pub desired_key: PathBuf,
    /// Where agents read content, in order: URLs of CDNs or mirrors in front of the store
    #[arg(long, env = "WINDLASS_ORIGINS", value_delimiter = ',', num_args = 0.., value_name = "URL")]
    pub origins: Vec<String>,
    /// File with the token of the first person; made at the first start, readable by this user alone
    #[arg(long, env = "WINDLASS_ADMIN_TOKEN_FILE", default_value = "admin-token", value_name = "FILE")]
    pub admin_token_file: PathBuf,
    /// How often agents should poll. They poll every 2m by themselves; anything else is told in each answer
    #[arg(long, env = "WINDLASS_POLL_INTERVAL", default_value = "2m", value_parser = duration(MINUTE / 2, HOUR), value_name = "DURATION")]
    pub poll_interval: Duration,
    /// How long a signed desired document is fresh; agents go on beyond it, and say so
    #[arg(long, env = "WINDLASS_LIFETIME", default_value = "24h", value_parser = duration(HOUR, 365 * DAY), value_name = "DURATION")]
    pub lifetime: Duration,
    /// Certificate chain (PEM) of this server; without it and a key it speaks plain HTTP
    #[arg(long, env = "WINDLASS_TLS_CERT", value_name = "FILE")]
    pub tls_cert: Option<PathBuf>,
    /// Private key (PEM) of the certificate
    #[arg(long, env = "WINDLASS_TLS_KEY", value_name = "FILE")]
    pub tls_key: Option<PathBuf>,
    /// Connections at once; beyond it the one that has been idle longest is closed
    #[arg(long, env = "WINDLASS_MAX_CONNECTIONS", default_value_t = 20_000, value_parser = clap::value_parser!(u32).range(16..=1_000_000), value_name = "N")]
    pub max_connections: u32,
    /// Requests at once, polls without news aside; beyond it the answer is 503 with Retry-After
    #[arg(long, env = "WINDLASS_MAX_REQUESTS", default_value_t = 512, value_parser = clap::value_parser!(u32).range(4..=100_000), value_name = "N")]
    pub max_requests: u32,
    /// Health and metrics
    #[command(flatten)]
    pub observe: ObserveArgs<9440>,
    /// Logs
    #[command(flatten)]
    pub logs: LogArgs,
}

impl Settings {
    /// Rules between settings.
    pub fn check(&self) -> anyhow::Result<()> {
        ensure!(
            self.tls_cert.is_some() == self.tls_key.is_some(),
            "--tls-cert and --tls-key belong together; give both, or neither for plain HTTP"
        );
        let is_place = |origin: &&String| {
            ["https://", "http://", "file://"].iter().any(|scheme| origin.starts_with(scheme))
                && !origin.contains('@')
        };
        let wrong = self.origins.iter().find(|origin| !is_place(origin));
        ensure!(
            wrong.is_none(),
            "--origins: `{}` is not an origin; write https://HOST/PATH, without a user or password",
            wrong.map_or("", String::as_str)
        );
        ensure!(
            self.origins.len() <= cdn::limits::DESIRED_LIST,
            "--origins: at most {} are told to agents",
            cdn::limits::DESIRED_LIST
        );
        ensure!(
            !(self.database.contains("://")
                && self.database.split('@').next().unwrap_or("").matches(':').count() > 1),
            "--database holds a password, which everyone on this machine can see: put the address into a file and \
             give --database-url-file"
        );
        Ok(())
    }

    /// The database's address, a password and all.
    pub(crate) fn database_url(&self) -> anyhow::Result<Secret> {
        match &self.database_url_file {
            Some(file) => read_secret(file).map(Secret::new).context("read --database-url-file"),
            None => Ok(Secret::new(self.database.clone())),
        }
    }
}
