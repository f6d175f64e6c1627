use std::time::Duration;

use tokio::time::Instant;

use super::{Glimpse, Limits, Watch};

fn check(steps: &[(u64, Glimpse, Option<&str>)]) {
    let start = Instant::now();
    let mut watch = Watch::new(Limits::default(), start);
    for (second, seen, expected) in steps {
        let now = start + Duration::from_secs(*second);
        assert_eq!(watch.ended(*seen, now), *expected, "after {second} s: {seen:?}");
    }
}

fn seen(requests: u64, bytes: u64, under_way: usize) -> Glimpse {
    Glimpse { requests, bytes, under_way }
}

#[test]
fn a_connection_without_a_request_is_closed_soon() {
    check(&[
        (1, seen(0, 0, 0), None),
        (10, seen(0, 0, 0), None),
        (11, seen(0, 0, 0), Some("no request came")),
    ]);
}

#[test]
fn a_kept_connection_stays_for_the_next_poll_but_not_for_ever() {
    check(&[
        (1, seen(1, 300, 0), None),
        (121, seen(2, 600, 0), None),
        (272, seen(2, 600, 0), Some("it was idle")),
    ]);
}

#[test]
fn a_slow_reader_may_go_on_and_one_who_stands_still_may_not() {
    check(&[
        (1, seen(1, 64_000, 1), None),
        (110, seen(1, 128_000, 1), None),
        (220, seen(1, 192_000, 1), None),
        (341, seen(1, 192_000, 1), Some("its client does not read")),
    ]);
}
