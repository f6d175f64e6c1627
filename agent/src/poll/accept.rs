//! From the api's answer to one snapshot, on disk before anything follows from it (law L4).

use std::collections::BTreeMap;
use std::io;

use cdn::Digest;
use cdn::document::{HoldReason, Named};
use cdn::trust::{Accepted, DesiredRefused, Snapshot};
use cdn::wire::PollAnswer;
use jiff::Timestamp;
use tokio::time::Instant;

use super::Poller;
use crate::held::Held;
use crate::state::Kept;

/// Small objects that came beside a document, proved by their digests.
pub(super) type Inline = BTreeMap<Digest, Vec<u8>>;

impl Poller {
    /// Takes an answer: all of its snapshot, or none of it. Gives the objects that came with it.
    pub(super) async fn take(&mut self, answer: PollAnswer) -> Inline {
        let envelope = answer.envelope.to_bytes();
        let payload = answer.envelope.payload_digest();
        let inline = answer.proved();
        let accepted = match self.accept(&envelope).await {
            Ok(accepted) => accepted,
            Err(refused) => {
                self.refused(&refused);
                return inline;
            }
        };
        self.problems.answered();
        if accepted.desired().issued > Timestamp::now() {
            tracing::warn!(issued = %accepted.desired().issued, "the assignment is from the future: check the clock");
        }
        match self.open(accepted, &inline).await {
            Ok((snapshot, set, values)) => {
                self.keep((snapshot, payload), envelope, set, values).await;
            }
            Err(held) => self.problems.poll = Some(held),
        }
        inline
    }

    /// Accepts a document; where its key is unknown, or it knows a newer root, with the newest root that there is.
    async fn accept(&mut self, envelope: &[u8]) -> Result<Accepted, DesiredRefused> {
        let first = self.try_accept(envelope);
        let newer = match &first {
            Ok(accepted) => self.trust.as_ref().is_some_and(|t| accepted.desired().root > t.version()),
            Err(DesiredRefused::NotSigned(_)) => true,
            Err(
                DesiredRefused::WrongFleet(_)
                | DesiredRefused::WrongCluster(_)
                | DesiredRefused::Older { .. }
                | DesiredRefused::SeqConflict(_)
                | DesiredRefused::OriginHost(_),
            ) => false,
        };
        if newer && self.advance_roots().await { self.try_accept(envelope) } else { first }
    }

    fn try_accept(&self, envelope: &[u8]) -> Result<Accepted, DesiredRefused> {
        let trust = self.trust.as_ref().expect("a poll begins with a root");
        trust.accept(envelope, &self.identity.cluster, self.trusted.floor())
    }

    fn refused(&mut self, refused: &DesiredRefused) {
        let reason = match refused {
            DesiredRefused::NotSigned(_) | DesiredRefused::OriginHost(_) => HoldReason::NotSigned,
            DesiredRefused::WrongFleet(_) | DesiredRefused::WrongCluster(_) => HoldReason::WrongCluster,
            DesiredRefused::SeqConflict(_) => HoldReason::SeqConflict,
            DesiredRefused::Older { .. } => {
                // One stale cache on the way is not yet worth a hold; only older answers for long are.
                self.problems.older.get_or_insert_with(Instant::now);
                self.problems.words = format!("an older assignment was not taken: {refused}");
                count(HoldReason::RollbackRefused);
                tracing::warn!(%refused, "an older assignment was not taken");
                return;
            }
        };
        count(reason);
        tracing::warn!(%refused, reason = reason.code(), "an assignment was refused; what runs goes on");
        self.problems.poll = Some(Held::cluster(reason, format!("an assignment was refused: {refused}")));
    }

    /// Completes the snapshot: set and values from beside the document, from disk, or from the origins.
    async fn open(
        &mut self,
        accepted: Accepted,
        inline: &Inline,
    ) -> Result<(Snapshot, Vec<u8>, Option<Vec<u8>>), Held> {
        let desired = accepted.desired();
        let origins = self.origins_of(&desired.origins);
        let (set, values) = (desired.set, desired.values);
        self.origins = origins;
        let set = self.named(set, inline).await?;
        let values = match values {
            Some(values) => Some(self.named(values, inline).await?),
            None => None,
        };
        match accepted.open(&set, values.as_deref()) {
            Ok(snapshot) => Ok((snapshot, set, values)),
            Err(error) => {
                count(HoldReason::BundleRefused);
                let message = format!("the set of the assignment cannot be used: {error}");
                Err(Held::cluster(HoldReason::BundleRefused, message))
            }
        }
    }

    async fn named(&self, named: Named, inline: &Inline) -> Result<Vec<u8>, Held> {
        if let Some(bytes) = inline.get(&named.digest) {
            return Ok(bytes.clone());
        }
        if let Some(bytes) = self.state.with(move |state| state.object(named.digest)).await {
            return Ok(bytes);
        }
        self.origins
            .object(&named.digest, Some(named.length))
            .await
            .map_err(|error| super::fetch::unavailable(&error, None))
    }

    /// Stores the snapshot, then believes it. Where the disk takes no more, the old one stays: a floor that is not
    /// stored could go down again.
    async fn keep(
        &mut self,
        (snapshot, payload): (Snapshot, Digest),
        envelope: Vec<u8>,
        set: Vec<u8>,
        values: Option<Vec<u8>>,
    ) {
        let kept = Kept {
            envelope: Digest::of(&envelope),
            payload,
            floor: snapshot.floor().clone(),
            set: Digest::of(&set),
            values: values.as_deref().map(Digest::of),
        };
        let mut trusted = self.trusted.clone();
        trusted.kept = Some(kept);
        let stored = trusted.clone();
        let written = self.state.with(move |state| -> io::Result<()> {
            state.keep_object(&envelope)?;
            state.keep_object(&set)?;
            values.as_deref().map_or(Ok(()), |values| state.keep_object(values))?;
            state.keep_trusted(&stored)?;
            state.drop_objects_but(&stored.objects())
        });
        let written = written.await;
        if self.note_written(&written) {
            tracing::info!(seq = snapshot.floor().seq, "a newer assignment is accepted");
            self.trusted = trusted;
            self.held = Some((snapshot, payload));
        }
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

    /// The site's own origins, then those of the assignment; before the first one, those that the api named.
    pub(super) fn origins_of(&self, signed: &[String]) -> origins::Origins {
        self.origins.with_more(if signed.is_empty() { &self.identity.origins } else { signed })
    }
}

/// Counts a refusal.
pub(super) fn count(reason: HoldReason) {
    metrics::counter!("windlass_verify_failures_total", "reason" => reason.code()).increment(1);
}
