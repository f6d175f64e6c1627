//! `Held`: something refused or waited for, before it is known since when; and the `Book` that knows.

use std::collections::BTreeMap;

use cdn::document::{Hold, HoldReason};
use cdn::limits::TEXT_CHARS;
use cdn::{Digest, ObjectId, ServiceName};
use jiff::Timestamp;

use crate::target::Refusal;

/// A hold without its time, as decisions find it: the same finding in two passes is the same value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Held {
    /// The stable code.
    pub reason: HoldReason,
    /// The service, unless it is the whole cluster.
    pub service: Option<ServiceName>,
    /// The object, unless it is the whole service.
    pub object: Option<ObjectId>,
    /// One sentence with the particulars.
    pub message: String,
    /// What to approve, where a person's yes releases it.
    pub digest: Option<Digest>,
}

impl Held {
    /// The whole cluster is held.
    pub(crate) fn cluster(reason: HoldReason, message: impl Into<String>) -> Self {
        Self { reason, service: None, object: None, message: message.into(), digest: None }
    }

    /// A whole service is held.
    pub(crate) fn service(reason: HoldReason, service: &ServiceName, message: impl Into<String>) -> Self {
        Self { service: Some(service.clone()), ..Self::cluster(reason, message) }
    }

    /// One object of a service is held.
    pub(crate) fn object(
        reason: HoldReason,
        service: &ServiceName,
        object: &ObjectId,
        message: impl Into<String>,
    ) -> Self {
        Self { object: Some(object.clone()), ..Self::service(reason, service, message) }
    }

    /// What a target refused of one object.
    pub(crate) fn refused(service: &ServiceName, object: &ObjectId, refusal: Refusal) -> Self {
        Self::object(refusal.reason, service, object, refusal.message)
    }

    /// The same, released by a person's yes to `digest`.
    #[must_use]
    pub(crate) fn until_approved(self, digest: Digest) -> Self {
        Self { digest: Some(digest), ..self }
    }
}

/// What makes two findings of different passes the same hold.
type Name = (HoldReason, Option<ServiceName>, Option<ObjectId>, Option<Digest>);

/// Remembers since when each hold stands.
#[derive(Debug, Default)]
pub(crate) struct Book {
    since: BTreeMap<Name, Timestamp>,
}

impl Book {
    /// Gives each finding its time; what is no longer found is forgotten.
    pub(crate) fn stamp(&mut self, found: &[Held], now: Timestamp) -> Vec<Hold> {
        let name = |held: &Held| (held.reason, held.service.clone(), held.object.clone(), held.digest);
        let before = std::mem::take(&mut self.since);
        for held in found {
            let name = name(held);
            let since = before.get(&name).copied().unwrap_or(now);
            self.since.insert(name, since);
        }
        found.iter().map(|held| hold(held, self.since.get(&name(held)).copied().unwrap_or(now))).collect()
    }
}

fn hold(held: &Held, since: Timestamp) -> Hold {
    Hold {
        reason: held.reason,
        service: held.service.clone(),
        object: held.object.clone(),
        message: held.message.chars().filter(|c| !c.is_control()).take(TEXT_CHARS).collect(),
        since,
        digest: held.digest,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hold_keeps_its_time_as_long_as_it_is_found() {
        let mut book = Book::default();
        let at = |second| Timestamp::from_second(second).unwrap();
        let stale = Held::cluster(HoldReason::Stale, "since noon\u{1b}[31m");
        assert_eq!(book.stamp(std::slice::from_ref(&stale), at(1))[0].message, "since noon[31m");
        let again = Held { message: "since one".to_owned(), ..stale.clone() };
        assert_eq!(book.stamp(&[again], at(2))[0].since, at(1));
        assert!(book.stamp(&[], at(3)).is_empty());
        assert_eq!(book.stamp(&[stale], at(4))[0].since, at(4));
    }
}
