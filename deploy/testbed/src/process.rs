//! Running any program as a part of a test: its environment, its log, its readiness, and a certain end.

mod running;
mod tree;

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::Signal;
use tempfile::TempDir;

use crate::{http, workplace};
use running::Running;

/// How often a condition is looked at while somebody waits for it.
const GLANCE: Duration = Duration::from_millis(20);
/// How long an orderly end may take before it is made short.
const GRACE: Duration = Duration::from_secs(10);
/// How much of a log an error shows.
const TAIL_BYTES: usize = 4_000;

/// A program that is to run: what, with which arguments and environment. Beside what is given here it sees `PATH`,
/// `HOME` and `TMPDIR` of the test process, and nothing else of its environment.
#[derive(Clone, Debug)]
pub struct Program {
    name: String,
    path: PathBuf,
    args: Vec<OsString>,
    env: Vec<(String, OsString)>,
    current_dir: Option<PathBuf>,
    ready_within: Duration,
}

/// When a started program counts as ready.
#[derive(Clone, Debug)]
pub enum Ready {
    /// As soon as it runs.
    AtOnce,
    /// When this `host:port` accepts connections.
    Tcp(String),
    /// When a GET of this plain `http://` URL is answered with a status below 400.
    Http(String),
    /// When its log contains this text (since this start).
    Line(String),
}

/// A running program, ended when this value is dropped or the test process dies.
#[derive(Debug)]
pub struct Process {
    running: Running,
    program: Program,
    ready: Ready,
    log: PathBuf,
    folder: TempDir,
}

impl Program {
    /// A program by its path, under the name that errors and its log file will have.
    pub fn new(name: &str, path: impl AsRef<Path>) -> Self {
        Self {
            name: name.to_owned(),
            path: path.as_ref().to_owned(),
            args: Vec::new(),
            env: Vec::new(),
            current_dir: None,
            ready_within: Duration::from_mins(1),
        }
    }

    /// Adds one argument.
    #[must_use]
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.args.push(arg.as_ref().to_owned());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<A: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    /// Sets one variable of its environment.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.env.push((name.to_owned(), value.as_ref().to_owned()));
        self
    }

    /// The folder it runs in; else one of its own.
    #[must_use]
    pub fn current_dir(mut self, folder: impl AsRef<Path>) -> Self {
        self.current_dir = Some(folder.as_ref().to_owned());
        self
    }

    /// How long it may take to become ready (60 s unless told).
    #[must_use]
    pub fn ready_within(mut self, time: Duration) -> Self {
        self.ready_within = time;
        self
    }

    /// Starts it and waits until it is ready; an error has the end of its log.
    pub async fn start(self, ready: Ready) -> Result<Process> {
        let folder = workplace::folder(&self.name)?;
        let log = folder.path().join(format!("{}.log", self.name));
        let running = Running::start(&self, &log, folder.path()).await?;
        let process = Process { running, program: self, ready, log, folder };
        process.until_ready(0).await?;
        Ok(process)
    }
}

impl Process {
    /// Its process id; that of its latest run when it has ended.
    pub fn id(&self) -> u32 {
        self.running.id()
    }

    /// Whether it still runs.
    pub fn is_running(&self) -> bool {
        self.running.exit_code().is_none()
    }

