//! The times in which this database issued no sequence.

/// Spans of unix milliseconds, ends excluded, in order; see `db::fleet::gaps`.
#[derive(Debug, Default)]
pub(crate) struct Gaps(Vec<(u64, u64)>);

impl Gaps {
    pub(crate) fn new(in_order: Vec<(u64, u64)>) -> Self {
        Self(in_order)
    }

    /// Whether a sequence lies in one: then a database issued it that is lost.
    pub(super) fn have(&self, seq: u64) -> bool {
        let before = self.0.partition_point(|(began, _)| *began < seq);
        before.checked_sub(1).and_then(|last| self.0.get(last)).is_some_and(|(_, ended)| seq < *ended)
    }
}

#[cfg(test)]
mod tests {
    use super::Gaps;

    #[test]
    fn a_gap_has_what_lies_between_its_ends() {
        let gaps = Gaps::new(vec![(10, 20), (30, 40)]);
        let lost: Vec<u64> = (0..50).filter(|seq| gaps.have(*seq)).collect();
        let between: Vec<u64> = (11..20).chain(31..40).collect();
        assert_eq!(lost, between);
        assert!(!Gaps::default().have(7));
    }
}
