//! When it is of use to render again.

use super::*;
use crate::manifests::{Finding, Findings};

fn key(input: &str) -> RenderKey {
    let digest = cdn::Digest::of(input.as_bytes());
    serde_json::from_value(serde_json::json!({"places": [], "digest": digest})).expect("a key")
}

fn of(input: &str, before: Option<&Refusal>, why: RenderError, now: Instant) -> Refusal {
    Refusal::after(before, key(input), Arc::new(why), now)
}

#[test]
fn what_is_wrong_stands_until_the_input_changes() {
    let now = Instant::now();
    let findings = Findings::from(Finding::new("a.yaml", "it is wrong", "correct it"));
    let refusal = of("a", None, findings.into(), now);
    let later = now + Duration::from_hours(1000);
    assert!(refusal.stands(&key("a"), later));
    assert!(!refusal.stands(&key("b"), now));
    assert!(!refusal.unproved(now).stands(&key("a"), now));
}

#[test]
fn what_may_pass_is_tried_again_at_a_growing_distance() {
    let now = Instant::now();
    let broken = || RenderError::Broken("no thread".to_owned());
    let (mut last, mut waits) = (None, Vec::new());
    for _ in 0..8 {
        let refusal = of("a", last.as_ref(), broken(), now);
        waits.push(refusal.until.expect("an end").duration_since(now).as_secs());
        last = Some(refusal);
    }
    assert_eq!(waits, [30, 60, 120, 240, 480, 960, 1800, 1800]);
    let other = of("b", last.as_ref(), broken(), now);
    assert!(other.stands(&key("b"), now + Duration::from_secs(29)));
    assert!(!other.stands(&key("b"), now + Duration::from_secs(30)));
}
