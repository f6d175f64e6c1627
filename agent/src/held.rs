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
    /// The objects that the digest stands for, all of them.
    pub objects: Vec<ObjectId>,
}

impl Held {
    /// The whole cluster is held.
    pub(crate) fn cluster(reason: HoldReason, message: impl Into<String>) -> Self {
        Self {
            reason,
            service: None,
            object: None,
            message: message.into(),
            digest: None,
            objects: Vec::new(),
        }
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

    /// The same, released by a person's yes to `digest`, which stands for these objects.
    #[must_use]
    pub(crate) fn until_approved(self, digest: Digest, objects: Vec<ObjectId>) -> Self {
        Self { digest: Some(digest), objects, ..self }
    }
}

/// What makes two findings of different passes the same hold.
type Name = (HoldReason, Option<ServiceName>, Option<ObjectId>, Option<Digest>);

/// Remembers since when each hold stands.
#[derive(Debug, Default)]
pub(crate) struct Book {
    standing: BTreeMap<Name, Hold>,
}

/// The holds of one look, and how they differ from those of the look before.
#[derive(Debug)]
pub(crate) struct Stamped<'a> {
    /// All that stand, in the order that they were found in.
    pub(crate) holds: Vec<Hold>,
    /// Those that were not there before.
    pub(crate) new: Vec<&'a Held>,
    /// Those that are no longer there, as they were last.
    pub(crate) gone: Vec<Hold>,
}

impl Book {
    /// Gives each finding its time; what is no longer found is forgotten.
    pub(crate) fn stamp<'a>(&mut self, found: &'a [Held], now: Timestamp) -> Stamped<'a> {
        let mut before = std::mem::take(&mut self.standing);
        let (mut holds, mut new) = (Vec::new(), Vec::new());
        for held in found {
            let name = (held.reason, held.service.clone(), held.object.clone(), held.digest);
            let known = self.standing.get(&name).map(|hold| hold.since);
            let since = known.or_else(|| before.remove(&name).map(|hold| hold.since));
            if since.is_none() {
                new.push(held);
            }
            let hold = hold(held, since.unwrap_or(now));
            self.standing.insert(name, hold.clone());
            holds.push(hold);
        }
        Stamped { holds, new, gone: before.into_values().collect() }
    }
}

/// Objects in one line of the log.
const LINE: usize = 50;

impl Stamped<'_> {
    /// Says once what is held from now on, and what no longer is (law L13).
    pub(crate) fn log(&self) {
        for held in &self.new {
            held.log();
        }
        for hold in &self.gone {
            tracing::info!(
                reason = hold.reason.code(),
                service = hold.service.as_ref().map(tracing::field::display),
                object = hold.object.as_ref().map(tracing::field::display),
                since = %hold.since,
                "no longer held"
            );
        }
    }
}

impl Held {
    fn log(&self) {
        let service = self.service.as_ref().map(tracing::field::display);
        tracing::warn!(
            reason = self.reason.code(),
            service,
            object = self.object.as_ref().map(tracing::field::display),
            next = self.reason.next(),
            "held: {}",
            clean(&self.message)
        );
        // Where the message has no room for all names: whoever is asked for a yes sees here what it is to.
        let Some(digest) = self.digest else { return };
        for (line, objects) in self.objects.chunks(LINE).enumerate() {
            let names: Vec<String> = objects.iter().map(ToString::to_string).collect();
            let (first, all) = (line * LINE + 1, self.objects.len());
            tracing::warn!(%digest, service, first, all, objects = names.join(", "), "a yes would delete these");
        }
    }
}

fn hold(held: &Held, since: Timestamp) -> Hold {
    Hold {
        reason: held.reason,
        service: held.service.clone(),
        object: held.object.clone(),
        message: clean(&held.message),
        since,
        digest: held.digest,
    }
}

