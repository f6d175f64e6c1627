//! Envelopes: signed documents as they are stored. A signature is over exact bytes; only then are they parsed (law L3).
//!
//! Source: DSSE v1 (the secure-systems-lab protocol).

use serde::{Deserialize, Serialize};

use crate::document::Document;
use crate::limits::SIGNATURES;
use crate::{Digest, PublicKey, SigningKey, json, signature};

pub use crate::signature::{Role, Signature};

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
    #[serde(with = "json::base64_text")]
    payload: Vec<u8>,
    signatures: Vec<Signature>,
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
        let signatures = keys.iter().map(|key| Signature::of(T::TYPE, &payload, key)).collect();
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
        let message = signature::message(&self.payload_type, &self.payload);
        let signers = role.signers(&message, &self.signatures);
        if !role.is_met_by(&signers) {
            return Err(NotSigned::Threshold { got: signers.len(), wanted: role.threshold });
        }
        Ok(signers.into_iter().collect())
    }
}
