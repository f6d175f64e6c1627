//! The end of a program: a signal cancels one token, the tasks get a grace period, a second signal ends it at once.

use std::collections::HashMap;
use std::io;
use std::time::Duration;

use anyhow::{Context, anyhow};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

/// How long tasks may take to end after a stop was asked for; Kubernetes kills after 30 s.
pub const GRACE: Duration = Duration::from_secs(25);

/// Listens for SIGTERM, SIGINT, and SIGHUP: a terminal that is closed.
#[derive(Debug)]
pub struct Shutdown {
    token: CancellationToken,
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Shutdown {
    /// Takes over all three signals, from now on; call it first in `main`, inside the runtime.
    pub fn listen() -> io::Result<Self> {
        Ok(Self {
            token: CancellationToken::new(),
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// The token that a signal cancels; tasks watch it (or children of it) and return.
    pub fn token(&self) -> CancellationToken {
        self.token.clone()
    }

    /// Runs until every task has returned, or a signal or a failed task stops all of them.
    ///
    /// The first failure is the result. After a stop the tasks have `grace` to return; what is left then, or when a
    /// second signal comes, is aborted, and that is an error too.
    pub async fn run_until_stopped(mut self, mut tasks: Tasks, grace: Duration) -> anyhow::Result<()> {
        let mut outcome = Ok(());
        let mut deadline = None;
        let mut signals = 0;
        let token = self.token();
        while !tasks.set.is_empty() {
            let end = deadline;
            tokio::select! {
                ended = tasks.next() => {
                    if let Err(failure) = ended {
                        token.cancel();
                        outcome = Err(first(outcome, failure));
                    }
                }
                name = self.signalled() => {
                    signals += 1;
                    if signals > 1 {
                        tracing::warn!(signal = name, "second signal: ending at once");
                        return tasks.abort(outcome, "a second signal came").await;
                    }
                    tracing::info!(signal = name, grace_seconds = grace.as_secs(), "stopping");
                    token.cancel();
                }
                () = token.cancelled(), if deadline.is_none() => deadline = Some(Instant::now() + grace),
                () = sleep_until(end.unwrap_or_else(Instant::now)), if end.is_some() => {
                    return tasks.abort(outcome, "the grace period is over").await;
                }
            }
        }
        outcome
    }

    /// Waits for the next signal; says its name.
    pub async fn signalled(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.hangup.recv() => "SIGHUP",
        }
    }
}

/// The first failure, which is for `main` to say; of a later one nobody else would hear.
fn first(outcome: anyhow::Result<()>, failure: anyhow::Error) -> anyhow::Error {
    match outcome {
        Ok(()) => {
            tracing::info!("stopping: a task failed; why is said at the end");
            failure
        }
        Err(first) => {
            tracing::error!(error = format!("{failure:#}"), "another task failed");
            first
        }
    }
}

/// The tasks that `main` owns, each with a name that its failure is told by.
#[derive(Debug, Default)]
pub struct Tasks {
    set: JoinSet<anyhow::Result<()>>,
    names: HashMap<Id, String>,
}

impl Tasks {
    /// No tasks yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Starts a task.
    pub fn start(
        &mut self,
        name: impl Into<String>,
        task: impl Future<Output = anyhow::Result<()>> + Send + 'static,
    ) {
        let id = self.set.spawn(task).id();
        self.names.insert(id, name.into());
    }

    async fn next(&mut self) -> anyhow::Result<()> {
        match self.set.join_next_with_id().await {
            None => Ok(()),
            Some(Ok((id, result))) => {
                let name = self.names.remove(&id).unwrap_or_default();
                result.with_context(|| format!("task `{name}` failed"))
            }
            Some(Err(error)) => Err(self.broken(&error)),
        }
    }

    fn broken(&mut self, error: &JoinError) -> anyhow::Error {
        let name = self.names.remove(&error.id()).unwrap_or_default();
        let how = if error.is_panic() { "panicked; the log has the place" } else { "was aborted" };
        anyhow!("task `{name}` {how}")
    }

    /// Ends what is left, and says its names.
    async fn abort(mut self, outcome: anyhow::Result<()>, why: &str) -> anyhow::Result<()> {
        while let Some(ended) = self.set.try_join_next_with_id() {
            let id = ended.map_or_else(|error| error.id(), |(id, _)| id);
            self.names.remove(&id);
        }
        self.set.shutdown().await;
        let mut left: Vec<String> = self.names.into_values().collect();
        if left.is_empty() {
            return outcome;
        }
        left.sort();
        outcome.and(Err(anyhow!("{why} and these tasks had not ended: {}", left.join(", "))))
    }
}
