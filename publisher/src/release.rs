//! Releases in the store, step by step: content, then the release, then a look through the public URL, then the head -
//! so that a publisher that is killed between two steps leaves garbage, never a pointer to nothing (FAULTS C6), and no
//! edge is asked for what it does not have yet (FAULTS C9). Every step may be done again.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use cdn::document::{Head, Release, Revision, Stored};
use cdn::encoding::{Encoding, TarName};
use cdn::envelope::Envelope;
use cdn::trust::{MinSeqs, Trust, Verified};
use cdn::{Digest, Key, Limits, PublicKey, ServiceName, Signed, SigningKey};
use store::{Put, Store, StoreError, SwapError, Version};

use crate::public::{NotPublic, PublicOrigin};
use crate::trust::{Roots, can_sign};

/// The highest sequence: every reader of JSON holds it exactly. As unix milliseconds, it is the year 287396.
const LAST_SEQ: u64 = (1 << 53) - 1;
/// How far ahead of the clock the sequence of a key that was dropped is still gone on from: 400 days.
const REACH_MS: u64 = 400 * 24 * 3_600_000;

/// Where a service stands, proved to be a publisher's own word.
#[derive(Clone, Debug)]
pub struct Standing {
    head: Head,
    version: Version,
    counts: bool,
}

impl Standing {
    /// The head.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// Whether the newest root lists who signed it. Else an earlier one did, and it is to be signed anew: readers go by
    /// the newest alone.
    pub fn counts(&self) -> bool {
        self.counts
    }
}

/// What is to be released: a bundle that has been put, and what it is a bundle of.
#[derive(Clone, Debug)]
pub struct NewRelease {
    /// Which service.
    pub service: ServiceName,
    /// The namespace of objects that name none.
    pub namespace: String,
    /// Where it was rendered from.
    pub revision: Revision,
    /// T.
    pub bundle: Digest,
    /// The tar's bytes.
    pub length: u64,
    /// How many objects.
    pub objects: u64,
    /// How it is stored.
    pub encodings: Vec<Stored>,
}

/// Why a service is not published.
#[derive(Debug, thiserror::Error)]
pub enum ReleaseError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A compressor.
    #[error("cannot encode the bundle: {0}; is there memory left?")]
    Encode(io::Error),
    /// Agents unpack only so much from so little.
    #[error(
        "it repeats itself so often that every agent would take its archive for a bomb; split the service"
    )]
    Bomb,
    /// Our keys do not count.
    #[error("{0}")]
    Keys(String),
    /// The head, or the release that it names, is not a publisher's word.
    #[error(
        "the head of {service} in the store is not believed: {why}; somebody else has written to the store, the key was \
         changed without a new root, or --root is another fleet's. Nothing was published: put back the head that our \
         key has signed, or remove this one"
    )]
    Untrusted {
        /// Which service.
        service: ServiceName,
        /// What is wrong with it.
        why: String,
    },
    /// No sequence is left above what stands.
    #[error(
        "the head of {service} says the sequence {seq}, and {LAST_SEQ} is the last that there is; look at who has signed \
         it, and drop that key by a new root (`windlass keys rotate`): then its sequence no longer counts. Nothing was \
         published"
    )]
    OutOfReach {
        /// Which service.
        service: ServiceName,
        /// What its head says.
        seq: u64,
    },
    /// The public URL does not give it.
    #[error(transparent)]
    NotPublic(#[from] NotPublic),
    /// Another publisher was first.
    #[error(
        "another publisher has moved {service} to {theirs} while this one was at {ours}; nothing was changed, publish \
         again if yours is the newer"
    )]
    Conflict {
        /// Which service.
        service: ServiceName,
        /// Our commit.
        ours: String,
        /// What stands now.
        theirs: String,
    },
}

/// The publisher's side of a store: reads what stands, and moves it.
#[derive(Clone, Debug)]
pub struct Releases {
    store: Store,
    roots: Roots,
    keys: Vec<Arc<SigningKey>>,
    public: Option<PublicOrigin>,
}

