use hyper::HeaderMap;
use hyper::header::{IF_NONE_MATCH, IF_RANGE, RANGE};

use super::{Wanted, not_modified, wanted};

const ETAG: &str = "\"abc\"";

fn check(range: &str, length: u64, expected: Wanted) {
    let headers = HeaderMap::from_iter([(RANGE, range.parse().unwrap())]);
    assert_eq!(wanted(&headers, ETAG, length), expected, "{range} of {length}");
}

fn part(first: u64, last: u64) -> Wanted {
    Wanted::Part { first, last }
}

#[test]
fn a_range_is_read_as_the_rfc_says() {
    check("bytes=0-0", 10, part(0, 0));
    check("bytes=3-", 10, part(3, 9));
    check("bytes=3-99", 10, part(3, 9));
    check("bytes=-4", 10, part(6, 9));
    check("bytes=-99", 10, part(0, 9));
    check("bytes=0-18446744073709551616", 10, part(0, 9));
}

#[test]
fn a_range_outside_the_content_is_unsatisfiable() {
    for range in ["bytes=10-", "bytes=10-12", "bytes=-0", "bytes=99999999999999999999-"] {
        check(range, 10, Wanted::Nothing);
    }
    check("bytes=0-", 0, Wanted::Nothing);
    check("bytes=-1", 0, Wanted::Nothing);
}

#[test]
fn a_range_that_cannot_be_read_is_answered_by_the_whole() {
    for range in
        ["bytes=", "bytes=-", "bytes=5-3", "bytes=a-b", "bytes=0-1,3-4", "items=0-1", "bytes=+1-2", "0-1"]
    {
        check(range, 10, Wanted::Whole);
    }
}

#[test]
fn g3_the_rest_of_other_content_is_not_given() {
    let ask = |if_range: &str| {
        let headers = HeaderMap::from_iter([
            (RANGE, "bytes=5-".parse().unwrap()),
            (IF_RANGE, if_range.parse().unwrap()),
        ]);
        wanted(&headers, ETAG, 10)
    };
    assert_eq!(ask("\"abc\""), part(5, 9));
    assert_eq!(ask("\"abd\""), Wanted::Whole);
    assert_eq!(ask("W/\"abc\""), Wanted::Whole);
    assert_eq!(ask("Sun, 06 Nov 1994 08:49:37 GMT"), Wanted::Whole);
}

#[test]
fn a_reader_that_holds_the_content_is_told_so() {
    let holds =
        |list: &str| not_modified(&HeaderMap::from_iter([(IF_NONE_MATCH, list.parse().unwrap())]), ETAG);
    assert!(holds("\"abc\"") && holds("W/\"abc\"") && holds("*") && holds("\"x\", \"abc\""));
    assert!(!holds("\"abcd\"") && !holds("abc") && !holds(""));
}

/// The corpus of the fuzz target: every form above, cut anywhere, with another behind it.
#[test]
fn b12_no_header_makes_the_reader_panic_and_a_part_lies_within_the_content() {
    let forms =
        ["bytes=0-18446744073709551616", "bytes=-4", "bytes=5-3,7-", "W/\"abc\", \"x\", *", "items=\u{e9}"];
    for (form, other) in forms.iter().flat_map(|form| forms.map(|other| (form, other))) {
        for end in (0..=form.len()).filter(|end| form.is_char_boundary(*end)) {
            let text = hyper::header::HeaderValue::from_str(&format!("{}{other}", &form[..end])).unwrap();
            let headers = HeaderMap::from_iter([(RANGE, text.clone()), (IF_NONE_MATCH, text.clone())]);
            not_modified(&headers, ETAG);
            for length in [0, 1, 10, u64::MAX] {
                if let Wanted::Part { first, last } = wanted(&headers, ETAG, length) {
                    assert!(first <= last && last < length, "{text:?} of {length}");
                }
            }
        }
    }
}
