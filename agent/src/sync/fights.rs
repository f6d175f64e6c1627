//! Objects that somebody changes back each time that they are repaired: said, with whose doing it is, and repaired
//! rarely from then on, since nobody wins by haste (FAULTS F10).

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use cdn::document::HoldReason;
use cdn::{ObjectId, ServiceName};

use crate::held::Held;

/// More repairs of one object than this, within this time, are a fight; one without any for so long is over.
const MOST: usize = 5;
const WITHIN: Duration = Duration::from_mins(10);
/// How many intervals lie between two repairs of an object that is fought over.
const RARELY: u32 = 10;

/// The repairs of late, and the fights.
#[derive(Debug, Default)]
pub(super) struct Fights(BTreeMap<ObjectId, Fight>);

#[derive(Debug)]
struct Fight {
    service: ServiceName,
    /// When it was repaired, the last few times.
    repairs: VecDeque<Instant>,
    /// Who had changed it, and what of it, where the target knows.
    with: Option<String>,
    is_on: bool,
}

impl Fights {
    /// An object was repaired: its fields were taken back from `with`.
    pub(super) fn repaired(
        &mut self,
        service: &ServiceName,
        id: &ObjectId,
        with: Option<String>,
        now: Instant,
    ) {
        let fight = self.0.entry(id.clone()).or_insert_with(|| Fight {
            service: service.clone(),
            repairs: VecDeque::new(),
            with: None,
            is_on: false,
        });
        fight.repairs.push_back(now);
        while fight.repairs.len() > MOST + 1 {
            fight.repairs.pop_front();
        }
        fight.with = with.or_else(|| fight.with.take());
        let first = fight.repairs.front().filter(|_| fight.repairs.len() > MOST);
        fight.is_on |= first.is_some_and(|first| now.duration_since(*first) <= WITHIN);
    }

    /// Whether an object that was changed again is left as it is for now.
    pub(super) fn rests(&self, id: &ObjectId, now: Instant, interval: Duration) -> bool {
        let fight = self.0.get(id).filter(|fight| fight.is_on);
        let last = fight.and_then(|fight| fight.repairs.back());
        last.is_some_and(|last| now.duration_since(*last) < interval * RARELY)
    }

    /// What is fought over. What nobody has changed for long is forgotten; `changed`: what differs just now.
    pub(super) fn held(&mut self, changed: impl Fn(&ObjectId) -> bool, now: Instant) -> Vec<Held> {
        let is_late =
            |fight: &Fight| fight.repairs.back().is_some_and(|last| now.duration_since(*last) <= WITHIN);
        self.0.retain(|id, fight| is_late(fight) || (fight.is_on && changed(id)));
        let held = |(id, fight): (&ObjectId, &Fight)| {
            let with = fight.with.as_deref().unwrap_or("somebody whom the target does not name");
            let message = format!(
                "each time that it is repaired it is changed again, by {with}; it is repaired rarely now"
            );
            Held::object(HoldReason::Fighting, &fight.service, id, message)
        };
        self.0.iter().filter(|(_, fight)| fight.is_on).map(held).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_mins(2);

    #[test]
    fn f10_an_object_that_is_changed_back_each_time_is_said_and_repaired_rarely() {
        let service: ServiceName = "default/web".parse().unwrap();
        let id = ObjectId {
            group: String::new(),
            kind: "ConfigMap".into(),
            namespace: Some("web".into()),
            name: "a".into(),
        };
        let start = Instant::now();
        let at = |minutes| start + Duration::from_mins(minutes);
        let mut fights = Fights::default();
        for n in 0..MOST as u64 {
            fights.repaired(&service, &id, Some(format!("kubectl-edit {n}")), at(n));
            assert!(!fights.rests(&id, at(n), INTERVAL));
            assert!(fights.held(|_| false, at(n)).is_empty());
        }
        fights.repaired(&service, &id, Some("kubectl-edit (.data.a)".into()), at(5));
        let held = fights.held(|_| false, at(5));
        assert_eq!((held.len(), held[0].reason), (1, HoldReason::Fighting));
        assert!(held[0].message.contains("kubectl-edit (.data.a)"), "{}", held[0].message);
        assert!(fights.rests(&id, at(24), INTERVAL) && !fights.rests(&id, at(25), INTERVAL));
        assert_eq!(fights.held(|_| true, at(24)).len(), 1, "it is seen while it goes on");
        fights.repaired(&service, &id, None, at(25));
        assert!(fights.rests(&id, at(26), INTERVAL), "one repair of a fight is no new beginning");
        assert_eq!(fights.held(|_| false, at(35)).len(), 1);
        assert!(fights.held(|_| false, at(36)).is_empty(), "nobody has changed it for ten minutes");
        assert!(!fights.rests(&id, at(36), INTERVAL));
    }

    #[test]
    fn repairs_now_and_then_are_no_fight() {
        let service: ServiceName = "default/web".parse().unwrap();
        let id = ObjectId { group: String::new(), kind: "Secret".into(), namespace: None, name: "a".into() };
        let start = Instant::now();
        let mut fights = Fights::default();
        for n in 0..50 {
            let now = start + 3 * INTERVAL / 2 * n;
            fights.repaired(&service, &id, None, now);
            assert!(fights.held(|_| true, now).is_empty());
        }
    }
}
