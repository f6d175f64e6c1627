//! Refs as descriptions name them, and who can have made what they lead to.

/// Whose word a ref is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RefKind {
    /// A branch or a tag, by its short or its full name, or HEAD: made by those who may push to the repository.
    Owned,
    /// Any other ref, such as a forge's `refs/pull/7/head`: a stranger can make one by asking for a merge.
    Other,
    /// A commit by its id: many forges give every commit that a fork has, whoever made it.
    Commit,
}

impl RefKind {
    pub(crate) fn of(reference: &str) -> Self {
        let owned = ["refs/heads/", "refs/tags/"];
        if is_commit(reference) {
            Self::Commit
        } else if reference.starts_with("refs/") && !owned.iter().any(|room| reference.starts_with(room)) {
            Self::Other
        } else {
            Self::Owned
        }
    }
}

/// A full commit id, which needs no asking.
pub(crate) fn is_commit(reference: &str) -> bool {
    matches!(reference.len(), 40 | 64)
        && reference.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

/// The full names that a ref may have in a repository. A short name is a branch or a tag and nothing else.
pub(crate) fn full_names(reference: &str) -> Vec<String> {
    if reference == "HEAD" || reference.starts_with("refs/") {
        vec![reference.to_owned()]
    } else {
        vec![format!("refs/heads/{reference}"), format!("refs/tags/{reference}")]
    }
}
