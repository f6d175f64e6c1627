//! What fits into one report: a cluster with more to say than that is the one that must be heard.

use cdn::document::{Document, Report};
use cdn::json;
use cdn::limits::REPORT_LIST;
use serde::Serialize;

/// For all that is no list.
const HEAD: usize = 4 << 10;

/// The report, with as much of each list as fits. Holds are what a person must see, and services what a fleet is counted
/// by: neither takes more than half from the other.
pub(super) fn fit(report: Report) -> Report {
    let long =
        [report.services.len(), report.holds.len(), report.removed.len()].iter().any(|n| *n > REPORT_LIST);
    if !long && json::canonical_of(&report).len() + HEAD <= Report::MAX_BYTES {
        return report;
    }
    let mut room = Report::MAX_BYTES - HEAD;
    let removed = first(report.removed, &mut room);
    let holds_need: usize = report.holds.iter().map(size).sum();
    let for_holds = holds_need.min(room / 2);
    room -= for_holds;
    let services = first(report.services, &mut room);
    room += for_holds;
    let all = report.holds.len();
    let holds = first(report.holds, &mut room);
    let passed = if holds.len() == all { report.passed } else { 0 };
    Report { passed, services, holds, removed, ..report }
}

/// The first of a list that fit; what they take is taken from the room.
fn first<T: Serialize>(mut list: Vec<T>, room: &mut usize) -> Vec<T> {
    list.truncate(REPORT_LIST);
    let fits = list.iter().take_while(|item| match room.checked_sub(size(*item)) {
        Some(left) => {
            *room = left;
            true
        }
        None => false,
    });
    let count = fits.count();
    list.truncate(count);
    list
}

/// With the comma behind it.
fn size<T: Serialize>(item: &T) -> usize {
    json::canonical_of(item).len() + 1
}

#[cfg(test)]
mod tests;
