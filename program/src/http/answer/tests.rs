use super::*;

#[test]
fn retry_after_is_read_as_seconds_or_as_a_date() {
    let now = httpdate::parse_http_date("Sun, 06 Nov 1994 08:49:00 GMT").expect("a date");
    assert_eq!(wait("120", now), Some(Duration::from_mins(2)));
    assert_eq!(wait("Sun, 06 Nov 1994 08:49:37 GMT", now), Some(Duration::from_secs(37)));
    assert_eq!(wait("Sun, 06 Nov 1994 08:00:00 GMT", now), Some(Duration::ZERO));
    assert_eq!(wait("soon", now), None);
}