impl Releases {
    /// Signs with these keys what is written there.
    pub fn new(store: Store, roots: impl Into<Roots>, keys: Vec<SigningKey>) -> Self {
        let keys = keys.into_iter().map(Arc::new).collect();
        Self { store, roots: roots.into(), keys, public: None }
    }

    /// The same, and what others read it by.
    pub(crate) fn read_by(self, public: Option<PublicOrigin>) -> Self {
        Self { public, ..self }
    }

    /// The store.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The fleet's trust.
    pub fn trust(&self) -> &Trust {
        self.roots.newest()
    }

    /// The roots that led to it.
    pub(crate) fn roots(&self) -> &Roots {
        &self.roots
    }

    /// The same by newer roots.
    pub(crate) fn by(&self, roots: Roots) -> Self {
        Self { roots, ..self.clone() }
    }

    /// The same with these keys, if that is a change. One that was there before goes on to sign while root lists it: the
    /// root that lists the next one may still be on its way.
    pub(crate) fn with_keys(&self, keys: Vec<SigningKey>) -> Option<Self> {
        let mut keys: Vec<Arc<SigningKey>> = keys.into_iter().map(Arc::new).collect();
        let given: BTreeSet<PublicKey> = keys.iter().map(|key| key.public()).collect();
        let is_listed =
            |key: &PublicKey| self.trust().root().roles.release.values().any(|role| role.keys.contains(key));
        let stays = |key: &&Arc<SigningKey>| !given.contains(&key.public()) && is_listed(&key.public());
        keys.extend(self.keys.iter().filter(stays).cloned());
        let renewed = Self { keys, ..self.clone() };
        (renewed.key_ids() != self.key_ids()).then_some(renewed)
    }

    /// Which keys sign.
    pub(crate) fn key_ids(&self) -> BTreeSet<String> {
        self.keys.iter().map(|key| key.public().id()).collect()
    }

    /// Where a service stands; none before its first release. What lies there counts only with a publisher's signature.
    pub async fn standing(&self, service: &ServiceName) -> Result<Option<Standing>, ReleaseError> {
        let Some(found) = self.store.get(&Key::Head(service.clone())).await? else { return Ok(None) };
        self.read_head(service, &found.bytes, found.version).map(Some)
    }

    /// The release that a head names, verified; none where the newest root no longer lists who signed it, but an earlier
    /// one did: it is to be signed anew.
    pub async fn release_of(&self, standing: &Standing) -> Result<Option<(Verified, Vec<u8>)>, ReleaseError> {
        let (service, head) = (&standing.head.service, &standing.head);
        if !standing.counts {
            return Ok(None);
        }
        let untrusted = |why: String| ReleaseError::Untrusted { service: service.clone(), why };
        let found = self.store.get(&Key::Object(head.release)).await?;
        let bytes = found
            .ok_or_else(|| untrusted(format!("its release {} is not in the store", head.release)))?
            .bytes;
        let by = |trust: &Trust| Verified::check(trust, service, &bytes, &MinSeqs::default());
        let verified = match by(self.trust()) {
            Ok(verified) => verified,
            Err(_) if self.roots.earlier().any(|root| by(root).is_ok()) => return Ok(None),
            Err(why) => return Err(untrusted(why.to_string())),
        };
        if verified.record().bundle != head.bundle {
            return Err(untrusted("it names another bundle than its release".to_owned()));
        }
        Ok(Some((verified, bytes.to_vec())))
    }

