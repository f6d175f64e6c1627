//! `Budget`: the site's own bound on deleting. No remote document and no annotation loosens it.

/// How much may be deleted without a person's yes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Budget {
    /// This many objects are always within it.
    pub(crate) objects: usize,
    /// And this share of what is ours, in percent.
    pub(crate) percent: u8,
}

impl Default for Budget {
    fn default() -> Self {
        Self { objects: Self::OBJECTS, percent: Self::PERCENT }
    }
}

impl Budget {
    /// Objects, unless a site says otherwise.
    pub(crate) const OBJECTS: usize = 5;
    /// Percent, unless a site says otherwise.
    pub(crate) const PERCENT: u8 = 10;

    /// How many of so many objects may go in one pass.
    pub(crate) fn of(self, ours: usize) -> usize {
        self.objects.max(ours.saturating_mul(usize::from(self.percent)) / 100)
    }
}
