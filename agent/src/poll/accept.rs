//! From the api's answer to one snapshot, on disk before anything follows from it (law L4).

use std::io;
use std::sync::Arc;
use std::time::Duration;

use cdn::Digest;
use cdn::document::HoldReason;
use cdn::trust::{Accepted, DesiredRefused, Snapshot, Trust};
use cdn::wire::PollAnswer;
use jiff::Timestamp;
use tokio::time::Instant;

use super::Poller;
use super::download::Documents;
use super::way::Opening;
use crate::held::Held;
use crate::meters;
use crate::state::Kept;

/// How long newer roots may be waited for where a document cannot be believed without them.
pub(super) const UNKNOWN_KEY: Duration = Duration::from_mins(2);

impl Poller {
    /// Takes an answer: its documents are sent for, and then all of its snapshot is believed, or none of it.
    pub(super) async fn take(&mut self, answer: PollAnswer) {
        let envelope = answer.envelope.to_bytes();
        let payload = answer.envelope.payload_digest();
        self.beside = Arc::new(answer.proved());
        let accepted = match self.accept(&envelope).await {
            Ok(accepted) => accepted,
            Err(refused) => return self.refused(&refused),
        };
        self.problems.not_older();
        let desired = accepted.desired();
        if desired.issued > Timestamp::now() {
            tracing::warn!(issued = %desired.issued, "the assignment is from the future: check the clock");
        }
        self.origins = self.origins_of(&desired.origins);
        let (set, values) = (desired.set, desired.values);
        let documents = self.places().documents(set, values);
        self.way.open(Opening { envelope, payload, set, values }, documents);
    }

    /// Accepts a document, with the newest root that there is where the one that is held is behind it: what that one
    /// refuses, a newer one may allow, and the other way round.
    async fn accept(&mut self, envelope: &[u8]) -> Result<Accepted, DesiredRefused> {
        if self.trust().is_behind(envelope) {
            self.advance_roots(UNKNOWN_KEY).await;
        }
        self.try_accept(envelope)
    }

    fn try_accept(&self, envelope: &[u8]) -> Result<Accepted, DesiredRefused> {
        self.trust().accept(envelope, &self.member.cluster, self.trusted.floor())
    }

    fn trust(&self) -> &Trust {
        self.trust.as_ref().expect("a poll begins with a root")
    }

    fn refused(&mut self, refused: &DesiredRefused) {
        let reason = match refused {
            DesiredRefused::NotSigned(_) => HoldReason::NotSigned,
            DesiredRefused::OriginHost(_) => HoldReason::OriginNotAllowed,
            DesiredRefused::WrongFleet(_) | DesiredRefused::WrongCluster(_) => HoldReason::WrongCluster,
            DesiredRefused::SeqConflict(_) => HoldReason::SeqConflict,
            DesiredRefused::Older { .. } => {
                // One stale cache on the way is not yet worth a hold; only older answers for long are.
                self.problems.older.get_or_insert_with(Instant::now);
                self.problems.words = format!("an older assignment was not taken: {refused}");
                meters::refused(HoldReason::RollbackRefused);
                tracing::warn!(%refused, "an older assignment was not taken");
                return;
            }
        };
        meters::refused(reason);
        tracing::warn!(%refused, reason = reason.code(), "an assignment was refused; what runs goes on");
        self.problems.poll = Some(Held::cluster(reason, format!("an assignment was refused: {refused}")));
    }

    /// The documents of an assignment have come, or what is in their way. It is accepted once more: while they were on
    /// their way, its key may have been dropped.
    pub(super) async fn opened(&mut self, opening: Opening, documents: Result<Documents, Held>) {
        let taken = match documents {
            Ok(documents) => self.complete(opening, documents).await,
            Err(held) => Err(held),
        };
        match taken {
            Ok(()) => self.fetch().await,
            Err(held) => {
                self.problems.poll = Some(held);
                self.pace.failed(None);
            }
        }
        let usable = self.problems.poll.is_none() && self.problems.words.is_empty();
        self.tell(|network| network.connected = usable);
    }

    async fn complete(&mut self, opening: Opening, documents: Documents) -> Result<(), Held> {
        let accepted = match self.try_accept(&opening.envelope) {
            Ok(accepted) => accepted,
            Err(refused) => {
                self.refused(&refused);
                return self.problems.poll.take().map_or(Ok(()), Err);
            }
        };
        let snapshot = accepted.open(&documents.set, documents.values.as_deref()).map_err(|error| {
            meters::refused(HoldReason::AssignmentUnusable);
            let message = format!("the set of the assignment cannot be used: {error}");
            Held::cluster(HoldReason::AssignmentUnusable, message)
        })?;
        self.problems.poll = None;
        self.keep(snapshot, opening, documents).await;
        Ok(())
    }

    /// Stores the snapshot, then believes it. Where the disk takes no more, the old one stays: a floor that is not
    /// stored could go down again.
    async fn keep(&mut self, snapshot: Snapshot, opening: Opening, documents: Documents) {
        let Documents { set, values } = documents;
        let (envelope, payload) = (opening.envelope, opening.payload);
        let kept = Kept {
            envelope: Digest::of(&envelope),
            payload,
            floor: snapshot.floor().clone(),
            set: Digest::of(&set),
            values: values.as_deref().map(Digest::of),
        };
        let mut trusted = self.trusted.clone();
        trusted.assign(kept, snapshot.set());
        let stored = trusted.clone();
        let written = self.state.with(move |state| -> io::Result<io::Result<()>> {
            state.keep_object(&envelope)?;
            state.keep_object(&set)?;
            values.as_deref().map_or(Ok(()), |values| state.keep_object(values))?;
            state.keep_trusted(&stored)?;
            Ok(state.drop_objects_but(&stored.objects()))
        });
        let tidied = match written.await {
            Ok(tidied) => tidied,
            Err(error) => {
                self.note_written(&Err(error));
                return;
            }
        };
        // It is durable: from here on nothing may bring the old floor back, also not that something was left over.
        self.note_written(&tidied);
        tracing::info!(seq = snapshot.floor().seq, "a newer assignment is accepted");
        self.trusted = trusted;
        (self.unsaved, self.untidy) = (false, true);
        self.way.keep(&snapshot);
        self.pace.assigned();
        self.believed = Some((Arc::new(snapshot), payload));
    }

    /// The site's own origins, then those of the assignment; before the first one, those that the api named.
    pub(super) fn origins_of(&self, signed: &[String]) -> origins::Origins {
        self.origins.with_more(if signed.is_empty() { &self.origins_at_join } else { signed })
    }
}