    /// First step: puts a bundle in every encoding, and reads each back. Tells how many bytes were new.
    pub async fn put_content(&self, tar: &[u8]) -> Result<(Vec<Stored>, u64), ReleaseError> {
        let (mut stored, mut fresh) = (Vec::new(), 0);
        for encoding in [Encoding::Zst, Encoding::Gz] {
            let tar = tar.to_vec();
            // Level 19 takes seconds for megabytes.
            let bytes = tokio::task::spawn_blocking(move || encode(encoding, &tar)).await;
            let bytes =
                bytes.map_err(io::Error::other).and_then(|bytes| bytes).map_err(ReleaseError::Encode)?;
            let Some(bytes) = bytes else { continue };
            let (digest, length) = (Digest::of(&bytes), bytes.len() as u64);
            if self.put(digest, bytes).await? == Put::New {
                fresh += length;
            }
            stored.push(Stored { encoding, digest, length });
        }
        if stored.is_empty() {
            return Err(ReleaseError::Bomb);
        }
        Ok((stored, fresh))
    }

    /// Second step: signs a release and puts it. Its sequence is above what stands.
    pub async fn put_release(
        &self,
        new: NewRelease,
        standing: Option<&Standing>,
    ) -> Result<Head, ReleaseError> {
        let (seq, min_seq) = match standing {
            Some(standing) => self.above(standing).await?,
            None => (now(), 0),
        };
        let release = Release {
            fleet: self.trust().fleet(),
            service: new.service,
            revision: new.revision,
            bundle: new.bundle,
            length: new.length,
            namespace: new.namespace,
            encodings: new.encodings,
            seq,
            min_seq,
            objects: new.objects,
        };
        let bytes = self.sign(&release.service, &release)?;
        let digest = Digest::of(&bytes);
        self.put(digest, bytes).await?;
        Ok(Head {
            fleet: release.fleet,
            service: release.service,
            release: digest,
            bundle: release.bundle,
            seq,
            commit: release.revision.id,
        })
    }

    /// Third step: reads the release and its content where everybody does. Without a public URL it is enough that each
    /// was read back from the store.
    pub async fn look_from_outside(&self, head: &Head, encodings: &[Stored]) -> Result<(), ReleaseError> {
        let Some(public) = &self.public else { return Ok(()) };
        for digest in encodings.iter().map(|stored| stored.digest).chain([head.release]) {
            public.shows(digest).await?;
        }
        Ok(())
    }

    /// Last step: moves the head from what stood to the new one; who comes second is told what stands now.
    pub async fn move_head(&self, head: Head, standing: Option<&Standing>) -> Result<Standing, ReleaseError> {
        let service = head.service.clone();
        let bytes = self.sign(&service, &head)?;
        let expected = standing.map(|standing| &standing.version);
        match self.store.swap(&Key::Head(service.clone()), bytes, expected).await {
            Ok(version) => Ok(Standing { head, version, counts: true }),
            Err(SwapError::Store(why)) => Err(why.into()),
            Err(SwapError::Conflict(None)) => {
                Err(ReleaseError::Conflict { service, ours: head.commit, theirs: "nothing".to_owned() })
            }
            Err(SwapError::Conflict(Some(found))) => {
                let theirs = self.read_head(&service, &found.bytes, found.version)?;
                // Two that come to the same are no conflict.
                let same = theirs.head.bundle == head.bundle && theirs.head.commit == head.commit;
                if same && theirs.counts {
                    return Ok(theirs);
                }
                Err(ReleaseError::Conflict { service, ours: head.commit, theirs: theirs.head.commit })
            }
        }
    }

    async fn put(&self, digest: Digest, bytes: Vec<u8>) -> Result<Put, ReleaseError> {
        let key = Key::Object(digest);
        let put = self.store.put(&key, bytes).await?;
        // Read back before anything points to it: `get` proves the digest.
        if put == Put::New && self.store.get(&key).await?.is_none() {
            let why = "what was put cannot be read".to_owned();
            let (store, place) = (self.store.to_string(), key.to_string());
            return Err(StoreError { store, place, cause: store::Cause::Refused(why) }.into());
        }
        Ok(put)
    }

