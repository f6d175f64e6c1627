//! What a mirror has served: for its owner, and as metrics.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hyper::StatusCode;

use crate::meters;

/// Counts what a mirror serves. Clones share the counters.
#[derive(Clone, Debug, Default)]
pub struct Served(Arc<Counters>);

#[derive(Debug, Default)]
struct Counters {
    whole: AtomicU64,
    partial: AtomicU64,
    not_modified: AtomicU64,
    not_found: AtomicU64,
    refused: AtomicU64,
    body_bytes: AtomicU64,
}

/// The counters at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// 200: whole contents.
    pub whole: u64,
    /// 206: parts.
    pub partial: u64,
    /// 304: the reader had it already.
    pub not_modified: u64,
    /// 404: nothing lies there.
    pub not_found: u64,
    /// Everything else.
    pub refused: u64,
    /// Bytes of bodies, without heads.
    pub body_bytes: u64,
}

impl Figures {
    /// All answers.
    pub fn responses(&self) -> u64 {
        self.whole + self.partial + self.not_modified + self.not_found + self.refused
    }
}

impl Served {
    /// The counters now.
    pub fn figures(&self) -> Figures {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Figures {
            whole: read(&self.0.whole),
            partial: read(&self.0.partial),
            not_modified: read(&self.0.not_modified),
            not_found: read(&self.0.not_found),
            refused: read(&self.0.refused),
            body_bytes: read(&self.0.body_bytes),
        }
    }

    pub(crate) fn answered(&self, status: StatusCode) {
        let counter = match status {
            StatusCode::OK => &self.0.whole,
            StatusCode::PARTIAL_CONTENT => &self.0.partial,
            StatusCode::NOT_MODIFIED => &self.0.not_modified,
            StatusCode::NOT_FOUND => &self.0.not_found,
            _ => &self.0.refused,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        meters::answered(status);
    }

    pub(crate) fn sent(&self, bytes: u64) {
        self.0.body_bytes.fetch_add(bytes, Ordering::Relaxed);
        meters::sent(bytes);
    }
}
