//! Running any program as a part of a test.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Result, bail};

/// A program that is to run: what, with which arguments and environment. Beside what is given here it sees `PATH`,
/// `HOME` and `TMPDIR` of the test process, and nothing else of its environment.
#[derive(Clone, Debug)]
pub struct Program {
    name: String,
    path: PathBuf,
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
    /// When its log contains this text.
    Line(String),
}

/// A running program, ended when this value is dropped or the test process dies.
#[derive(Debug)]
pub struct Process {}

impl Program {
    /// A program by its path, under the name that errors and its log file will have.
    pub fn new(name: &str, path: impl AsRef<Path>) -> Self {
        Self { name: name.to_owned(), path: path.as_ref().to_owned() }
    }
    /// Adds one argument.
    #[must_use]
    pub fn arg(self, _arg: impl AsRef<std::ffi::OsStr>) -> Self {
        self
    }
    /// Adds arguments.
    #[must_use]
    pub fn args<A: AsRef<std::ffi::OsStr>>(self, _args: impl IntoIterator<Item = A>) -> Self {
        self
    }
    /// Sets one variable of its environment.
    #[must_use]
    pub fn env(self, _name: &str, _value: impl AsRef<std::ffi::OsStr>) -> Self {
        self
    }
    /// The folder it runs in; else one of its own.
    #[must_use]
    pub fn current_dir(self, _folder: impl AsRef<Path>) -> Self {
        self
    }
    /// How long it may take to become ready (60 s unless told).
    #[must_use]
    pub fn ready_within(self, _time: Duration) -> Self {
        self
    }
    /// Starts it and waits until it is ready; an error has the end of its log.
    pub async fn start(self, _ready: Ready) -> Result<Process> {
        bail!("{} ({}) is not built yet", self.name, self.path.display())
    }
}

impl Process {
    /// Its process id.
    pub fn id(&self) -> u32 {
        0
    }
    /// Whether it still runs.
    pub fn is_running(&self) -> bool {
        false
    }
    /// All that it has written to stdout and stderr, over restarts too.
    pub fn log(&self) -> String {
        String::new()
    }
    /// Waits for a condition of the caller, at most `within`; an error, with the end of the log, when the program ends first.
    pub async fn wait_until(
        &self,
        what: &str,
        _within: Duration,
        _condition: impl AsyncFnMut() -> bool,
    ) -> Result<()> {
        bail!("{what}")
    }
    /// Waits for it to end by itself and returns its exit code (128 + n after signal n).
    pub async fn wait(&mut self, _within: Duration) -> Result<i32> {
        bail!("not built yet")
    }
    /// Asks it to end (SIGTERM), then makes it end (SIGKILL after 10 s); returns its exit code.
    pub async fn stop(&mut self) -> Result<i32> {
        bail!("not built yet")
    }
    /// Ends it as a power cut would (SIGKILL).
    pub async fn kill(&mut self) -> Result<()> {
        bail!("not built yet")
    }
    /// Starts the same program again, with the same arguments, after it has ended.
    pub async fn start_again(&mut self) -> Result<()> {
        bail!("not built yet")
    }
    /// Freezes it and its children (SIGSTOP): connections stay open and nothing answers.
    pub fn pause(&self) -> Result<()> {
        bail!("not built yet")
    }
    /// Lets it go on (SIGCONT).
    pub fn resume(&self) -> Result<()> {
        bail!("not built yet")
    }
}

/// A TCP port of 127.0.0.1 that stays this process's own until it ends: no other test process gets it, and the kernel
/// gives it to no outgoing connection.
pub fn free_port() -> Result<u16> {
    bail!("not built yet")
}
