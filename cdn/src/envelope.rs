//! Signatures: DSSE envelopes and Ed25519 keys. A signature is over exact bytes; only then are they parsed (law L3).
//!
//! Sources: DSSE v1 (the secure-systems-lab protocol; its PAE keeps the payload's type inside the signature),
//! RFC 8032 (Ed25519), TUF (thresholds count distinct keys).

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use ed25519_dalek::Signer;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::Zeroizing;

use crate::document::{APPROVAL_TYPE, Approval, Document};
use crate::limits::SIGNATURES;
use crate::{Digest, Secret, json};

/// An Ed25519 public key, written `ed25519:` and base64 of 32 bytes. The algorithm belongs to the key, never to a
/// message (FAULTS A11).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicKey([u8; 32]);

const ALGORITHM: &str = "ed25519:";

/// The text is not an Ed25519 key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a key is written `ed25519:` and the base64 of 32 bytes")]
pub struct BadKey;

impl PublicKey {
    /// The hint that stands beside a signature: 16 hex digits of the key's sha256.
    pub fn id(&self) -> String {
        Digest::of(&self.0).hex()[..16].to_owned()
    }

    /// Whether `signature` is this key's over `message` (strict: no small-order keys, canonical encodings only).
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        let (Ok(key), Ok(signature)) = (
            ed25519_dalek::VerifyingKey::from_bytes(&self.0),
            ed25519_dalek::Signature::from_slice(signature),
        ) else {
            return false;
        };
        key.verify_strict(message, &signature).is_ok()
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{ALGORITHM}{}", BASE64_STANDARD.encode(self.0))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for PublicKey {
    type Err = BadKey;

    fn from_str(text: &str) -> Result<Self, BadKey> {
        let bytes =
            BASE64_STANDARD.decode(text.strip_prefix(ALGORITHM).ok_or(BadKey)?).map_err(|_| BadKey)?;
        let bytes: [u8; 32] = bytes.try_into().map_err(|_| BadKey)?;
        ed25519_dalek::VerifyingKey::from_bytes(&bytes).map_err(|_| BadKey)?;
        Ok(Self(bytes))
    }
}

impl Serialize for PublicKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for PublicKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// An Ed25519 private key. Its text form is `windlass-key-v0:` and base64 of the 32-byte seed.
pub struct SigningKey(ed25519_dalek::SigningKey);

const KEY_FILE: &str = "windlass-key-v0:";

impl SigningKey {
    /// A new key from the operating system's random source.
    pub fn random() -> Self {
        Self(ed25519_dalek::SigningKey::from_bytes(&crate::secret::random()))
    }

    /// Reads the text of a key file.
    pub fn from_text(text: &Secret) -> Result<Self, BadKey> {
        let seed = text.expose().trim().strip_prefix(KEY_FILE).ok_or(BadKey)?;
        let seed = Zeroizing::new(BASE64_STANDARD.decode(seed).map_err(|_| BadKey)?);
        let seed: &[u8; 32] = seed.as_slice().try_into().map_err(|_| BadKey)?;
        Ok(Self(ed25519_dalek::SigningKey::from_bytes(seed)))
    }

    /// The text for a key file.
    pub fn to_text(&self) -> Secret {
        Secret::new(format!("{KEY_FILE}{}\n", BASE64_STANDARD.encode(self.0.to_bytes())))
    }

    /// The public half.
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key().to_bytes())
    }

    /// A raw signature over a message.
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.0.sign(message).to_bytes()
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.public().id())
    }
}

/// Keys and how many of them must sign.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Role {
    /// Distinct keys, at most 16.
    pub keys: Vec<PublicKey>,
    /// How many distinct keys must have signed; at least 1.
    pub threshold: usize,
}

impl Role {
    /// One key, which alone is enough.
    pub fn of(key: PublicKey) -> Self {
        Self { keys: vec![key], threshold: 1 }
    }

    /// Whether the role can be fulfilled: 1 to 16 distinct keys, and a threshold between 1 and their number.
    pub fn is_sound(&self) -> bool {
        let distinct: BTreeSet<_> = self.keys.iter().collect();
        distinct.len() == self.keys.len()
            && self.keys.len() <= crate::limits::KEYS
            && (1..=self.keys.len()).contains(&self.threshold)
    }
}

/// Why an envelope is not believed. Every cause is a refusal (FAULTS A11).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotSigned {
    /// Over the bound for its kind.
    #[error("{got} bytes, at most {limit} are read")]
    TooLarge {
        /// Bytes given.
        got: usize,
        /// The bound.
        limit: usize,
    },
    /// Not an envelope.
    #[error("not an envelope: {0}")]
    Malformed(String),
    /// An envelope of another document.
    #[error("a `{got}`, not a `{wanted}`")]
    WrongType {
        /// Its type.
        got: String,
        /// The type looked for.
        wanted: &'static str,
    },
    /// Fewer distinct keys of the role have signed than its threshold.
    #[error("signed by {got} of the {wanted} keys needed")]
    Threshold {
        /// Valid signatures by distinct keys of the role.
        got: usize,
        /// The role's threshold.
        wanted: usize,
    },
    /// The payload is signed, but is not the document.
    #[error("the signed payload is refused: {0}")]
    Payload(String),
}

/// An envelope as it lies in a store: bytes not yet believed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope {
    #[serde(rename = "payloadType")]
    payload_type: String,
    #[serde(with = "base64_text")]
    payload: Vec<u8>,
    signatures: Vec<Signature>,
}

