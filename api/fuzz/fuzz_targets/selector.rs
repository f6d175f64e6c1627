//! No text makes the selector's reader panic, and what it reads is within its bounds.
#![no_main]

use api::selector::{MAX_TERMS, Selector};

libfuzzer_sys::fuzz_target!(|text: &str| {
    if let Ok(selector) = text.parse::<Selector>() {
        assert!(selector.terms().count() <= MAX_TERMS);
        selector.check().expect("what was read is a selector");
    }
});