/// Short, and nothing that a terminal would obey.
fn clean(message: &str) -> String {
    message.chars().filter(|c| !c.is_control()).take(TEXT_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use super::*;

    /// A log that a test reads.
    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Log {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Log {
        /// The lines that this writes.
        fn of(work: impl FnOnce()) -> Vec<String> {
            let log = Self::default();
            let writer = log.clone();
            let lines =
                tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
            tracing::subscriber::with_default(lines, work);
            let bytes = log.0.lock().unwrap().clone();
            String::from_utf8(bytes).unwrap().lines().map(str::to_owned).collect()
        }
    }

    #[test]
    fn l13_the_log_has_each_hold_once_and_every_object_that_a_yes_would_delete() {
        let id = |n: usize| ObjectId {
            group: String::new(),
            kind: "ConfigMap".into(),
            namespace: Some("web".into()),
            name: format!("c{n:03}"),
        };
        let (service, objects) = ("default/web".parse().unwrap(), (0..120).map(id).collect::<Vec<_>>());
        let held = Held::service(HoldReason::PruneBudget, &service, "120 of 130 objects\nwould be deleted");
        let held = [held.until_approved(Digest::of(b"these"), objects.clone())];
        let (mut book, now) = (Book::default(), Timestamp::UNIX_EPOCH);
        let new = Log::of(|| book.stamp(&held, now).log());
        for word in ["WARN", "PruneBudget", "default/web", "120 of 130", HoldReason::PruneBudget.next()] {
            assert!(new[0].contains(word), "{word}: {}", new[0]);
        }
        let digest = Digest::of(b"these").to_string();
        assert!(new[1..].iter().all(|line| line.contains(&digest)));
        assert!(objects.iter().all(|id| new.iter().any(|line| line.contains(&id.to_string()))));
        assert!(Log::of(|| book.stamp(&held, now).log()).is_empty(), "it is not new any more");
        let gone = Log::of(|| book.stamp(&[], now).log());
        assert!(gone.len() == 1 && gone[0].contains("INFO") && gone[0].contains("PruneBudget"), "{gone:?}");
    }

    #[test]
    fn a_hold_keeps_its_time_as_long_as_it_is_found() {
        let mut book = Book::default();
        let at = |second| Timestamp::from_second(second).unwrap();
        let stale = Held::cluster(HoldReason::Stale, "since noon\u{1b}[31m");
        assert_eq!(book.stamp(std::slice::from_ref(&stale), at(1)).holds[0].message, "since noon[31m");
        let again = Held { message: "since one".to_owned(), ..stale.clone() };
        assert_eq!(book.stamp(&[again], at(2)).holds[0].since, at(1));
        assert!(book.stamp(&[], at(3)).holds.is_empty());
        assert_eq!(book.stamp(&[stale], at(4)).holds[0].since, at(4));
    }

    #[test]
    fn l13_a_hold_is_new_once_and_gone_once() {
        let mut book = Book::default();
        let at = |second| Timestamp::from_second(second).unwrap();
        let stale = Held::cluster(HoldReason::Stale, "since noon");
        let skew = Held::cluster(HoldReason::ClockSkew, "by an hour");
        let both = [stale.clone(), skew, stale.clone()];
        let seen = |stamped: &Stamped<'_>| (stamped.new.len(), stamped.gone.len());
        assert_eq!(seen(&book.stamp(&both, at(1))), (2, 0), "twice in one look is one");
        assert_eq!(seen(&book.stamp(&both, at(2))), (0, 0));
        let other = [Held { message: "since one".to_owned(), ..stale }];
        let stamped = book.stamp(&other, at(3));
        assert_eq!(seen(&stamped), (0, 1), "other words are the same hold");
        assert_eq!((stamped.gone[0].reason, stamped.gone[0].since), (HoldReason::ClockSkew, at(1)));
        assert_eq!(book.stamp(&[], at(4)).gone[0].message, "since one");
        assert_eq!(seen(&book.stamp(&[], at(5))), (0, 0));
    }
}
