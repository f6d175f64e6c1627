//! No header makes the reader of conditions panic, and a part lies within the content.
#![no_main]

use hyper::HeaderMap;
use hyper::header::{HeaderValue, IF_NONE_MATCH, IF_RANGE, RANGE};
use mirror::conditions::{Wanted, not_modified, wanted};

const ETAG: &str = "\"abc\"";

libfuzzer_sys::fuzz_target!(|asked: (u64, &[u8], Option<&[u8]>)| {
    let (length, text, same) = asked;
    let Ok(text) = HeaderValue::from_bytes(text) else { return };
    let mut headers = HeaderMap::from_iter([(RANGE, text.clone()), (IF_NONE_MATCH, text)]);
    if let Some(Ok(same)) = same.map(HeaderValue::from_bytes) {
        headers.insert(IF_RANGE, same);
    }
    not_modified(&headers, ETAG);
    if let Wanted::Part { first, last } = wanted(&headers, ETAG, length) {
        assert!(first <= last && last < length);
        assert!(headers.get(IF_RANGE).is_none_or(|same| same == ETAG));
    }
});
