//! Every input that was ever worth keeping goes through every parser: none may panic, none may take long.

use std::path::Path;

use cdn::document::{Desired, Head, Release, Report, Root, Routes, Set, Values};
use cdn::encoding::{Encoding, TarName};
use cdn::envelope::Envelope;
use cdn::secret::Token;
use cdn::wire::{JoinAnswer, JoinRequest, PollAnswer, Problem, PublishStatus, RenewAnswer, Wanted};
use cdn::{Bundle, ClusterId, Digest, Key, Limits, ProjectName, PublicKey, ServiceName, ct1, json};

#[test]
fn b12_the_corpus_of_the_fuzz_targets_goes_through_every_parser() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    let mut seen = 0;
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        every_parser(&bytes);
        for cut in 0..bytes.len().min(600) {
            every_parser(&bytes[..cut]);
        }
        seen += 1;
    }
    assert!(seen >= 8, "the corpus in {} is there", folder.display());
}

#[test]
fn b1_b2_b3_what_the_corpus_holds_of_attacks_is_refused_and_what_it_holds_of_bundles_is_read() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    let read = |name: &str| std::fs::read(folder.join(name)).unwrap();
    for attack in ["climbing.tar", "duplicate.tar", "pax-and-link.tar"] {
        let files: Result<ct1::Files, _> = ct1::read(read(attack).as_slice(), Limits::DEFAULT).collect();
        assert!(files.is_err(), "{attack} is taken: {:?}", files.unwrap().keys());
        assert!(Bundle::read(&read(attack), Limits::DEFAULT).is_err(), "{attack}");
    }
    for attack in ["deep.json", "duplicate-key.json"] {
        assert!(json::parse(&read(attack), 64).is_err(), "{attack}");
    }
    for attack in ["many-signatures.envelope", "no-signature.envelope"] {
        assert!(Envelope::claim::<Release>(&read(attack)).is_err(), "{attack}");
    }
    let zeros = Encoding::Gz.unpack(&read("zero-run.gz"), Limits::DEFAULT).unwrap();
    assert!(Bundle::read(&zeros, Limits::DEFAULT).is_err(), "an end is no archive");
    let tar = read("bundle.tar");
    assert!(!Bundle::read(&tar, Limits::DEFAULT).unwrap().is_empty());
    let signed = TarName { digest: Digest::of(&tar), length: tar.len() as u64 };
    assert_eq!(Encoding::Gz.decode(&read("bundle.tar.gz"), signed, Limits::DEFAULT).unwrap(), tar);
}

fn every_parser(bytes: &[u8]) {
    drop(ct1::read(bytes, Limits::DEFAULT).collect::<Result<ct1::Files, _>>());
    drop(Bundle::read(bytes, Limits::DEFAULT));
    drop(json::parse(bytes, 64));
    drop(Envelope::claim::<Root>(bytes));
    drop(Envelope::claim::<Release>(bytes));
    drop(Envelope::claim::<Head>(bytes));
    drop(Envelope::claim::<Routes>(bytes));
    drop(Envelope::claim::<Desired>(bytes));
    drop(cdn::document::read::<Set>(bytes));
    drop(cdn::document::read::<Values>(bytes));
    drop(cdn::document::read::<Report>(bytes));
    let signed = TarName { digest: Digest::of(b""), length: 1 << 20 };
    drop(Encoding::Zst.decode(bytes, signed, Limits::DEFAULT));
    drop(Encoding::Gz.decode(bytes, signed, Limits::DEFAULT));
    body::<PollAnswer>(bytes);
    body::<JoinRequest>(bytes);
    body::<JoinAnswer>(bytes);
    body::<RenewAnswer>(bytes);
    body::<Problem>(bytes);
    body::<Wanted>(bytes);
    body::<PublishStatus>(bytes);
    for line in String::from_utf8_lossy(bytes).lines() {
        every_word(line);
    }
}

fn every_word(line: &str) {
    drop(line.parse::<Digest>().map(|digest| digest.to_string()));
    drop(line.parse::<ProjectName>());
    drop(line.parse::<ServiceName>());
    drop(line.parse::<ClusterId>());
    drop(line.parse::<PublicKey>().map(|key| key.to_string()));
    drop(line.parse::<Token>());
    if let Some(key) = Key::parse(line) {
        assert_eq!(key.path(), line.strip_prefix('/').unwrap_or(line), "a place has one spelling");
    }
}

fn body<T: serde::de::DeserializeOwned>(bytes: &[u8]) {
    drop(json::document::<T>(bytes));
}
