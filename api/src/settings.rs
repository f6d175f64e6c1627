//! The settings of `windlass-api`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, ensure};
use cdn::Secret;
use cdn::wire::POLL_AFTER_BOUNDS;
use clap::Parser;
use program::logs::LogArgs;
use program::observe::ObserveArgs;
use program::settings::{duration, read_secret};
use program::tls::TlsArgs;
use store::StoreArgs;

const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);

/// The control plane of a fleet: tells each cluster which digest it should run
///
/// Example: windlass-api --root keys/root --desired-key keys/desired.key --store /var/lib/windlass/store
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
    /// How often agents should poll, 30s to 1h. They poll every 2m by themselves; anything else is told in each answer
    #[arg(long, env = "WINDLASS_POLL_INTERVAL", default_value = "2m", value_parser = duration(POLL_AFTER_BOUNDS.0, POLL_AFTER_BOUNDS.1), value_name = "DURATION")]
    pub poll_interval: Duration,
    /// How long a signed desired document is fresh; agents go on beyond it, and say so
    #[arg(long, env = "WINDLASS_LIFETIME", default_value = "24h", value_parser = duration(HOUR, 365 * DAY), value_name = "DURATION")]
    pub lifetime: Duration,
    /// Its certificate
    #[command(flatten)]
    pub tls: TlsArgs,
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
        self.tls.check()?;
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
            !holds_password(&self.database),
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

/// Before the host, or as a parameter. A parameter's name that is written in escapes may be anything.
fn holds_password(database: &str) -> bool {
    let Some((_, rest)) = database.split_once("://") else { return false };
    let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
    let user = place.rsplit_once('@').map_or("", |(user, _)| user);
    let names = query.split('&').map(|part| part.split('=').next().unwrap_or_default().to_lowercase());
    user.contains(':') || names.into_iter().any(|name| name.contains("password") || name.contains('%'))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::{Settings, holds_password};

    #[test]
    fn agents_are_told_nothing_of_their_own_interval() {
        let needed = ["windlass-api", "--root=root", "--desired-key=desired", "--store=store"];
        let settings = Settings::try_parse_from(needed).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(settings.poll_interval, cdn::wire::POLL_INTERVAL);
    }

    #[test]
    fn a_password_in_an_address_is_seen_wherever_it_stands() {
        for secret in [
            "postgres://user:secret@host/db",
            "postgresql://user:secret@host:5432/db?sslmode=require",
            "postgres://user@host/db?password=secret",
            "postgres://host/db?sslmode=require&PASSWORD=secret",
            "postgres://host/db?pass%77ord=secret",
            "postgres://user:se@cret@host/db",
        ] {
            assert!(holds_password(secret), "{secret}");
        }
        for plain in [
            "postgres://user@host:5432/db?sslmode=require",
            "postgres://[::1]:5432/db",
            "/var/lib/windlass/api.db",
            "sqlite:///var/lib/api.db",
        ] {
            assert!(!holds_password(plain), "{plain}");
        }
    }
}
