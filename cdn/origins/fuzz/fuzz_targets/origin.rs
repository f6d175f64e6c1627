//! No text makes the reader of an origin panic; whatever reads as one has one spelling, carries no credential, and is at
//! the host that the check of a `desired` sees in it.
#![no_main]

use cdn::trust::host_of;
use origins::Origin;

libfuzzer_sys::fuzz_target!(|text: &str| {
    let Ok(origin) = Origin::parse(text) else { return };
    let shown = origin.to_string();
    assert_eq!(Origin::parse(&shown).as_ref(), Ok(&origin));
    if origin.is_remote() {
        assert!(!shown.contains(['?', '#']));
        let seen = host_of(text).map(str::to_ascii_lowercase);
        assert!(seen.is_none() || seen.as_deref() == host_of(&shown));
    }
});