    /// A folder of its own, where its log lies and where it runs unless told otherwise.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// All that it has written to stdout and stderr, over restarts too.
    pub fn log(&self) -> String {
        std::fs::read(&self.log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }

    /// Waits for a condition of the caller, at most `within`. It is an error when the time is over or the program ends
    /// first; the error has the end of the log.
    pub async fn wait_until(
        &self,
        what: &str,
        within: Duration,
        mut holds: impl AsyncFnMut() -> bool,
    ) -> Result<()> {
        let deadline = Instant::now() + within;
        loop {
            if holds().await {
                return Ok(());
            }
            let name = &self.program.name;
            if let Some(code) = self.running.exit_code() {
                bail!(
                    "{name} ended with exit code {code} before {what}; the end of its log:\n{}",
                    self.tail()
                );
            }
            if Instant::now() >= deadline {
                bail!("{name} runs, but not after {within:?}: {what}; the end of its log:\n{}", self.tail());
            }
            tokio::time::sleep(GLANCE).await;
        }
    }

    /// Waits for it to end by itself and returns its exit code (128 + n after signal n).
    pub async fn wait(&mut self, within: Duration) -> Result<i32> {
        match self.ended_within(within).await {
            Some(code) => Ok(code),
            None => bail!(
                "{} still runs after {within:?}; the end of its log:\n{}",
                self.program.name,
                self.tail()
            ),
        }
    }

    /// Asks it to end (SIGTERM), makes it end if that takes longer than 10 s; returns its exit code.
    pub async fn stop(&mut self) -> Result<i32> {
        self.end_by(Signal::TERM).await
    }

    /// The same by SIGINT, as Ctrl-C does.
    pub async fn interrupt(&mut self) -> Result<i32> {
        self.end_by(Signal::INT).await
    }

    async fn end_by(&mut self, signal: Signal) -> Result<i32> {
        self.running.signal(signal);
        if let Some(code) = self.ended_within(GRACE).await {
            return Ok(code);
        }
        self.kill().await?;
        Ok(128 + 9)
    }

    /// Ends it and its children as a power cut would (SIGKILL).
    pub async fn kill(&mut self) -> Result<()> {
        let children = self.running.kill();
        let deadline = Instant::now() + GRACE;
        while self.is_running() || children.iter().any(|&child| tree::is_alive(child)) {
            ensure!(Instant::now() < deadline, "{} survived SIGKILL for {GRACE:?}", self.program.name);
            tokio::time::sleep(GLANCE).await;
        }
        Ok(())
    }

    /// Starts the same program again, with the same arguments, after it has ended.
    pub async fn start_again(&mut self) -> Result<()> {
        ensure!(!self.is_running(), "{} still runs: stop it before it is started again", self.program.name);
        let written = self.log().len();
        self.running = Running::start(&self.program, &self.log, self.folder.path()).await?;
        self.until_ready(written).await
    }

    /// Freezes it and its children (SIGSTOP) and waits until they stand: connections stay open and nothing answers.
    pub fn pause(&self) -> Result<()> {
        self.running.pause().with_context(|| format!("pause {}", self.program.name))
    }

    /// Lets it go on (SIGCONT).
    pub fn resume(&self) -> Result<()> {
        self.running.signal_all(Signal::CONT).with_context(|| format!("resume {}", self.program.name))
    }

    async fn until_ready(&self, written: usize) -> Result<()> {
        let what = match &self.ready {
            Ready::AtOnce => return Ok(()),
            Ready::Tcp(address) => format!("{address} accepts connections"),
            Ready::Http(url) => format!("{url} is answered with success"),
            Ready::Line(text) => format!("its log says `{text}`"),
        };
        let holds = async || match &self.ready {
            Ready::AtOnce => true,
            Ready::Tcp(address) => http::accepts(address).await,
            Ready::Http(url) => http::status("GET", url).await.is_ok_and(|status| status < 400),
            Ready::Line(text) => self.log().get(written..).is_some_and(|log| log.contains(text)),
        };
        self.wait_until(&what, self.program.ready_within, holds).await
    }

    async fn ended_within(&self, within: Duration) -> Option<i32> {
        let deadline = Instant::now() + within;
        loop {
            let code = self.running.exit_code();
            if code.is_some() || Instant::now() >= deadline {
                return code;
            }
            tokio::time::sleep(GLANCE).await;
        }
    }

    /// The end of its log.
    pub(crate) fn tail(&self) -> String {
        let log = self.log();
        let start = log.ceil_char_boundary(log.len().saturating_sub(TAIL_BYTES));
        log.get(start..).unwrap_or_default().to_owned()
    }
}
