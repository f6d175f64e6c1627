use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use super::{Crossed, KEPT};

#[test]
fn a_text_is_found_as_it_is_and_as_base64_at_any_place() {
    let text = "registry.example.com/harbour/web:1.4.2";
    for before in ["", "a", "ab", "abc"] {
        let crossed = Crossed::default();
        crossed.keep(b"HTTP/1.1 200 OK\r\n\r\n");
        crossed.keep(BASE64_STANDARD.encode(format!("{before}{text}, and more")).as_bytes());
        assert_eq!(crossed.texts_of([text]).expect("all was kept"), [text], "after {before:?}");
        assert!(
            crossed.texts_of(["registry.example.com/harbour/api:1.4.2"]).expect("all was kept").is_empty()
        );
    }
    let crossed = Crossed::default();
    crossed.keep(text.as_bytes());
    assert_eq!(crossed.texts_of([text]).expect("all was kept"), [text]);
    assert_eq!(crossed.bytes(), text.len());
}

#[test]
fn what_was_not_kept_is_counted_and_nothing_is_said_of_it() {
    let text = "registry.example.com/harbour/web:1.4.2";
    let crossed = Crossed::default();
    crossed.keep(&vec![b' '; KEPT]);
    assert!(crossed.texts_of([text]).expect("all was kept").is_empty());
    crossed.keep(text.as_bytes());
    assert_eq!(crossed.bytes(), KEPT + text.len());
    crossed.texts_of([text]).expect_err("not all was looked at");
}
