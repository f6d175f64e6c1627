//! Sequences, as far as others may say them. Ours are unix milliseconds and only ever grow, so whoever could say the
//! highest number there is would leave nothing above it (FAULTS A3).

/// The highest sequence: every reader of JSON holds it exactly, and columns have room above it. As unix milliseconds it
/// is the year 287396.
pub(crate) const LAST: u64 = (1 << 53) - 1;
/// The highest that is counted on from, when an agent says that it holds it or numbers a report by it: as many are left
/// above it.
pub(crate) const LAST_SAID: u64 = LAST / 2;

/// The sequence of a cluster that a person recovers: above its own and above what its agent was seen to hold, as far as
/// that may be believed. `now` is the sequence of the write.
pub(crate) fn recovered(own: u64, said: Option<u64>, now: u64) -> u64 {
    own.max(believed(said).unwrap_or(0)).saturating_add(1).max(now)
}

/// What an agent was seen to hold, if an api can have issued it.
pub(crate) fn believed(said: Option<u64>) -> Option<u64> {
    said.filter(|seq| *seq <= LAST_SAID)
}

/// Whether a report may have this number behind one with that: a clock that was ahead once is counted on from, and so is
/// a number that was forged, so that neither silences what the cluster says later.
pub(crate) fn may_follow(number: u64, last: u64) -> bool {
    number <= LAST_SAID.max(last.saturating_add(STEP))
}

/// How far a report's number may leap beyond [`LAST_SAID`]: agents that are told a higher number go on by one.
const STEP: u64 = 1_000;

#[cfg(test)]
mod tests {
    use super::{LAST, LAST_SAID, may_follow, recovered};

    #[test]
    fn d8_h7_behind_every_number_that_is_taken_there_is_another_one() {
        for last in [0, 1_800_000_000_000, 4_000_000_000_000, LAST_SAID, LAST_SAID + 7] {
            assert!(may_follow(last + 1, last), "{last}");
        }
        assert!(may_follow(4_000_000_000_000, 1_800_000_000_000), "a clock that is ahead");
        assert!(!may_follow(LAST_SAID + 1, 0));
        for number in [LAST, 1 << 63, u64::MAX] {
            assert!(!may_follow(number, LAST_SAID), "{number}");
        }
    }

    #[test]
    fn a3_whatever_an_agent_says_a_recovered_cluster_can_be_assigned_for_ever() {
        for (own, said, now, is) in [
            (5, None, 9, 9),
            (9, None, 9, 10),
            (5, Some(20), 9, 21),
            (5, Some(LAST_SAID), 9, LAST_SAID + 1),
            (5, Some(LAST_SAID + 1), 9, 9),
            (5, Some(u64::MAX), 9, 9),
        ] {
            assert_eq!(recovered(own, said, now), is, "{own} {said:?} {now}");
            assert!(is < LAST - LAST / 4, "and much room is left");
        }
    }
}
