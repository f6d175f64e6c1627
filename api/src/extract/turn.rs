//! One of the requests that are answered at once. A body is not waited for with it: who sends slowly would hold what
//! others need.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, SemaphorePermit};

use crate::app::App;
use crate::error::{Error, Result};

/// What the beginning of a body is counted as.
const BODY_BYTES: usize = 4 << 10;

/// A turn; clones are the same one.
#[derive(Clone, Debug)]
pub(crate) struct Turn(Arc<Mutex<Option<OwnedSemaphorePermit>>>);

/// Room for a body that is being sent.
#[derive(Debug)]
pub(crate) struct Room<'a> {
    app: &'a App,
    taken: SemaphorePermit<'a>,
}

impl Turn {
    /// Takes one, if there is one now: nobody queues for it.
    pub(crate) fn take(app: &App) -> Result<Self> {
        let turn = Self(Arc::default());
        turn.resume(app)?;
        Ok(turn)
    }

    /// Gives it up while the body comes.
    pub(crate) fn pause(&self) {
        self.set(None);
    }

    /// Takes one again.
    pub(crate) fn resume(&self, app: &App) -> Result<()> {
        let taken = Arc::clone(&app.requests).try_acquire_owned().map_err(|_| shed())?;
        self.set(Some(taken));
        Ok(())
    }

    /// The request has been answered.
    pub(crate) fn end(&self) {
        self.set(None);
    }

    fn set(&self, taken: Option<OwnedSemaphorePermit>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = taken;
    }
}

impl<'a> Room<'a> {
    /// Room for the beginning of a body.
    pub(crate) fn take(app: &'a App) -> Result<Self> {
        Ok(Self { app, taken: room(app, BODY_BYTES)? })
    }

    /// Makes it so large.
    pub(crate) fn grow(&mut self, bytes: usize) -> Result<()> {
        let more = bytes.saturating_sub(self.taken.num_permits());
        if more > 0 {
            self.taken.merge(room(self.app, more)?);
        }
        Ok(())
    }
}

fn room(app: &App, bytes: usize) -> Result<SemaphorePermit<'_>> {
    let bytes = u32::try_from(bytes).map_err(|_| shed())?;
    app.bodies.try_acquire_many(bytes).map_err(|_| shed())
}

fn shed() -> Error {
    Error::unavailable("The api has too much to do; try again.", shed_seconds())
}

/// When to try again after a request was shed: spread, so that those who are sent away do not return together.
fn shed_seconds() -> u64 {
    5 + u64::from(cdn::secret::random::<1>()[0]) % 30
}
