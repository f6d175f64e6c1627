//! A real PostgreSQL server, of the version that this machine has (15 or newer).

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result};
use tempfile::TempDir;
use tokio::sync::OnceCell;

use crate::process::{Process, Program, Ready};
use crate::tools::{self, Tool};
use crate::{environment, ports, run, workplace};

const USER: &str = "testbed";
const PASSWORD: &str = "testbed-password";
/// Whom Debian's package has made for it: PostgreSQL refuses to run as root.
const UNPRIVILEGED: &str = "postgres";

/// A running PostgreSQL server. It does not fsync: it survives being killed, not a power cut.
#[derive(Debug)]
pub struct Postgres {
    process: Process,
    programs: PathBuf,
    port: u16,
    databases: AtomicU32,
    _folder: TempDir,
}

impl Postgres {
    /// Starts one of the caller's own.
    pub async fn start() -> Result<Self> {
        let server = tools::ready(Tool::Postgres).await?;
        let programs = server.parent().context("the server lies in a folder")?.to_owned();
        let folder = workplace::folder("postgres")?;
        let home = folder.path().join("home");
        let (initdb, at) = (programs.join("initdb"), home.clone());
        tokio::task::spawn_blocking(move || initialise(&initdb, &at))
            .await
            .context("the thread of initdb died")??;
        let port = ports::free_port()?;
        let program = program(&server, &home, port)?;
        let ready = Ready::Line("database system is ready to accept connections".to_owned());
        let process = program.start(ready).await.context("start a PostgreSQL server")?;
        Ok(Self { process, programs, port, databases: AtomicU32::new(0), _folder: folder })
    }

    /// The one that all tests of this process share; who stops it takes one of their own.
    pub async fn shared() -> Result<&'static Self> {
        static SHARED: OnceCell<Postgres> = OnceCell::const_new();
        SHARED.get_or_try_init(|| async { Self::start().await }).await
    }

    /// `postgres://USER:PASSWORD@127.0.0.1:PORT/DATABASE`; the database `postgres` is there from the start.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://{USER}:{PASSWORD}@127.0.0.1:{}/{database}", self.port)
    }

    /// A new empty database, named by the prefix and a number; returns its URL.
    pub async fn create_database(&self, prefix: &str) -> Result<String> {
        let name = format!("{prefix}_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.sql("postgres", &format!(r#"create database "{name}""#)).await?;
        Ok(self.url(&name))
    }

    /// Runs SQL in a database with `psql`; returns rows as lines, columns separated by `|`.
    pub async fn sql(&self, database: &str, sql: &str) -> Result<String> {
        let mut psql = Command::new(self.programs.join("psql"));
        psql.args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1"])
            .args(["--host=127.0.0.1", "--username", USER, "--port", &self.port.to_string()])
            .args(["--dbname", database])
            .env("PGPASSWORD", PASSWORD)
            .env("PGCONNECT_TIMEOUT", "10");
        let sql = sql.to_owned();
        let said = tokio::task::spawn_blocking(move || run::output_with(&sql, &mut psql)).await;
        Ok(said.context("the thread of psql died")??.trim_end().to_owned())
    }

    /// What the server has written to its log.
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// Ends it in order (sessions are ended too).
    pub async fn stop(&mut self) -> Result<()> {
        // SIGTERM would wait for its clients to go.
        self.process.interrupt().await?;
        Ok(())
    }

    /// Ends it as a power cut would.
    pub async fn kill(&mut self) -> Result<()> {
        self.process.kill().await
    }

    /// Starts it again, on the same port and data.
    pub async fn start_again(&mut self) -> Result<()> {
        self.process.start_again().await
    }

    /// Freezes it and all its sessions: connections stay open and nothing answers.
    pub fn pause(&self) -> Result<()> {
        self.process.pause()
    }

    /// Lets it go on.
    pub fn resume(&self) -> Result<()> {
        self.process.resume()
    }
}

/// Creates the server's data, owned by whom it will run as.
fn initialise(initdb: &Path, home: &Path) -> Result<()> {
    std::fs::create_dir(home).with_context(|| format!("create {}", home.display()))?;
    let password = home.join("password");
    std::fs::write(&password, PASSWORD).context("write the password for initdb")?;
    if environment::is_root() {
        run::output(Command::new("chown").args(["-R", UNPRIVILEGED]).arg(home))
            .with_context(|| format!("give {} to the user {UNPRIVILEGED}", home.display()))?;
    }
    let arguments = [
        format!("--pgdata={}", home.join("data").display()),
        format!("--pwfile={}", password.display()),
        format!("--username={USER}"),
    ];
    let mut command = as_unprivileged(initdb);
    command
        .args(["--auth=scram-sha-256", "--encoding=UTF8", "--no-locale", "--no-sync"])
        .args(arguments)
        .current_dir(home);
    run::output(&mut command).context("create a PostgreSQL data folder")?;
    Ok(())
}

fn program(server: &Path, home: &Path, port: u16) -> Result<Program> {
    let command = as_unprivileged(server);
    let settings = [
        format!("port={port}"),
        "listen_addresses=127.0.0.1".to_owned(),
        format!("unix_socket_directories={}", home.display()),
        "fsync=off".to_owned(),
        "max_connections=200".to_owned(),
        "log_min_duration_statement=1000".to_owned(),
    ];
    let program = command.get_program().to_owned();
    let data = home.join("data");
    let data = data.to_str().context("the data folder's path is not text")?;
    let settings = settings.iter().flat_map(|setting| ["-c", setting.as_str()]);
    Ok(Program::new("postgres", program)
        .args(command.get_args())
        .args(["-D", data])
        .args(settings)
        .current_dir(home))
}

/// `setpriv` replaces itself by the program, so that signals reach it, as they would not behind `su` or `runuser`.
fn as_unprivileged(program: &Path) -> Command {
    if !environment::is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid", UNPRIVILEGED, "--regid", UNPRIVILEGED, "--clear-groups", "--"]).arg(program);
    command
}
