//! `Finding`: one reason why manifests are not published, as a person can act on it.

use std::fmt;

/// What is wrong with one file or object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// The file, template or object.
    pub at: String,
    /// What is wrong, and why it matters.
    pub what: String,
    /// The next step.
    pub next: String,
}

impl Finding {
    /// A finding; foreign text in it is made fit to be shown.
    pub fn new(at: impl AsRef<str>, what: impl AsRef<str>, next: impl Into<String>) -> Self {
        let (at, what) = (crate::words::safe(at.as_ref(), 300), crate::words::safe(what.as_ref(), 500));
        Self { at, what, next: next.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; {}", self.at, self.what, self.next)
    }
}

/// All findings of one look, so that a person mends them at once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings(Vec<Finding>);

/// Findings that are written out; the rest is counted.
const SHOWN: usize = 20;

impl Findings {
    /// The findings, sorted by place.
    pub fn iter(&self) -> impl Iterator<Item = &Finding> {
        self.0.iter()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nothing was found.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn add(&mut self, finding: Finding) {
        self.0.push(finding);
    }

    /// The value if nothing was found.
    pub(crate) fn or<T>(mut self, value: T) -> Result<T, Self> {
        self.0.sort();
        self.0.dedup();
        if self.0.is_empty() { Ok(value) } else { Err(self) }
    }
}

impl From<Finding> for Findings {
    fn from(finding: Finding) -> Self {
        Self(vec![finding])
    }
}

/// One a line.
impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, finding) in self.0.iter().take(SHOWN).enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            finding.fmt(f)?;
        }
        match self.0.len().saturating_sub(SHOWN) {
            0 => Ok(()),
            more => write!(f, "\nand {more} more"),
        }
    }
}

impl std::error::Error for Findings {}
