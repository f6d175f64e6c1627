//! No stored bytes make a decoder write more than was signed.
#![no_main]

use cdn::encoding::{Encoding, TarName};
use cdn::{Digest, Limits};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let signed = TarName { digest: Digest::of(b""), length: 1 << 16 };
    drop(Encoding::Zst.decode(bytes, signed, Limits::DEFAULT));
    drop(Encoding::Gz.decode(bytes, signed, Limits::DEFAULT));
});
