//! No bytes make a document's reader panic.
#![no_main]

use cdn::document::{self, Desired, Head, Release, Report, Root, Routes, Set, Values};
use cdn::envelope::Envelope;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    drop(Envelope::claim::<Root>(bytes));
    drop(Envelope::claim::<Release>(bytes));
    drop(Envelope::claim::<Head>(bytes));
    drop(Envelope::claim::<Routes>(bytes));
    drop(Envelope::claim::<Desired>(bytes));
    drop(document::read::<Set>(bytes));
    drop(document::read::<Values>(bytes));
    drop(document::read::<Report>(bytes));
});
