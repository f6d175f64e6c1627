//! Keys, the roles that they have, and signatures of exact bytes.
//!
//! Sources: RFC 8032 (Ed25519), DSSE v1 (its pre-authentication encoding keeps the payload's type inside the
//! signature), TUF (thresholds count distinct keys).

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use ed25519_dalek::Signer;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::Zeroizing;

use crate::{Digest, Secret, json, limits};

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
            && self.keys.len() <= limits::KEYS
            && (1..=self.keys.len()).contains(&self.threshold)
    }
    /// Those of the role's keys that have signed the message. The key ids are only hints: every key is tried.
    pub(crate) fn signers(&self, message: &[u8], signatures: &[Signature]) -> BTreeSet<PublicKey> {
        let has_signed = |key: &&PublicKey| signatures.iter().any(|one| key.verifies(message, &one.sig));
        self.keys.iter().filter(has_signed).copied().collect()
    }

    /// Whether those who have signed before are still enough: as far as the role lists them today.
    pub(crate) fn is_still_met_by(&self, signers: &[PublicKey]) -> bool {
        let listed = self.keys.iter().filter(|key| signers.contains(key));
        self.is_met_by(&listed.copied().collect())
    }

    /// Whether so many distinct keys of the role are enough.
    pub(crate) fn is_met_by(&self, signers: &BTreeSet<PublicKey>) -> bool {
        self.threshold > 0 && signers.len() >= self.threshold
    }
}

/// One signature, with a hint whose it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signature {
    #[serde(default)]
    keyid: String,
    #[serde(with = "json::base64_text")]
    sig: Vec<u8>,
}

impl Signature {
    /// A key's signature of a typed payload.
    pub(crate) fn of(payload_type: &str, payload: &[u8], key: &SigningKey) -> Self {
        let message = message(payload_type, payload);
        Self { keyid: key.public().id(), sig: key.sign(&message).to_vec() }
    }
}

/// What is signed: DSSE's pre-authentication encoding of a typed payload.
pub(crate) fn message(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let mut message = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len()).into_bytes();
    message.extend_from_slice(payload);
    message
}

#[cfg(test)]
mod tests {
    /// The example of DSSE's protocol document.
    #[test]
    fn a11_what_is_signed_is_what_dsse_says() {
        let message = super::message("http://example.com/HelloWorld", b"hello world");
        assert_eq!(message, b"DSSEv1 29 http://example.com/HelloWorld 11 hello world");
    }
}
