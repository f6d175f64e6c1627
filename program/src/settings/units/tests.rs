use super::*;

#[test]
fn durations_are_sums_of_whole_numbers_with_units() {
    let read = |text| parse_duration(text).map(|duration| duration.as_millis());
    assert_eq!(read("90s"), Ok(90_000));
    assert_eq!(read("1h30m"), Ok(5_400_000));
    assert_eq!(read(" 2 d "), Ok(172_800_000));
    assert_eq!(read("500ms"), Ok(500));
    assert_eq!(read("0s"), Ok(0));
}

#[test]
fn k2_a_duration_that_can_be_misread_is_refused_with_an_example() {
    for (text, why) in [
        ("", "is empty"),
        ("30", "has no unit"),
        ("s", "must start with a whole number"),
        ("1.5h", "unknown unit `.`"),
        ("-5s", "must start with a whole number"),
        ("5min", "unknown unit `min`"),
        ("99999999999999999999s", "is too large"),
        ("18446744073709551615d", "is too large"),
        ("18446744073709551615ms1ms", "is too long"),
    ] {
        let said = parse_duration(text).expect_err(text);
        assert!(said.contains(why), "{text}: {said}");
    }
}

#[test]
fn sizes_keep_thousands_and_powers_of_two_apart() {
    let sizes = ["0B", "512B", "20MB", "20MiB", "1KB", "1kB", "1KiB", "1 GiB"].map(parse_bytes);
    assert_eq!(sizes, [0, 512, 20_000_000, 20_971_520, 1_000, 1_000, 1_024, 1 << 30].map(Ok));
    for text in ["20", "MB", "20Mb", "20MB 1kB", "99999999999TB", "1e3B"] {
        assert!(parse_bytes(text).is_err(), "{text}");
    }
}

#[test]
fn a_duration_is_written_as_it_is_read() {
    for text in ["0s", "250ms", "1m30s", "2h", "1d1h1m1s1ms"] {
        assert_eq!(human(parse_duration(text).expect("a duration")), text);
    }
}
