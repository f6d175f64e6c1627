use super::*;

const MINUTE: Duration = Duration::from_mins(1);

#[test]
fn a_phase_never_moves() {
    // Written down: a change of the hash would let the whole fleet change its turn at once.
    assert_eq!(phase(b"cluster-1", 2 * MINUTE).as_millis(), 57_580);
    assert_eq!(phase(b"", 2 * MINUTE).as_millis(), 112_412);
}

#[test]
fn phases_of_similar_names_fill_the_interval_evenly() {
    let mut turns = [0_u32; 60];
    for number in 0..60_000 {
        let second = phase(format!("cluster-{number}").as_bytes(), MINUTE).as_secs();
        turns[usize::try_from(second).expect("below 60")] += 1;
    }
    assert!(turns.iter().all(|turn| (850..1150).contains(turn)), "{turns:?}");
}

#[test]
fn a_turn_comes_at_its_phase_of_wall_clock_time() {
    let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
    let phase = Duration::from_secs(20);
    assert_eq!(until_phase(phase, MINUTE, at(600)), Duration::from_secs(20));
    assert_eq!(until_phase(phase, MINUTE, at(620)), Duration::ZERO);
    assert_eq!(until_phase(phase, MINUTE, at(621)), Duration::from_secs(59));
}

#[test]
fn a_backoff_doubles_up_to_its_longest_and_is_random_from_zero() {
    let bounds = (Duration::from_secs(1), MINUTE);
    let most = |failures| wait_after(failures, bounds, None, u64::MAX).as_nanos() + 1;
    let seconds = [1, 2, 4, 32, 60, 60, 60].map(|seconds| seconds * 1_000_000_000);
    assert_eq!([0, 1, 2, 5, 6, 40, 4_000_000].map(most), seconds);
    assert_eq!(wait_after(5, bounds, None, 0), Duration::ZERO);
    assert_eq!(wait_after(2, bounds, None, 1 << 63), Duration::from_secs(2));
}

#[test]
fn h3_a_server_slows_down_within_bounds_and_cannot_stop() {
    let bounds = (Duration::from_secs(1), MINUTE);
    let told = |seconds, random| wait_after(0, bounds, Some(Duration::from_secs(seconds)), random).as_secs();
    assert_eq!(told(0, 0), 30);
    assert_eq!(told(100, 0), 100);
    assert_eq!(told(100, u64::MAX), 124);
    assert_eq!(told(u64::MAX, u64::MAX), 3600);
    assert_eq!(server_wait(Duration::MAX), SERVER_WAIT.1);
}

#[test]
fn a_success_starts_the_backoff_anew() {
    let mut backoff = Backoff::new(MINUTE, 10 * MINUTE);
    assert!(backoff.next(None) < MINUTE);
    assert!(backoff.next(None) < 2 * MINUTE);
    assert_eq!(backoff.failures(), 2);
    backoff.reset();
    assert!(backoff.next(None) < MINUTE);
}

#[test]
fn jitter_stays_below_its_most_and_varies() {
    let drawn: Vec<Duration> = (0..50).map(|_| jitter(MINUTE)).collect();
    assert!(drawn.iter().all(|one| *one < MINUTE));
    assert!(drawn.iter().any(|one| *one != drawn[0]));
    assert_eq!(jitter(Duration::ZERO), Duration::ZERO);
}
