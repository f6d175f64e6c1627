use std::time::Duration;

use tokio::time::Instant;

use super::{Held, LEASE, Lock, State, Verdict, decide};

const SECOND: Duration = Duration::from_secs(1);

fn lock(id: &str, renewals: u64) -> Lock {
    Lock { says: String::new(), holder: "another".to_owned(), id: id.to_owned(), renewals }
}

fn check(there: Option<Lock>, state: &mut State, now: Instant) -> &'static str {
    match decide("me", there, state, now) {
        Verdict::Renew(_) => "renew",
        Verdict::Take => "take",
        Verdict::Wait(_) => "wait",
    }
}

fn held(since: Instant) -> State {
    State { held: Some(Held { since, renewals: 0 }), seen: None }
}

#[test]
fn a_free_lock_is_taken_and_a_held_one_renewed_within_its_lease() {
    let now = Instant::now();
    assert_eq!(check(None, &mut State::default(), now), "take");
    let mut state = held(now);
    assert_eq!(check(Some(lock("me", 3)), &mut state, now + LEASE - SECOND), "renew");
    assert!(state.held.is_some());
}

#[test]
fn c7_a_held_lock_that_was_not_renewed_in_time_is_taken_anew_as_if_it_were_free() {
    let now = Instant::now();
    let mut state = held(now);
    assert_eq!(check(Some(lock("me", 0)), &mut state, now + LEASE), "take");
    assert!(state.held.is_none());
}

#[test]
fn c7_an_own_lock_that_was_written_too_late_is_waited_for_like_anothers() {
    let now = Instant::now();
    let mut state = State::default();
    assert_eq!(check(Some(lock("me", 0)), &mut state, now), "wait");
    assert_eq!(check(Some(lock("me", 0)), &mut state, now + LEASE - SECOND), "wait");
    assert_eq!(check(Some(lock("me", 0)), &mut state, now + LEASE), "take");
}

#[test]
fn anothers_lock_is_taken_only_after_it_stood_still_for_the_whole_lease() {
    let mut state = State::default();
    let start = Instant::now();
    assert_eq!(check(Some(lock("you", 1)), &mut state, start), "wait");
    assert_eq!(check(Some(lock("you", 1)), &mut state, start + LEASE - SECOND), "wait");
    // It moved: its holder lives, and the clock starts anew.
    assert_eq!(check(Some(lock("you", 2)), &mut state, start + LEASE), "wait");
    assert_eq!(check(Some(lock("you", 2)), &mut state, start + LEASE + SECOND), "wait");
    assert_eq!(check(Some(lock("you", 2)), &mut state, start + LEASE * 2), "take");
}

#[test]
fn who_lost_its_lock_to_another_no_longer_holds_it() {
    let now = Instant::now();
    let mut state = held(now);
    assert_eq!(check(Some(lock("you", 0)), &mut state, now), "wait");
    assert!(state.held.is_none());
}
