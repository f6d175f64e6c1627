use serde_json::json;

use super::*;

const MINUTE: Duration = Duration::from_mins(1);

fn claim() -> Claim {
    Claim { holder: "us".to_owned(), lasting: 3 * MINUTE }
}

fn found(holder: &str, renew_time: &str) -> Found {
    let lasting = Some(3 * MINUTE);
    Found { holder: holder.to_owned(), renew_time: renew_time.to_owned(), age: None, lasting }
}

fn theirs() -> Verdict {
    Verdict::Anothers("them".to_owned())
}

#[test]
fn l7_anothers_lease_stands_as_long_as_it_is_seen_to_change_within_its_duration() {
    let (mut tenure, start) = (Tenure::default(), Instant::now());
    for minute in 0..10 {
        let seen = found("them", &format!("renewal {}", minute / 3));
        assert_eq!(tenure.judge(Some(&seen), &claim(), start + minute * MINUTE), theirs());
    }
    let last = found("them", "renewal 3");
    assert_eq!(tenure.judge(Some(&last), &claim(), start + 11 * MINUTE), theirs());
    assert_eq!(tenure.judge(Some(&last), &claim(), start + 12 * MINUTE), Verdict::Write);
    // They were only slow, and faster than we are now.
    let slow = found("them", "renewal 4");
    assert_eq!(tenure.judge(Some(&slow), &claim(), start + 12 * MINUTE), theirs());
}

#[test]
fn l7_a_renewal_time_long_past_by_our_clock_is_no_proof_that_nobody_is_there() {
    let old = Found { age: Some(Duration::from_hours(24)), ..found("them", "a day ago") };
    assert_eq!(Tenure::default().judge(Some(&old), &claim(), Instant::now()), theirs());
}

#[test]
fn l7_a_holder_who_asks_for_years_is_waited_for_some_hours() {
    let (mut tenure, start) = (Tenure::default(), Instant::now());
    let years = Found { lasting: Some(Duration::from_secs(1 << 30)), ..found("them", "once") };
    assert_eq!(tenure.judge(Some(&years), &claim(), start), theirs());
    assert_eq!(tenure.judge(Some(&years), &claim(), start + LONGEST), Verdict::Write);
}

#[test]
fn a_lease_that_nobody_holds_is_taken_at_once() {
    let now = Instant::now();
    assert_eq!(Tenure::default().judge(None, &claim(), now), Verdict::Write);
    assert_eq!(Tenure::default().judge(Some(&found("", "")), &claim(), now), Verdict::Write);
}

#[test]
fn ours_is_renewed_after_a_third_of_its_duration_and_not_before() {
    let (mut tenure, start) = (Tenure::default(), Instant::now());
    tenure.renewed(start);
    let ours = found("us", "now");
    assert_eq!(tenure.judge(Some(&ours), &claim(), start + MINUTE / 2), Verdict::Ours);
    assert_eq!(tenure.judge(Some(&ours), &claim(), start + MINUTE), Verdict::Write);
    tenure.renewed(start + MINUTE);
    let otherwise = Claim { lasting: 6 * MINUTE, ..claim() };
    assert_eq!(tenure.judge(Some(&ours), &otherwise, start + MINUTE), Verdict::Write, "the settings changed");
}

#[test]
fn after_a_start_ours_is_ours_at_once_and_renewed_where_its_age_is_not_surely_small() {
    let now = Instant::now();
    let aged = |age| Found { age, ..found("us", "before") };
    for age in [None, Some(MINUTE), Some(Duration::from_hours(24))] {
        assert_eq!(Tenure::default().judge(Some(&aged(age)), &claim(), now), Verdict::Write);
    }
    let young = aged(Some(Duration::ZERO));
    let mut tenure = Tenure::default();
    assert_eq!(tenure.judge(Some(&young), &claim(), now), Verdict::Ours);
    assert_eq!(
        tenure.judge(Some(&young), &claim(), now + MINUTE),
        Verdict::Write,
        "by our own clock from then on"
    );
}

#[test]
fn what_cannot_be_read_now_was_anothers_a_short_while_ago() {
    let (mut tenure, start) = (Tenure::default(), Instant::now());
    assert_eq!(tenure.other(start), None);
    tenure.judge(Some(&found("them", "once")), &claim(), start);
    assert_eq!(tenure.other(start + MINUTE).as_deref(), Some("them"));
    assert_eq!(tenure.other(start + 3 * MINUTE), None, "law L1: from then on it stops nothing");
}

#[test]
fn a_lease_is_read_whatever_stands_in_it() {
    let now: Timestamp = "2026-01-01T00:01:00Z".parse().unwrap();
    let spec = json!({"holderIdentity": "us", "renewTime": "2026-01-01T00:00:00.000000Z", "leaseDurationSeconds": 60});
    let read = Found::read(&json!({"spec": spec}), now);
    assert_eq!((read.holder.as_str(), read.age, read.lasting), ("us", Some(MINUTE), Some(MINUTE)));
    let ahead = json!({"spec": {"renewTime": "2026-01-01T00:02:00.000000Z"}});
    assert_eq!(Found::read(&ahead, now).age, None);
    for nothing in
        [json!({}), json!({"spec": null}), json!({"spec": {"holderIdentity": 1, "renewTime": "noon"}})]
    {
        let read = Found::read(&nothing, now);
        assert_eq!((read.holder.as_str(), read.age, read.lasting), ("", None, None), "{nothing}");
    }
}
