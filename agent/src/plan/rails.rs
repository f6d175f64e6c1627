//! `Rails`: the site's own bounds on deleting. No remote document and no annotation loosens them.

/// How much may be deleted without a person's yes, and what the target can do at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "four independent facts, each named where it is read")]
pub struct Rails {
    /// This many objects are always within the budget.
    pub budget_objects: usize,
    /// And this share of what is ours, in percent.
    pub budget_percent: usize,
    /// Whether anything may be deleted at present; not before one clean full pass after trusted state was lost.
    pub prune: bool,
    /// Whether the target can delete at all.
    pub deletes: bool,
    /// Whether the target knows health: if not, what is applied counts as ready.
    pub knows_health: bool,
    /// Whether an edit changes the UID, as in a folder: then what stands where we wrote is ours, edited.
    pub edits_change_uid: bool,
}

impl Default for Rails {
    fn default() -> Self {
        Self {
            budget_objects: 5,
            budget_percent: 10,
            prune: true,
            deletes: true,
            knows_health: true,
            edits_change_uid: false,
        }
    }
}

impl Rails {
    /// How many of so many objects may go in one pass.
    pub fn budget(&self, of: usize) -> usize {
        self.budget_objects.max(of.saturating_mul(self.budget_percent) / 100)
    }
}
