//! `Secret` and the tokens made of it: text that no log, error or URL ever shows (law L10).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::Zeroizing;

use crate::Digest;

/// Text that must not be shown: it has no `Display`, its `Debug` says nothing, and it is wiped when dropped.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Wraps a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// The text, for the one place that sends or compares it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// What is stored instead of the text. Only for secrets of 256 random bits, where a plain sha256 is enough.
    pub fn hash(&self) -> Digest {
        Digest::of(self.0.as_bytes())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// Written out only where a body is the secret's one delivery (a new token's answer).
impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.expose())
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new)
    }
}

/// Whom a token speaks for. The prefix lets secret scanners and people tell them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TokenKind {
    /// Lets a new cluster ask to join; carries the fleet's id.
    Join,
    /// A cluster's own credential.
    Cluster,
    /// A publisher's credential.
    Publisher,
    /// A person's or CI's credential.
    Admin,
}

impl TokenKind {
    const ALL: [Self; 4] = [Self::Join, Self::Cluster, Self::Publisher, Self::Admin];

    /// The prefix, e.g. `wlc`.
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Join => "wlj",
            Self::Cluster => "wlc",
            Self::Publisher => "wlp",
            Self::Admin => "wla",
        }
    }
}

/// A bearer token: `prefix_[fleet_]random_checksum`, 256 random bits in hex. A join token carries the fleet's id,
/// so that joining never has to trust what the network says about keys.
#[derive(Clone, Debug)]
pub struct Token {
    kind: TokenKind,
    fleet: Option<Digest>,
    secret: Secret,
}

impl Token {
    /// A new random token of a kind; a join token names its fleet.
    pub fn random(kind: TokenKind, fleet: Option<Digest>) -> Self {
        let fleet = if kind == TokenKind::Join { fleet } else { None };
        let fleet_part = fleet.map(|id| format!("{}_", id.hex())).unwrap_or_default();
        let body = format!("{}_{fleet_part}{}", kind.prefix(), crate::digest::hex(&random::<32>()));
        let secret = Secret::new(format!("{body}_{}", checksum(&body)));
        Self { kind, fleet, secret }
    }

    /// Whom it speaks for.
    pub fn kind(&self) -> TokenKind {
        self.kind
    }

    /// The fleet that a join token carries.
    pub fn fleet(&self) -> Option<Digest> {
        self.fleet
    }

    /// The token as a secret text.
    pub fn secret(&self) -> &Secret {
        &self.secret
    }

    /// What is stored on the other side.
    pub fn hash(&self) -> Digest {
        self.secret.hash()
    }
}

/// The text is not a whole token: a wrong prefix, a cut, a typing error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a whole Windlass token (wrong prefix, length or checksum): copy it again")]
pub struct BadToken;

impl FromStr for Token {
    type Err = BadToken;

    fn from_str(text: &str) -> Result<Self, BadToken> {
        let (body, sum) = text.trim().rsplit_once('_').ok_or(BadToken)?;
        if checksum(body) != sum {
            return Err(BadToken);
        }
        let parts: Vec<&str> = body.split('_').collect();
        let kind = TokenKind::ALL.into_iter().find(|k| parts.first() == Some(&k.prefix())).ok_or(BadToken)?;
        let fleet = match (kind, parts.as_slice()) {
            (TokenKind::Join, [_, fleet, _]) => Some(Digest::from_hex(fleet).map_err(|_| BadToken)?),
            (TokenKind::Cluster | TokenKind::Publisher | TokenKind::Admin, [_, _]) => None,
            (TokenKind::Join | TokenKind::Cluster | TokenKind::Publisher | TokenKind::Admin, _) => {
                return Err(BadToken);
            }
        };
        let random = parts.last().copied().unwrap_or_default();
        Digest::from_hex(random).map_err(|_| BadToken)?;
        Ok(Self { kind, fleet, secret: Secret::new(text.trim()) })
    }
}

/// Tells a typing error from a wrong token; not a proof of anything.
fn checksum(body: &str) -> String {
    Digest::of(body.as_bytes()).hex()[..8].to_owned()
}

/// Random bytes from the operating system.
pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0u8; N];
    getrandom::fill(&mut bytes).expect("the operating system has a random source");
    bytes
}
