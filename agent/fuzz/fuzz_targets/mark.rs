//! No text makes the reader of an owner mark panic; whatever reads as one has one spelling.
#![no_main]

use agent::target::OwnerMark;

libfuzzer_sys::fuzz_target!(|text: &str| {
    if let Ok(mark) = text.parse::<OwnerMark>() {
        assert_eq!(mark.to_string(), text);
    }
});
