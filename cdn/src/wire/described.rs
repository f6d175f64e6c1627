//! What a person described, as a program reads it. People write strictly: a word that nothing knows is refused where they
//! write it. A program may be older than who took the word, and what it does not know of one thing must not cost it the
//! list of all.

use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

/// A description: understood, or kept as it is. It is never read in part: rendered without an option that somebody asked
/// for, it would be something else than what they want.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Described<T> {
    /// Understood, all of it.
    Known(T),
    /// Not understood: a later version may have taken it.
    Unknown(Unknown),
}

/// A description that is not understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unknown {
    /// As it came, to be passed on.
    pub value: Value,
    /// What is not understood of it.
    pub why: String,
}

impl<T> Described<T> {
    /// What it says, where it is understood.
    pub const fn known(&self) -> Option<&T> {
        match self {
            Self::Known(known) => Some(known),
            Self::Unknown(_) => None,
        }
    }
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for Described<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(from)?;
        if !value.is_object() {
            return Err(D::Error::custom("a description is an object"));
        }
        Ok(match T::deserialize(&value) {
            Ok(known) => Self::Known(known),
            Err(why) => Self::Unknown(Unknown { value, why: why.to_string() }),
        })
    }
}

impl<T: Serialize> Serialize for Described<T> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Known(known) => known.serialize(to),
            Self::Unknown(unknown) => unknown.value.serialize(to),
        }
    }
}
