use cdn::Digest;
use cdn::document::{Document, Health, Hold, HoldReason, Report, ServiceReport, Sync, Usage};
use cdn::json;
use cdn::limits::{REPORT_LIST, TEXT_CHARS};
use jiff::Timestamp;

use super::fit;

fn services(count: usize) -> Vec<ServiceReport> {
    let one = |n| ServiceReport {
        name: format!("default/{n:05}-{}", "s".repeat(50)).parse().unwrap(),
        release: Some(Digest::of(b"release")),
        bundle: Some(Digest::of(b"bundle")),
        sync: Sync::Held,
        health: Health::Degraded,
        objects: 12,
        since: Timestamp::UNIX_EPOCH,
    };
    (0..count).map(one).collect()
}

fn holds(count: usize, letter: &str) -> Vec<Hold> {
    let one = |_| Hold {
        reason: HoldReason::ApplyFailed,
        service: None,
        object: None,
        message: letter.repeat(TEXT_CHARS),
        since: Timestamp::UNIX_EPOCH,
        digest: None,
    };
    (0..count).map(one).collect()
}

/// What is left of so many services and holds.
fn check(counts: (usize, usize), letter: &str) -> (usize, usize) {
    let report = Report {
        format: Report::TYPE.to_owned(),
        number: u64::MAX,
        seq: u64::MAX,
        passed: u64::MAX,
        root: u64::MAX,
        agent: "a".repeat(64),
        services: services(counts.0),
        holds: holds(counts.1, letter),
        removed: vec!["default/gone".parse().unwrap()],
        usage: Usage {
            cpu_ms: u64::MAX,
            memory_bytes: u64::MAX,
            content_bytes: u64::MAX,
            saved_bytes: u64::MAX,
        },
    };
    let fitted = fit(report);
    let bytes = json::canonical_of(&fitted);
    assert!(bytes.len() <= Report::MAX_BYTES, "{counts:?}: {} bytes", bytes.len());
    let read: Report = cdn::document::read(&bytes).expect("the api reads it");
    assert_eq!(read.removed.len(), 1);
    let all_holds = read.holds.len() == counts.1;
    assert_eq!(read.passed != 0, all_holds, "a hold that did not fit is not one that has gone");
    (read.services.len(), read.holds.len())
}

#[test]
fn l13_the_worst_cluster_is_heard_and_neither_list_crowds_out_the_other() {
    assert_eq!(check((3, 3), "x"), (3, 3));
    assert_eq!(check((REPORT_LIST + 1, 0), "x"), (REPORT_LIST, 0));
    let (services, holds) = check((3, REPORT_LIST), "x");
    assert!(services == 3 && holds > 1_500, "{services} {holds}");
    let (services, holds) = check((REPORT_LIST, REPORT_LIST), "x");
    assert!(services > 1_000 && holds > 700, "{services} {holds}");
    // Words of other alphabets have more bytes than letters.
    let (services, holds) = check((REPORT_LIST, REPORT_LIST), "\u{10348}");
    assert!(services > 1_000 && holds > 200, "{services} {holds}");
}
