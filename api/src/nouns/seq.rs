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

#[cfg(test)]
mod tests {
    use super::{LAST, LAST_SAID, recovered};

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
