//! What is in the way of the network, and saying so.

use std::io;
use std::time::Duration;

use cdn::document::HoldReason;
use cdn::trust::Trust;
use jiff::Timestamp;
use tokio::time::Instant;

use super::Poller;
use crate::api::ApiError;
use crate::held::Held;
use crate::status::Network;

/// What is in the way of the whole cluster's network.
#[derive(Debug, Default)]
pub(super) struct Problems {
    /// From the last poll; the next good one clears it.
    pub(super) poll: Option<Held>,
    /// The credential is lost.
    pub(super) identity: Option<Held>,
    /// Something that the settings name cannot be used.
    pub(super) settings: Option<Held>,
    /// What is wrong with the poll, where it is no hold.
    pub(super) words: String,
    /// Since when every answer was older than what is believed.
    pub(super) older: Option<Instant>,
    /// The state folder cannot be written.
    pub(super) unwritable: Option<Held>,
}

/// How long nothing but older documents may come before it is said: until then an edge may just be behind.
const OLDER_FOR: Duration = Duration::from_mins(10);

impl Problems {
    pub(super) fn answered(&mut self) {
        self.poll = None;
        self.not_older();
    }

    pub(super) fn not_older(&mut self) {
        self.older = None;
        self.words.clear();
    }

    /// The api tells this cluster nothing until a person has looked: its own holds, in its own words.
    pub(super) fn refused(&mut self, error: &ApiError) {
        let reason = match error.code() {
            Some("duplicate_identity") => HoldReason::DuplicateIdentity,
            Some("agent_ahead") => HoldReason::AgentAhead,
            Some(_) | None => return,
        };
        self.poll = Some(Held::cluster(reason, error.to_string()));
    }

    /// What is said of answers that have all been older for long: somebody rolls the fleet back.
    fn rollback(&self, now: Instant) -> Option<Held> {
        let message = "every answer of the last ten minutes was older than what is believed";
        let is_long = self.older.is_some_and(|since| now.duration_since(since) >= OLDER_FOR);
        is_long.then(|| Held::cluster(HoldReason::RollbackRefused, message))
    }

    fn text(&self) -> String {
        let held = self.poll.as_ref().or(self.identity.as_ref());
        held.map_or_else(|| self.words.clone(), |held| held.message.clone())
    }
}

impl Poller {
    /// Says how the network is.
    pub(super) fn tell(&self, change: impl FnOnce(&mut Network)) {
        let believed = self.believed.as_ref();
        self.status.network(&self.holds(), |network| {
            network.seq = believed.map_or(0, |(snapshot, _)| snapshot.floor().seq);
            network.root = self.trust.as_ref().map_or(0, Trust::version);
            network.content_bytes = self.origins.bytes_read();
            network.saved_bytes = self.saved_bytes;
            network.problem = self.problems.text();
            change(network);
        });
    }

    fn holds(&self) -> Vec<Held> {
        let Problems { poll, identity, settings, unwritable, .. } = &self.problems;
        let mut holds: Vec<Held> =
            [poll, identity, settings, unwritable].into_iter().flatten().cloned().collect();
        if let Some((snapshot, _)) = &self.believed
            && snapshot.desired().expires < Timestamp::now()
        {
            let message = format!("the assignment expired at {}", snapshot.desired().expires);
            holds.push(Held::cluster(HoldReason::Stale, message));
        }
        holds.extend(self.problems.rollback(Instant::now()));
        holds
    }

    /// Notes whether the state folder takes what it is given.
    pub(super) fn note_written(&mut self, written: &io::Result<()>) -> bool {
        if let Err(error) = written {
            tracing::error!(%error, "the state folder cannot be written");
            let message = format!("the state folder cannot be written: {error}");
            self.problems.unwritable = Some(Held::cluster(HoldReason::StateUnwritable, message));
        }
        written.is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a2_nothing_but_older_answers_for_ten_minutes_is_a_hold_until_one_is_not() {
        let begun = Instant::now();
        let mut problems = Problems { older: Some(begun), ..Problems::default() };
        let reason = |problems: &Problems, after| problems.rollback(begun + after).map(|held| held.reason);
        let stale_edge = OLDER_FOR.checked_sub(Duration::from_secs(1)).unwrap();
        assert_eq!(reason(&problems, stale_edge), None);
        assert_eq!(reason(&problems, OLDER_FOR), Some(HoldReason::RollbackRefused));
        problems.answered();
        assert_eq!(reason(&problems, OLDER_FOR), None);
    }
}
