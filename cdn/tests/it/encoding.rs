//! Bombs, damage, and what follows.

use std::io::Write;

use cdn::encoding::{DecodeRefused, Encoding, TarName};
use cdn::{Digest, Limits};

fn signed(tar: &[u8]) -> TarName {
    TarName { digest: Digest::of(tar), length: tar.len() as u64 }
}

#[test]
fn each_encoding_gives_back_the_tar() {
    let tar: Vec<u8> = (0..100_000u32).flat_map(|n| n.to_string().into_bytes()).collect();
    for encoding in [Encoding::Zst, Encoding::Gz] {
        let stored = encoding.encode(&tar).unwrap();
        assert!(stored.len() < tar.len() / 2);
        assert_eq!(encoding.decode(&stored, signed(&tar), Limits::DEFAULT).unwrap(), tar);
    }
}

#[test]
fn b4_a_bomb_is_cut_at_the_signed_length() {
    let bomb = vec![0u8; 64 << 20];
    let claim = TarName { digest: Digest::of(b"x"), length: 10_000 };
    for encoding in [Encoding::Zst, Encoding::Gz] {
        let stored = encoding.encode(&bomb).unwrap();
        let refused = encoding.decode(&stored, claim, Limits::DEFAULT).unwrap_err();
        assert!(matches!(refused, DecodeRefused::TooLong(10_000)), "{encoding:?}: {refused}");
        // Even when the bomb's own length was signed, the ratio is bounded.
        let refused =
            encoding.decode(&stored, signed(&bomb), Limits { ratio: 10, ..Limits::DEFAULT }).unwrap_err();
        assert!(matches!(refused, DecodeRefused::TooLong(_)), "{encoding:?}: {refused}");
    }
}

#[test]
fn b4_a_window_larger_than_ours_is_refused() {
    let tar = vec![1u8; 20 << 20];
    let mut encoder = zstd::Encoder::new(Vec::new(), 3).unwrap();
    encoder.window_log(27).unwrap();
    encoder.write_all(&tar).unwrap();
    let stored = encoder.finish().unwrap();
    let limits = Limits { ratio: u64::MAX, ..Limits::DEFAULT };
    let refused = Encoding::Zst.decode(&stored, signed(&tar), limits).unwrap_err();
    assert!(matches!(refused, DecodeRefused::Broken(_)), "{refused}");
}

#[test]
fn b4_a_second_member_or_anything_else_after_the_stream_is_refused() {
    let tar = b"hello".to_vec();
    for encoding in [Encoding::Zst, Encoding::Gz] {
        let stored = encoding.encode(&tar).unwrap();
        for tail in [encoding.encode(b"").unwrap(), stored.clone(), vec![0]] {
            let refused =
                encoding.decode(&[stored.clone(), tail].concat(), signed(&tar), Limits::DEFAULT).unwrap_err();
            assert!(
                matches!(refused, DecodeRefused::Trailing | DecodeRefused::TooLong(_)),
                "{encoding:?}: {refused}"
            );
        }
    }
}

#[test]
fn a_cut_or_bent_stream_is_refused() {
    let tar: Vec<u8> = (0..5_000u32).flat_map(u32::to_le_bytes).collect();
    for encoding in [Encoding::Zst, Encoding::Gz] {
        let stored = encoding.encode(&tar).unwrap();
        for cut in [0, 1, 5, stored.len() / 2, stored.len() - 1] {
            assert!(
                encoding.decode(&stored[..cut], signed(&tar), Limits::DEFAULT).is_err(),
                "{encoding:?} {cut}"
            );
        }
    }
}

#[test]
fn an_encoding_of_a_later_version_is_read_and_not_used() {
    let unknown: Encoding = serde_json::from_str("\"brotli\"").unwrap();
    assert_eq!(unknown, Encoding::Unknown);
    assert!(unknown.decode(b"", signed(b""), Limits::DEFAULT).is_err());
}

#[test]
fn b4_bytes_of_which_nothing_is_signed_are_sniffed_and_unpacked_within_bounds() {
    let tar = b"hello".to_vec();
    for encoding in [Encoding::Zst, Encoding::Gz] {
        let stored = encoding.encode(&tar).unwrap();
        assert_eq!(Encoding::sniff(&stored), Some(encoding));
        assert_eq!(encoding.unpack(&stored, Limits::DEFAULT).unwrap(), tar);
        let bomb = encoding.encode(&vec![0u8; 8 << 20]).unwrap();
        let limits = Limits { bundle_bytes: 1 << 20, ..Limits::DEFAULT };
        let refused = encoding.unpack(&bomb, limits).unwrap_err();
        assert!(matches!(refused, DecodeRefused::TooLong(_)), "{encoding:?}: {refused}");
    }
    assert_eq!(Encoding::sniff(b"bundle.json"), None);
}
