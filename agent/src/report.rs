//! The report loop: says how things are here, only when something changed, and never more often than is of use.

mod size;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use cdn::document::{Document, Report, Usage};
use cdn::json;
use futures::FutureExt;
use jiff::Timestamp;
use program::{schedule, usage};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::USER_AGENT;
use crate::api::{Api, ApiError};
use crate::outcome::Ended;
use crate::status::Status;
use crate::target::Target;

/// The report loop.
#[derive(Debug)]
pub(crate) struct Reporter {
    api: Api,
    status: watch::Receiver<Status>,
    target: Arc<Target>,
    /// The target that the state on disk belongs to.
    home: String,
    /// Whether this is that one.
    at_home: bool,
    /// What was said last, without number and usage.
    said: Option<Vec<u8>>,
    number: u64,
}

/// Changes within this time become one report.
const SPACING: Duration = Duration::from_secs(1);
/// No clock says more; a report above could never be followed by a newer one.
const LAST_NUMBER: u64 = (1 << 53) - 1;
const LONGEST: Duration = Duration::from_mins(10);

impl Reporter {
    /// A loop that says what it sees in `status`. `home`: the target that the state on disk belongs to.
    pub(crate) fn new(api: Api, status: watch::Receiver<Status>, target: Arc<Target>, home: String) -> Self {
        Self { api, status, target, home, at_home: false, said: None, number: 0 }
    }

    /// Runs until `stop`.
    pub(crate) async fn run(mut self, stop: CancellationToken) -> anyhow::Result<()> {
        let mut backoff = schedule::Backoff::new(Duration::from_secs(2), LONGEST);
        loop {
            let sent = tokio::select! {
                () = stop.cancelled() => return Ok(()),
                sent = AssertUnwindSafe(Box::pin(self.say())).catch_unwind() => match sent {
                    Ok(sent) => sent,
                    Err(_) => Err(ApiError::Unreadable("making the report panicked".to_owned())),
                },
            };
            let mut wait = SPACING;
            match sent {
                Ok(()) => backoff.reset(),
                Err(error) => {
                    tracing::warn!(%error, "the report was not taken; it is sent again");
                    wait = backoff.next(error.wait()).max(SPACING);
                }
            }
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                () = tokio::time::sleep(wait) => {}
            }
            let behind = self.is_news().is_some();
            if !behind {
                tokio::select! {
                    () = stop.cancelled() => return Ok(()),
                    changed = self.status.changed() => if changed.is_err() { return Ok(()) },
                }
            }
        }
    }

    /// Says how things are, if that is news.
    pub(crate) async fn say(&mut self) -> Result<(), ApiError> {
        let Some(news) = self.is_news() else { return Ok(()) };
        if self.is_a_copy().await {
            return Ok(());
        }
        let mut sent = self.send().await;
        // Said before by a clock that was ahead: the numbers go on from there.
        if let Some(known) = sent.as_ref().err().and_then(outdated) {
            self.number = self.number.max(known);
            sent = self.send().await;
        }
        match sent {
            Ok(()) => self.said = Some(news),
            // The same words would be refused again; the next change is worth another try.
            Err(error) if error.needs_a_person() && !is_about_us(&error) => {
                tracing::warn!(%error, "the api does not take this report");
                self.said = Some(news);
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Whether this target is another one than the state belongs to: what a copy says would stand in place of what the
    /// true cluster says (FAULTS D9). A target that cannot be asked is no proof of that.
    async fn is_a_copy(&mut self) -> bool {
        if !self.at_home
            && let Ok(found) = self.target.home().await
        {
            self.at_home = found == self.home;
            return !self.at_home;
        }
        false
    }

    async fn send(&mut self) -> Result<(), ApiError> {
        let now = u64::try_from(Timestamp::now().as_millisecond()).unwrap_or_default();
        self.number = now.max(self.number.saturating_add(1));
        let mut said = report(&self.status.borrow());
        said.number = self.number;
        said.usage = used(&self.status.borrow());
        self.api.report(&said).await
    }

    /// What would be said, without number and usage; none if there is nothing to say yet, or it was said.
    fn is_news(&mut self) -> Option<Vec<u8>> {
        let status = self.status.borrow_and_update();
        if status.pass.is_none() && status.network.holds.is_empty() {
            return None;
        }
        let news = json::canonical_of(&report(&status));
        drop(status);
        (self.said.as_ref() != Some(&news)).then_some(news)
    }
}

/// The number of the last report that the api knows, where that is why it refuses this one.
fn outdated(error: &ApiError) -> Option<u64> {
    match error {
        ApiError::Refused { problem: Some(problem), .. } => {
            problem.number.filter(|known| *known < LAST_NUMBER)
        }
        ApiError::Refused { .. } | ApiError::NoCredential | ApiError::Fetch(_) | ApiError::Unreadable(_) => {
            None
        }
    }
}

/// A refusal of the credential, not of the words.
fn is_about_us(error: &ApiError) -> bool {
    match error {
        ApiError::Refused { status, .. } => matches!(status.as_u16(), 401 | 403),
        ApiError::NoCredential | ApiError::Fetch(_) | ApiError::Unreadable(_) => false,
    }
}

fn report(status: &Status) -> Report {
    let pass = status.pass.as_ref();
    size::fit(Report {
        format: Report::TYPE.to_owned(),
        number: 0,
        seq: status.network.seq,
        passed: pass.filter(|pass| pass.ended != Ended::Failed).map_or(0, |pass| pass.seq),
        root: status.network.root,
        agent: USER_AGENT.to_owned(),
        services: pass.map(|pass| pass.services.clone()).unwrap_or_default(),
        holds: status.holds(),
        removed: pass.map(|pass| pass.removed.clone()).unwrap_or_default(),
        usage: Usage::default(),
    })
}

fn used(status: &Status) -> Usage {
    let cpu = usage::cpu_seconds().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    Usage {
        cpu_ms: cpu.and_then(|cpu| u64::try_from(cpu.as_millis()).ok()).unwrap_or_default(),
        memory_bytes: usage::resident_bytes().unwrap_or_default(),
        content_bytes: status.network.content_bytes,
        saved_bytes: status.network.saved_bytes,
    }
}
