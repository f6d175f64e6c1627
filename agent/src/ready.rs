//! `Ready`: what `/readyz` shows of an agent. Only the first pass keeps it from being ready: what is held afterwards is
//! said, and no restart would heal it.

use cdn::document::Hold;
use program::observe::{Part, Readiness};

use crate::status::Status;

/// The parts of an agent.
#[derive(Debug)]
pub(crate) struct Ready {
    first_pass: Part,
    network: Part,
    sync: Part,
}

impl Ready {
    /// Nothing is known yet, and the first pass is waited for.
    pub(crate) fn of(readiness: &Readiness) -> Self {
        let part = |name| readiness.part(name);
        let ready = Self { first_pass: part("first pass"), network: part("network"), sync: part("sync") };
        ready.network.ready();
        ready.sync.ready();
        ready
    }

    /// Shows how things stand: the first hold of a part is why it does not wholly work.
    pub(crate) fn show(&self, status: &Status) {
        let network = &status.network;
        let problem = (!network.problem.is_empty()).then(|| network.problem.clone());
        say(&self.network, first(&network.holds).or(problem));
        if let Some(pass) = &status.pass {
            self.first_pass.ready();
            say(&self.sync, first(&pass.holds));
        }
    }
}

fn first(holds: &[Hold]) -> Option<String> {
    holds.first().map(|hold| format!("{}: {}", hold.reason.code(), hold.message))
}

fn say(part: &Part, why: Option<String>) {
    match why {
        Some(why) => part.degraded(why),
        None => part.ready(),
    }
}
