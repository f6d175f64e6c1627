use std::sync::Arc;
use std::time::Duration;

use cdn::Digest;
use program::http::StatusCode;
use tokio::time::Instant;

use super::{MOST_AVOIDED, Tracked, order, rest_after};
use crate::{Mismatch, Origin, Why};

const SECOND: Duration = Duration::from_secs(1);

fn tracked<const N: usize>(names: [&str; N]) -> [Arc<Tracked>; N] {
    names.map(|name| Arc::new(Tracked::new(Origin::parse(&format!("http://{name}")).unwrap(), false)))
}

fn check(list: &[Arc<Tracked>], now: Instant, expected: &str) {
    let names: Vec<String> = order(list, now).iter().map(|tracked| tracked.origin.host()).collect();
    assert_eq!(names.join(" "), expected);
}

fn ill(wait: Option<Duration>) -> Why {
    Why::Status { status: StatusCode::SERVICE_UNAVAILABLE, wait }
}

#[test]
fn a14_an_origin_that_fails_stands_behind_the_others_for_a_while_and_then_in_its_old_place() {
    let list = tracked(["a", "b", "c"]);
    let now = Instant::now();
    check(&list, now, "a b c");
    list[0].failed(&ill(None), now);
    check(&list, now, "b c a");
    // Worse than the first one: two in a row.
    list[1].failed(&ill(None), now);
    list[1].failed(&ill(None), now);
    check(&list, now, "c a b");
    check(&list, now + 11 * SECOND, "a c b");
    check(&list, now + 21 * SECOND, "a b c");
}

#[test]
fn c9_an_origin_without_the_object_is_a_healthy_one() {
    let list = tracked(["a", "b"]);
    let now = Instant::now();
    list[0].failed(&ill(None), now);
    list[0].failed(&Why::Absent, now);
    check(&list, now, "a b");
    assert_eq!(list[0].status(now).failures, 0);
}

#[test]
fn rest_doubles_up_to_a_bound_and_honours_what_the_origin_asks_for() {
    assert_eq!(rest_after(0, None), 10 * SECOND);
    assert_eq!(rest_after(3, None), 80 * SECOND);
    assert_eq!(rest_after(u32::MAX, None), Duration::from_mins(5));
    assert_eq!(rest_after(0, Some(90 * SECOND)), 90 * SECOND);
    assert_eq!(rest_after(0, Some(Duration::MAX)), Duration::from_hours(1));
}

#[test]
fn what_is_avoided_is_bounded_and_ends() {
    let tracked = Tracked::new(Origin::parse("/x").unwrap(), false);
    let now = Instant::now();
    let objects: Vec<Digest> = (0..=MOST_AVOIDED).map(|n| Digest::of(&n.to_be_bytes())).collect();
    for (n, object) in objects.iter().enumerate() {
        let before = Mismatch {
            host: "cdn".to_owned(),
            expected: *object,
            length: None,
            actual: None,
            bytes: 1,
            looks_like: None,
        };
        tracked.avoid(Box::new(before), now + SECOND + Duration::from_micros(n as u64));
    }
    assert_eq!(tracked.status(now).avoided, MOST_AVOIDED);
    assert_eq!(tracked.avoided(&objects[0], now), None);
    assert!(tracked.avoided(&objects[1], now).is_some());
    assert_eq!(tracked.avoided(&objects[1], now + 2 * SECOND), None);
}
