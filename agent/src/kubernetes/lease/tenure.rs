//! `Tenure`: whose turn it is, by what was seen of the Lease so far. Pure: the moments are given.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use tokio::time::Instant;

use crate::target::Claim;

/// A holder that asks for more than any agent does stands for no longer than this, so that nothing is held for ever.
const LONGEST: Duration = Duration::from_hours(3);
/// The part of its duration after which our Lease is renewed.
const PART: u32 = 3;

/// What this process knows of the Lease.
#[derive(Debug, Default)]
pub(in crate::kubernetes) struct Tenure {
    /// When ours was renewed last.
    renewed: Option<Instant>,
    /// Another's, as it was seen last.
    other: Option<Sight>,
}

/// Another's Lease, unchanged since a moment.
#[derive(Debug)]
struct Sight {
    holder: String,
    renew_time: String,
    since: Instant,
    lasting: Duration,
}

/// What a Lease says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// Its holder; empty where nobody holds it.
    pub(super) holder: String,
    /// When the holder renewed it, as text: only whether it changes is of interest.
    pub(super) renew_time: String,
    /// How long that is ago by the two clocks; none where it lies ahead or is no time. Believed of ourselves alone.
    pub(super) age: Option<Duration>,
    /// How long it stands.
    pub(super) lasting: Option<Duration>,
}

/// Whose turn it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Ours, and not due yet.
    Ours,
    /// Ours to take or to renew.
    Write,
    /// This one's.
    Anothers(String),
}

impl Found {
    /// What the object says.
    pub(super) fn read(object: &Value, now: Timestamp) -> Self {
        let spec = &object["spec"];
        let text = |field: &str| spec[field].as_str().unwrap_or_default().to_owned();
        let renew_time = text("renewTime");
        let renewed: Option<Timestamp> = renew_time.parse().ok();
        let age = renewed.and_then(|renewed| now.duration_since(renewed).try_into().ok());
        let lasting = spec["leaseDurationSeconds"].as_u64().map(Duration::from_secs);
        Self { holder: text("holderIdentity"), renew_time, age, lasting }
    }
}

impl Tenure {
    /// Whose turn it is, by what is found now.
    pub(super) fn judge(&mut self, found: Option<&Found>, claim: &Claim, now: Instant) -> Verdict {
        match found {
            Some(found) if found.holder == claim.holder => {
                self.other = None;
                self.judge_ours(found, claim, now)
            }
            Some(found) if !found.holder.is_empty() => {
                self.renewed = None;
                self.see(found, claim, now);
                self.other(now).map_or(Verdict::Write, Verdict::Anothers)
            }
            Some(_) | None => Verdict::Write,
        }
    }

    /// Ours was written at this moment or a little later.
    pub(super) fn renewed(&mut self, now: Instant) {
        *self = Self { renewed: Some(now), other: None };
    }

    /// Whoever was seen to hold it within its duration.
    pub(super) fn other(&self, now: Instant) -> Option<String> {
        let stands = |other: &&Sight| now.saturating_duration_since(other.since) < other.lasting;
        self.other.as_ref().filter(stands).map(|other| other.holder.clone())
    }

    /// After a start only the Lease knows when it was renewed. If the clock misleads us there, a renewal comes too late or
    /// too early; who holds it is looked at all the same.
    fn judge_ours(&mut self, found: &Found, claim: &Claim, now: Instant) -> Verdict {
        let due = claim.lasting / PART;
        let before = || now.checked_sub(found.age.filter(|age| *age < due)?);
        self.renewed = self.renewed.or_else(before);
        let is_young = self.renewed.is_some_and(|at| now.saturating_duration_since(at) < due);
        if is_young && found.lasting == Some(claim.lasting) { Verdict::Ours } else { Verdict::Write }
    }

    fn see(&mut self, found: &Found, claim: &Claim, now: Instant) {
        let same = |other: &&Sight| (&other.holder, &other.renew_time) == (&found.holder, &found.renew_time);
        let since = self.other.as_ref().filter(same).map_or(now, |other| other.since);
        let lasting = found.lasting.unwrap_or(claim.lasting).min(LONGEST);
        let (holder, renew_time) = (found.holder.clone(), found.renew_time.clone());
        self.other = Some(Sight { holder, renew_time, since, lasting });
    }
}

#[cfg(test)]
mod tests;
