//! `Figure`: one measured number beside its anchor's, as one line.

use std::fmt;

/// Ours and an anchor's number of the same run.
#[derive(Clone, Debug)]
pub(crate) struct Figure {
    /// What was measured.
    pub(crate) name: &'static str,
    /// Ours.
    pub(crate) ours: f64,
    /// What it is held against.
    pub(crate) anchor: &'static str,
    /// The anchor's number.
    pub(crate) against: f64,
    /// `us`, `bytes`, `MB`, `s`, `writes`.
    pub(crate) unit: &'static str,
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, ours, anchor, against, unit } = self;
        let ratio = if *against == 0.0 { f64::NAN } else { ours / against };
        write!(
            f,
            "bench {name} ours={} {anchor}={} unit={unit} ratio={ratio:.3}",
            short(*ours),
            short(*against)
        )
    }
}

/// Enough digits to compare, not more than were measured.
fn short(number: f64) -> String {
    if number == 0.0 || number.abs() >= 100.0 { format!("{number:.0}") } else { format!("{number:.3}") }
}
