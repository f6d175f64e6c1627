//! No text makes the reader of a repository's URL or of a pattern panic; whatever reads as a URL has one spelling and means
//! what it says, and a pattern fits itself.
#![no_main]

use publisher::Glob;
use publisher::source::Repository;

libfuzzer_sys::fuzz_target!(|text: &str| {
    if let Ok(repository) = text.parse::<Repository>() {
        assert_eq!(repository.to_string().parse(), Ok(repository));
        assert!(!text.starts_with('-') && !text.contains(char::is_control));
        assert!(!text.split('/').any(|part| part == ".."));
    }
    assert!(Glob::literal(text).fits(text));
});
