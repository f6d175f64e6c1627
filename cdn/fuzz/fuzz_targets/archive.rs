//! Whatever reads as a bundle packs to the same bytes.
#![no_main]

use cdn::{Bundle, Limits};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(bundle) = Bundle::read(bytes, Limits::DEFAULT) {
        assert_eq!(bundle.pack().expect("what was read can be packed"), bytes);
    }
});
