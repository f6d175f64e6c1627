//! What rides beside a signed desired: the small documents that it leads to, as far as they fit and can be had at once.
//! Nobody waits for it: without it the answer only costs the agent a few round trips to the CDN.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use cdn::document::{Desired, Document, Set};
use cdn::limits::INLINE_BYTES;
use cdn::wire::Inline;
use cdn::{Digest, document};
use tokio::sync::Mutex;

use crate::db::{self, Db};
use crate::recent::Recent;

/// How long the database may take for it. A poll that waited longer would hold up others (FAULTS H6).
const WAIT: Duration = Duration::from_millis(200);

/// Objects that together have at most [`INLINE_BYTES`].
#[derive(Clone, Debug, Default)]
struct Objects {
    all: BTreeMap<Digest, Inline>,
    used: usize,
}

impl Objects {
    fn have_room_for(&self, length: usize) -> bool {
        self.used.saturating_add(length) <= INLINE_BYTES
    }

    /// Adds an object, if it still fits.
    fn add(&mut self, digest: Digest, bytes: Vec<u8>) {
        if self.have_room_for(bytes.len()) {
            self.used += bytes.len();
            self.all.insert(digest, Inline(bytes));
        }
    }
}

/// What was read lately, by set.
#[derive(Debug)]
pub(super) struct Beside {
    shared: Recent<Digest, Arc<Objects>>,
    /// A new set is read once, however many clusters ask for it at once.
    reading: Mutex<()>,
}

impl Beside {
    pub(super) fn new() -> Self {
        Self { shared: Recent::new(64), reading: Mutex::new(()) }
    }

    /// What there is in memory, and what the database, where there is one, adds in time.
    pub(super) async fn of(&self, document: &Desired, db: Option<&Db>) -> BTreeMap<Digest, Inline> {
        let held = self.shared.get(&document.set.digest);
        let mut objects = held.as_deref().cloned().unwrap_or_default();
        let Some(db) = db else { return objects.all };
        let more = async {
            if held.is_none() {
                objects = (*self.read_set(document.set.digest, db).await?).clone();
            }
            add_values(&mut objects, document, db).await
        };
        match tokio::time::timeout(WAIT, more).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                let error = crate::error::chain(&error);
                tracing::debug!(error, "less is sent beside a desired");
            }
            Err(_) => tracing::debug!("less is sent beside a desired: the database takes long"),
        }
        objects.all
    }

    /// The set, and the newest of its releases as far as they fit: what changed last is what an agent lacks.
    async fn read_set(&self, set: Digest, db: &Db) -> db::Result<Arc<Objects>> {
        let _turn = self.reading.lock().await;
        if let Some(shared) = self.shared.get(&set) {
            return Ok(shared);
        }
        let mut conn = db.read().await?;
        let mut objects = Objects::default();
        if let Some(bytes) = db::documents::get(&mut conn, set).await? {
            let releases = releases_of(&bytes);
            objects.add(set, bytes);
            for (digest, envelope) in db::releases::newest_of(&mut conn, &releases).await? {
                objects.add(digest, envelope);
            }
        }
        let objects = Arc::new(objects);
        self.shared.put(set, Arc::clone(&objects));
        Ok(objects)
    }
}

async fn add_values(objects: &mut Objects, document: &Desired, db: &Db) -> db::Result<()> {
    let Some(values) = document.values else { return Ok(()) };
    if usize::try_from(values.length).is_ok_and(|length| objects.have_room_for(length)) {
        let bytes = db::documents::get(&mut *db.read().await?, values.digest).await?;
        if let Some(bytes) = bytes {
            objects.add(values.digest, bytes);
        }
    }
    Ok(())
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
