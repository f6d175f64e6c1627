//! No bytes make the YAML reader panic, and what it reads is within its limits.
#![no_main]

use publisher::manifests::yaml::{self, YamlLimits};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    drop(yaml::read(bytes, YamlLimits::default()));
});