/// One signature. The key id is only a hint: every key of the role is tried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signature {
    #[serde(default)]
    keyid: String,
    #[serde(with = "base64_text")]
    sig: Vec<u8>,
}

/// A document that a role has signed. There is no other way to make one than [`Envelope::verify`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed<T> {
    document: T,
    signers: Vec<PublicKey>,
    envelope: Digest,
    payload: Digest,
}

impl<T> Signed<T> {
    /// What it says.
    pub fn document(&self) -> &T {
        &self.document
    }

    /// Gives the document away.
    pub fn into_document(self) -> T {
        self.document
    }

    /// The distinct keys of the role that have signed.
    pub fn signers(&self) -> &[PublicKey] {
        &self.signers
    }

    /// The digest of the envelope's bytes: a release's and a root's name.
    pub fn envelope(&self) -> Digest {
        self.envelope
    }

    /// The digest of the payload: an ETag that does not change with the signatures.
    pub fn payload(&self) -> Digest {
        self.payload
    }
}

impl Envelope {
    /// Signs a document. The result's bytes are what is stored.
    pub fn sign<T: Document>(document: &T, keys: &[&SigningKey]) -> Self {
        let payload = json::canonical_of(document);
        let message = pae(T::TYPE, &payload);
        let signatures = keys
            .iter()
            .map(|key| Signature { keyid: key.public().id(), sig: key.sign(&message).to_vec() })
            .collect();
        Self { payload_type: T::TYPE.to_owned(), payload, signatures }
    }

    /// Reads an envelope of a `T`, bounded; believes nothing of it.
    pub fn read<T: Document>(bytes: &[u8]) -> Result<Self, NotSigned> {
        if bytes.len() > T::MAX_BYTES {
            return Err(NotSigned::TooLarge { got: bytes.len(), limit: T::MAX_BYTES });
        }
        let envelope: Self =
            json::document(bytes).map_err(|error| NotSigned::Malformed(error.to_string()))?;
        if envelope.payload_type != T::TYPE {
            return Err(NotSigned::WrongType { got: envelope.payload_type, wanted: T::TYPE });
        }
        if envelope.signatures.len() > SIGNATURES {
            return Err(NotSigned::Malformed(format!("more than {SIGNATURES} signatures")));
        }
        Ok(envelope)
    }

    /// Reads and verifies the bytes of an envelope against a role.
    pub fn verify<T: Document>(bytes: &[u8], role: &Role) -> Result<Signed<T>, NotSigned> {
        let envelope = Self::read::<T>(bytes)?;
        let signers = envelope.signers(role)?;
        Ok(Signed {
            document: envelope.payload::<T>()?,
            signers,
            envelope: Digest::of(bytes),
            payload: Digest::of(&envelope.payload),
        })
    }

    /// What it claims, unverified: only to decide *which* role must have signed, or to show a person.
    pub fn claim<T: Document>(bytes: &[u8]) -> Result<T, NotSigned> {
        Self::read::<T>(bytes)?.payload()
    }

    /// The bytes to store or send.
    pub fn to_bytes(&self) -> Vec<u8> {
        json::canonical_of(self)
    }

    /// The digest of the payload.
    pub fn payload_digest(&self) -> Digest {
        Digest::of(&self.payload)
    }

    fn payload<T: Document>(&self) -> Result<T, NotSigned> {
        let document: T =
            json::document(&self.payload).map_err(|error| NotSigned::Payload(error.to_string()))?;
        document.check().map_err(NotSigned::Payload)?;
        Ok(document)
    }

    /// The distinct keys of a role that have signed, if they are enough.
    fn signers(&self, role: &Role) -> Result<Vec<PublicKey>, NotSigned> {
        let message = pae(&self.payload_type, &self.payload);
        let signed = |key: &&PublicKey| self.signatures.iter().any(|s| key.verifies(&message, &s.sig));
        let signers: BTreeSet<PublicKey> = role.keys.iter().filter(signed).copied().collect();
        if role.threshold == 0 || signers.len() < role.threshold {
            return Err(NotSigned::Threshold { got: signers.len(), wanted: role.threshold });
        }
        Ok(signers.into_iter().collect())
    }
}

impl Signature {
    /// An approver's signature over a hold's digest.
    pub fn approve(hold: Digest, key: &SigningKey) -> Self {
        let message = pae(APPROVAL_TYPE, hold.to_string().as_bytes());
        Self { keyid: key.public().id(), sig: key.sign(&message).to_vec() }
    }
}

/// Whether an approval carries signatures of enough distinct approvers.
pub(crate) fn approves(approval: &Approval, role: &Role) -> bool {
    let message = pae(APPROVAL_TYPE, approval.hold.to_string().as_bytes());
    let signatures = approval.signatures.get(..SIGNATURES.min(approval.signatures.len())).unwrap_or_default();
    let signed = |key: &&PublicKey| signatures.iter().any(|s| key.verifies(&message, &s.sig));
    let signers: BTreeSet<_> = role.keys.iter().filter(signed).collect();
    role.threshold > 0 && signers.len() >= role.threshold
}

/// DSSE's pre-authentication encoding.
fn pae(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let mut message = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len()).into_bytes();
    message.extend_from_slice(payload);
    message
}

pub(crate) mod base64_text {
    //! Bytes as standard base64 in JSON.

    use base64::Engine;
    use base64::prelude::BASE64_STANDARD;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&BASE64_STANDARD.encode(bytes))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(deserializer)?;
        BASE64_STANDARD.decode(text).map_err(serde::de::Error::custom)
    }
}
