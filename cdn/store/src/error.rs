//! What can go wrong with a store, in words that say which store, which key, why, and the next step.

use std::io;

use cdn::key::Change;
use cdn::{Digest, Key};

use crate::Found;

/// A store could not do what was asked. It never holds a credential.
#[derive(Debug, thiserror::Error)]
#[error("{store}: {place}: {cause}")]
pub struct StoreError {
    /// Which store.
    pub store: String,
    /// Which key, or which part of opening it.
    pub place: String,
    /// Why.
    pub cause: Cause,
}

/// Why a store could not.
#[derive(Debug, thiserror::Error)]
pub enum Cause {
    /// A key that changes was put, or one that does not was swapped.
    #[error("{}", wrong_verb(*.0))]
    WrongVerb(Change),
    /// The bytes to put are not what the key names.
    #[error("refused before sending: the bytes are {0}; an object's key is the sha256 of its bytes")]
    NotItsDigest(Digest),
    /// More bytes than any reader would take.
    #[error("larger than the {limit} bytes that a reader takes from there; make the content smaller")]
    TooLarge {
        /// The most that a reader takes.
        limit: u64,
    },
    /// Other content lies at a key that never changes.
    #[error("other content lies there, and it may never change; use the next number")]
    Different,
    /// What lies there is not what the key names.
    #[error("damaged: the bytes there are {0}; put the object again, which repairs it")]
    Damaged(Digest),
    /// No room; nothing half-written is left.
    #[error("no space is left, and nothing was changed; free space or extend the volume, then try again")]
    Full,
    /// The folder that was opened is not there any more.
    #[error(
        "the store's folder is gone since the start, or nothing of a store is in it, and nothing was written; mount its \
         volume or put it back, and it goes on; for an empty store there, start this program again"
    )]
    Gone,
    /// The credentials are missing, wrong, or not enough.
    #[error("not allowed: {0}; check the credentials and that they may read and write there")]
    Denied(String),
    /// There is no such bucket.
    #[error("there is no such bucket; create it, or correct --store")]
    NoBucket,
    /// The settings cannot be used.
    #[error("{0}")]
    Settings(String),
    /// Nobody answers, or the answer was cut.
    #[error("cannot be reached: {0}; check the endpoint and the network, it may work later")]
    Unreachable(String),
    /// The store asks for patience, also after several tries.
    #[error("overloaded or failing: {0}; it may work later")]
    Busy(String),
    /// Another writer holds what this one needs: who it is, and how to end it.
    #[error("{0}")]
    Locked(String),
    /// The store answered something else.
    #[error("the store refuses: {0}; check --store, and that what answers there is an S3 server")]
    Refused(String),
    /// The file system answered something else.
    #[error("{0}; check the folder, its owner and its disk")]
    File(io::Error),
}

impl From<io::Error> for Cause {
    fn from(error: io::Error) -> Self {
        let full = matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
        if full { Self::Full } else { Self::File(error) }
    }
}

/// A swap did not happen.
#[derive(Debug, thiserror::Error)]
pub enum SwapError {
    /// Something else lies there than was expected: another writer was first. Look at it, and decide anew.
    #[error("another writer was first")]
    Conflict(Option<Found>),
    /// The store could not.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// An object's bytes are what its key names; `Err` tells what they are.
pub(crate) fn check_digest(key: &Key, bytes: &[u8]) -> Result<(), Digest> {
    match key {
        Key::Object(digest) => {
            let got = Digest::of(bytes);
            if got == *digest { Ok(()) } else { Err(got) }
        }
        Key::Root(_) | Key::Head(_) | Key::Routes(_) | Key::Desired(_) => Ok(()),
    }
}

fn wrong_verb(wanted: Change) -> &'static str {
    match wanted {
        Change::Never => "what lies there changes: it is moved by swap, not put",
        Change::CompareAndSet => "what lies there never changes: it is put, not swapped",
    }
}
