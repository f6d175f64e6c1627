use super::*;

const WINDOW: Duration = Duration::from_secs(30);

fn meter(limit: u64) -> Meter {
    Meter::new(limit, MinRate { bytes_per_second: 1_000, window: WINDOW })
}

#[test]
fn a_body_of_exactly_the_limit_passes_and_one_byte_more_does_not() {
    let mut meter = meter(10);
    assert_eq!(meter.waited(Duration::ZERO, 10), Ok(()));
    assert_eq!(meter.waited(Duration::ZERO, 1), Err(Cause::TooLarge { limit: 10 }));
}

#[test]
fn a_drip_is_too_slow_at_the_end_of_its_window() {
    let mut meter = meter(u64::MAX);
    for _ in 0..29 {
        assert_eq!(meter.waited(Duration::from_secs(1), 1), Ok(()));
    }
    let slow = Cause::TooSlow { got: 30, least: 30_000, window: WINDOW };
    assert_eq!(meter.waited(Duration::from_secs(1), 1), Err(slow));
}

#[test]
fn a_slow_but_honest_line_passes_even_with_a_pause() {
    let mut meter = meter(u64::MAX);
    for _ in 0..100 {
        assert_eq!(meter.waited(Duration::from_secs(20), 0), Ok(()));
        assert_eq!(meter.waited(Duration::from_secs(10), 30_000), Ok(()));
    }
}

#[test]
fn a_rate_of_zero_allows_silence_until_the_deadline() {
    let mut meter = Meter::new(1, MinRate { bytes_per_second: 0, window: WINDOW });
    for _ in 0..1_000 {
        assert_eq!(meter.waited(meter.patience(), 0), Ok(()));
    }
}