    fn sign<T: cdn::document::Document>(
        &self,
        service: &ServiceName,
        document: &T,
    ) -> Result<Vec<u8>, ReleaseError> {
        let role = can_sign(self.trust(), service.project(), &self.keys).map_err(ReleaseError::Keys)?;
        let ours = self.keys.iter().map(AsRef::as_ref);
        let keys: Vec<&SigningKey> = ours.filter(|key| role.keys.contains(&key.public())).collect();
        let bytes = Envelope::sign(document, &keys).to_bytes();
        // What readers would refuse is not written: every bound of the document is checked by reading it.
        match Envelope::verify::<T>(&bytes, role) {
            Ok(_) => Ok(bytes),
            Err(why) => {
                Err(ReleaseError::Keys(format!("what was signed for {service} would be refused: {why}")))
            }
        }
    }

    fn read_head(
        &self,
        service: &ServiceName,
        bytes: &[u8],
        version: Version,
    ) -> Result<Standing, ReleaseError> {
        let untrusted = |why: String| ReleaseError::Untrusted { service: service.clone(), why };
        let before = || self.roots.earlier().find_map(|root| read_by(root, service, bytes).ok());
        let read = match read_by(self.trust(), service, bytes) {
            Ok(head) => Ok((head, true)),
            Err(why) => before().map(|head| (head, false)).ok_or(why),
        };
        let (head, counts) = read.map_err(|why| {
            // Where not even our own keys count, it is our keys or our root that are wrong, not what stands.
            let ours = can_sign(self.trust(), service.project(), &self.keys);
            ours.err().map_or_else(|| untrusted(why), ReleaseError::Keys)
        })?;
        if head.service != *service || head.fleet != self.trust().fleet() {
            return Err(untrusted(format!("it is the head of {} of the fleet {}", head.service, head.fleet)));
        }
        Ok(Standing { head, version, counts })
    }

    /// The next sequence and its floor: above what stands, and what that has withdrawn stays so. Where a root has dropped
    /// the key which signed it, how far it lies ahead of the clock is nobody's word any more, and both begin anew (FAULTS
    /// A3); near the clock they go on, since what another key has signed may lie just below.
    async fn above(&self, standing: &Standing) -> Result<(u64, u64), ReleaseError> {
        let counts = self.release_of(standing).await?.is_some();
        let (now, seq) = (now(), standing.head.seq);
        if !counts && seq > now.saturating_add(REACH_MS) {
            return Ok((now, 0));
        }
        match seq.checked_add(1).filter(|next| *next <= LAST_SEQ) {
            Some(next) => Ok((now.max(next), self.min_seq_of(&standing.head).await?)),
            None => Err(ReleaseError::OutOfReach { service: standing.head.service.clone(), seq }),
        }
    }

    async fn min_seq_of(&self, head: &Head) -> Result<u64, ReleaseError> {
        let Some(found) = self.store.get(&Key::Object(head.release)).await? else { return Ok(0) };
        Ok(Envelope::claim::<Release>(&found.bytes).map_or(0, |release| release.min_seq))
    }
}

/// What a head says, if a root lists who signed it.
fn read_by(trust: &Trust, service: &ServiceName, bytes: &[u8]) -> Result<Head, String> {
    let role = trust.release_role(service.project());
    let role = role.ok_or_else(|| "root lists no publisher for its project".to_owned())?;
    let signed: Signed<Head> = Envelope::verify(bytes, role).map_err(|why| why.to_string())?;
    Ok(signed.into_document())
}

/// Unix milliseconds.
fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// The stored form, or none where agents would not unpack it: theirs are the bounds.
fn encode(encoding: Encoding, tar: &[u8]) -> io::Result<Option<Vec<u8>>> {
    let bytes = encoding.encode(tar)?;
    let name = TarName { digest: Digest::of(tar), length: tar.len() as u64 };
    match encoding.decode(&bytes, name, Limits::DEFAULT) {
        Ok(_) => Ok(Some(bytes)),
        Err(why) => {
            tracing::warn!(?encoding, %why, "an encoding is left out: agents would not unpack it");
            Ok(None)
        }
    }
}
