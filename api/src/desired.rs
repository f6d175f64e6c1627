//! The signed answer to a poll with news: made when first asked for, from memory, and kept for a while.

mod beside;

use std::sync::Arc;

use arc_swap::ArcSwap;
use beside::Beside;
use bytes::Bytes;
use cdn::document::{Approval, Desired, Removal};
use cdn::envelope::Envelope;
use cdn::trust::Trust;
use cdn::wire::PollAnswer;
use cdn::{ClusterId, Digest, PublicKey, SigningKey};
use serde::{Deserialize, Serialize};

use crate::clock::timestamp;
use crate::db::{self, Db};
use crate::recent::Recent;
use crate::table::View;

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
    trust: ArcSwap<Trust>,
    /// Signed envelopes by cluster and `ETag`.
    signed: Recent<(ClusterId, Digest), Arc<Envelope>>,
    beside: Beside,
}

/// A document that has been made but not signed.
#[derive(Debug)]
pub(crate) struct Draft {
    document: Desired,
    /// The digest of the payload.
    pub(crate) etag: Digest,
}

impl Signer {
    pub(crate) fn new(key: SigningKey, trust: Trust) -> Self {
        Self { key, trust: ArcSwap::from_pointee(trust), signed: Recent::new(2_048), beside: Beside::new() }
    }

    pub(crate) fn trust(&self) -> Arc<Trust> {
        self.trust.load_full()
    }

    /// The public half of the key that signs.
    pub(crate) fn key(&self) -> PublicKey {
        self.key.public()
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
            expires: timestamp(view.issued_ms.saturating_add(view.terms.lifetime_ms)),
            root: trust.version(),
            set: view.set,
            values: view.values,
            origins: view.terms.origins.clone(),
            removals: extras.removals,
            approvals: extras.approvals,
        };
        let etag = Digest::of(&cdn::json::canonical_of(&document));
        Ok(Draft { document, etag })
    }

    /// The answer: the signed document, and beside it what is small. Without a database: what memory has of that.
    pub(crate) async fn answer(&self, draft: &Draft, db: Option<&Db>) -> Bytes {
        let key = (draft.document.cluster.clone(), draft.etag);
        let envelope = self.signed.get(&key).unwrap_or_else(|| {
            let envelope = Arc::new(Envelope::sign(&draft.document, &[&self.key]));
            self.signed.put(key, Arc::clone(&envelope));
            envelope
        });
        let objects = self.beside.of(&draft.document, db).await;
        let answer = PollAnswer { envelope: (*envelope).clone(), objects };
        serde_json::to_vec(&answer).expect("an answer to a poll becomes JSON").into()
    }
}
