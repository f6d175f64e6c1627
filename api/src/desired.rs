//! The signed answer to a poll with news: made when first asked for, from memory, and kept for a while.

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use bytes::Bytes;
use cdn::document::{Approval, Desired, Document, Removal, Set};
use cdn::envelope::Envelope;
use cdn::limits::INLINE_BYTES;
use cdn::trust::Trust;
use cdn::wire::{Inline, PollAnswer};
use cdn::{ClusterId, Digest, SigningKey, document};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use crate::clock::timestamp;
use crate::db::{self, Db};
use crate::recent::Recent;
use crate::table::View;

/// What every desired says beside the assignment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Terms {
    pub(crate) origins: Vec<String>,
    pub(crate) lifetime_ms: i64,
}

impl Terms {
    /// Documents are signed anew twice in their lifetime, so that an agent which polls is never near the end of one.
    pub(crate) fn half_ms(&self) -> i64 {
        (self.lifetime_ms / 2).max(1)
    }
}

/// What a desired lists beside its set: the column `extras`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Extras {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) removals: Vec<Removal>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) approvals: Vec<Approval>,
}

impl Extras {
    /// The column: empty for nothing, which most clusters have.
    pub(crate) fn to_column(&self) -> String {
        if self.removals.is_empty() && self.approvals.is_empty() { String::new() } else { db::to_json(self) }
    }

    pub(crate) fn of_column(text: &str) -> db::Result<Self> {
        if text.is_empty() { Ok(Self::default()) } else { db::json(text) }
    }
}

/// Signs desired documents.
#[derive(Debug)]
pub(crate) struct Signer {
    key: SigningKey,
    terms: Terms,
    trust: ArcSwap<Trust>,
    /// Signed envelopes by cluster and `ETag`.
    signed: Recent<(ClusterId, Digest), Arc<Envelope>>,
    /// What rides beside the envelope, by set.
    beside: Recent<Digest, Arc<BTreeMap<Digest, Inline>>>,
    /// A new set is read once, however many clusters ask for it at once.
    reading: Mutex<()>,
}

/// A document that has been made but not signed.
#[derive(Debug)]
pub(crate) struct Draft {
    document: Desired,
    /// The digest of the payload.
    pub(crate) etag: Digest,
}

impl Signer {
    pub(crate) fn new(key: SigningKey, terms: Terms, trust: Trust) -> Self {
        Self {
            key,
            terms,
            trust: ArcSwap::from_pointee(trust),
            signed: Recent::new(2_048),
            beside: Recent::new(64),
            reading: Mutex::new(()),
        }
    }

    pub(crate) fn terms(&self) -> &Terms {
        &self.terms
    }

    pub(crate) fn trust(&self) -> Arc<Trust> {
        self.trust.load_full()
    }

    /// A newer root.
    pub(crate) fn set_trust(&self, trust: Trust) {
        self.trust.store(Arc::new(trust));
    }

    /// The document that says what this view says. Every replica makes the same payload of the same view.
    pub(crate) fn draft(&self, view: &View) -> db::Result<Draft> {
        let trust = self.trust.load();
        let extras = Extras::of_column(&view.extras)?;
        let document = Desired {
            fleet: trust.fleet(),
            cluster: view.id.clone(),
            seq: view.seq,
            issued: timestamp(view.issued_ms),
            expires: timestamp(view.issued_ms.saturating_add(self.terms.lifetime_ms)),
            root: trust.version(),
            set: view.set,
            values: view.values,
            origins: self.terms.origins.clone(),
            removals: extras.removals,
            approvals: extras.approvals,
        };
        let etag = Digest::of(&cdn::json::canonical_of(&document));
        Ok(Draft { document, etag })
    }

    /// The answer: the signed document, and beside it what is small.
    pub(crate) async fn answer(&self, draft: &Draft, db: &Db) -> Bytes {
        let key = (draft.document.cluster.clone(), draft.etag);
        let envelope = self.signed.get(&key).unwrap_or_else(|| {
            let envelope = Arc::new(Envelope::sign(&draft.document, &[&self.key]));
            self.signed.put(key, Arc::clone(&envelope));
            envelope
        });
        let mut answer = PollAnswer { envelope: (*envelope).clone(), objects: BTreeMap::new() };
        // Without the database the answer is only larger by a few round trips to the CDN.
        match self.beside(draft, db).await {
            Ok(objects) => answer.objects = objects,
            Err(error) => {
                tracing::warn!(error = %crate::error::chain(&error), "nothing is sent beside a desired");
            }
        }
        serde_json::to_vec(&answer).map_or_else(|_| Bytes::new(), Bytes::from)
    }

    async fn beside(&self, draft: &Draft, db: &Db) -> db::Result<BTreeMap<Digest, Inline>> {
        let set = draft.document.set.digest;
        let shared = match self.beside.get(&set) {
            Some(shared) => shared,
            None => self.read_set(set, db).await?,
        };
        let mut objects = (*shared).clone();
        if let Some(values) = draft.document.values {
            let used: usize = objects.values().map(|object| object.0.len()).sum();
            let fits = usize::try_from(values.length).is_ok_and(|length| used + length <= INLINE_BYTES);
            let bytes =
                if fits { db::documents::get(&mut *db.read().await?, values.digest).await? } else { None };
            objects.extend(bytes.map(|bytes| (values.digest, Inline(bytes))));
        }
        Ok(objects)
    }

    /// The set, and the newest of its releases as far as they fit: what changed last is what an agent lacks.
    async fn read_set(&self, set: Digest, db: &Db) -> db::Result<Arc<BTreeMap<Digest, Inline>>> {
        let _turn = self.reading.lock().await;
        if let Some(shared) = self.beside.get(&set) {
            return Ok(shared);
        }
        let mut conn = db.read().await?;
        let mut objects = BTreeMap::new();
        if let Some(bytes) = db::documents::get(&mut conn, set).await? {
            let releases = releases_of(&bytes);
            let mut left = INLINE_BYTES.saturating_sub(bytes.len());
            if bytes.len() <= INLINE_BYTES {
                objects.insert(set, Inline(bytes));
            }
            for (digest, envelope) in db::releases::newest_of(&mut conn, &releases).await? {
                if envelope.len() <= left {
                    left -= envelope.len();
                    objects.insert(digest, Inline(envelope));
                }
            }
        }
        let objects = Arc::new(objects);
        self.beside.put(set, Arc::clone(&objects));
        Ok(objects)
    }
}

fn releases_of(set: &[u8]) -> Vec<Digest> {
    match document::read::<Set>(set) {
        Ok(set) => set.services.iter().map(|entry| entry.release).collect(),
        Err(error) => {
            tracing::error!(%error, kind = Set::TYPE, "a stored set cannot be read");
            Vec::new()
        }
    }
}
