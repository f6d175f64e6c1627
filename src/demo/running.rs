//! `Running`: a program in this process, with an end of its own.

use std::future::Future;

use anyhow::{Context as _, Result};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// A program that runs in this process until it is stopped or dropped.
pub(super) struct Running {
    name: &'static str,
    stop: CancellationToken,
    task: JoinSet<Result<()>>,
}

impl Running {
    /// Starts it; it must end soon after its token is cancelled.
    pub(super) fn start<F>(name: &'static str, program: impl FnOnce(CancellationToken) -> F) -> Self
    where
        F: Future<Output = Result<()>> + Send + 'static,
    {
        let stop = CancellationToken::new();
        let mut task = JoinSet::new();
        task.spawn(program(stop.clone()));
        Self { name, stop, task }
    }

    /// Stops it and waits for its end.
    pub(super) async fn stop(mut self) -> Result<()> {
        self.stop.cancel();
        match self.task.join_next().await {
            Some(ended) => ended.with_context(|| format!("{} broke", self.name))?.with_context(|| self.name),
            None => Ok(()),
        }
    }

    /// Why it has ended by itself, if it has.
    pub(super) fn failure(&mut self) -> Option<anyhow::Error> {
        let ended = self.task.try_join_next()?;
        let why = match ended {
            Ok(Ok(())) => anyhow::anyhow!("it ended by itself"),
            Ok(Err(error)) => error,
            Err(error) => error.into(),
        };
        Some(why.context(format!("{} has stopped", self.name)))
    }
}
