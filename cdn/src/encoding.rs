//! Encodings of a bundle: how its canonical tar is stored. None of them is an identity.

use std::io::{self, Read, Write};

use serde::{Deserialize, Serialize};

use crate::Limits;
use crate::digest::{Digest, Hasher};

/// How stored bytes become a canonical tar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Encoding {
    /// Zstandard (RFC 8878), level 19, window log 22: what agents fetch.
    Zst,
    /// gzip (RFC 1952), level 9: for people with curl and tar, and when `zst` cannot be had.
    Gz,
    /// An encoding of a later version; skipped when there is another.
    #[serde(other)]
    Unknown,
}

const WINDOW_LOG: u32 = 22;

/// Why stored bytes do not become the tar that was signed.
#[derive(Debug, thiserror::Error)]
pub enum DecodeRefused {
    /// The stored bytes are damaged.
    #[error("cannot be decompressed")]
    Broken(#[source] io::Error),
    /// Something follows the end of the compressed stream.
    #[error("bytes follow the compressed stream")]
    Trailing,
    /// More bytes come out than were signed, or more than a bound allows.
    #[error("unpacks to more than {0} bytes")]
    TooLong(u64),
    /// Fewer bytes come out than were signed.
    #[error("unpacks to {got} bytes, {signed} were signed")]
    TooShort {
        /// Bytes that came out.
        got: u64,
        /// Bytes that were signed.
        signed: u64,
    },
    /// The bytes are not the tar that was signed.
    #[error("unpacks to {got}, {signed} was signed")]
    Mismatch {
        /// What came out.
        got: Digest,
        /// What was signed.
        signed: Digest,
    },
    /// This version does not know the encoding.
    #[error("an encoding of a later version")]
    Unknown,
}

/// A tar's identity and length, as a release signs them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TarName {
    /// T.
    pub digest: Digest,
    /// Uncompressed bytes.
    pub length: u64,
}

impl Encoding {
    /// Encodes a canonical tar. The result depends on the compressor's version: it is stored under its own digest.
    pub fn encode(self, tar: &[u8]) -> io::Result<Vec<u8>> {
        match self {
            Self::Zst => {
                let mut encoder = zstd::Encoder::new(Vec::new(), 19)?;
                encoder.window_log(WINDOW_LOG)?;
                encoder.set_pledged_src_size(Some(tar.len() as u64))?;
                encoder.include_checksum(false)?;
                encoder.write_all(tar)?;
                encoder.finish()
            }
            Self::Gz => {
                let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
                encoder.write_all(tar)?;
                encoder.finish()
            }
            Self::Unknown => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    /// Decodes stored bytes, whose own digest has been checked, into the tar that was signed: never more than the
    /// signed length, and hashed while it is written (FAULTS B4).
    pub fn decode(self, stored: &[u8], signed: TarName, limits: Limits) -> Result<Vec<u8>, DecodeRefused> {
        let ratio = (stored.len() as u64).saturating_mul(limits.ratio);
        let bound = signed.length.min(limits.bundle_bytes).min(ratio.max(1 << 20));
        if signed.length > bound {
            return Err(DecodeRefused::TooLong(bound));
        }
        let (tar, digest) = self.stream(stored, bound)?;
        let got = tar.len() as u64;
        if got < signed.length {
            Err(DecodeRefused::TooShort { got, signed: signed.length })
        } else if digest != signed.digest {
            Err(DecodeRefused::Mismatch { got: digest, signed: signed.digest })
        } else {
            Ok(tar)
        }
    }

    /// Which encoding bytes say they are in, by their first bytes; none for a bare tar. A guess, for people's tools.
    pub fn sniff(stored: &[u8]) -> Option<Self> {
        match stored {
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Some(Self::Zst),
            [0x1f, 0x8b, ..] => Some(Self::Gz),
            _ => None,
        }
    }

    /// Decodes bytes of which nothing is signed, under the same bounds: for people's tools, which then say T.
    pub fn unpack(self, stored: &[u8], limits: Limits) -> Result<Vec<u8>, DecodeRefused> {
        let ratio = (stored.len() as u64).saturating_mul(limits.ratio);
        self.stream(stored, limits.bundle_bytes.min(ratio.max(1 << 20))).map(|(tar, _)| tar)
    }

    fn stream(self, stored: &[u8], bound: u64) -> Result<(Vec<u8>, Digest), DecodeRefused> {
        let mut rest = stored;
        let tar = match self {
            Self::Zst => {
                let mut decoder =
                    zstd::Decoder::with_buffer(&mut rest).map_err(DecodeRefused::Broken)?.single_frame();
                decoder.window_log_max(WINDOW_LOG).map_err(DecodeRefused::Broken)?;
                collect(decoder, bound)?
            }
            Self::Gz => collect(flate2::bufread::GzDecoder::new(&mut rest), bound)?,
            Self::Unknown => return Err(DecodeRefused::Unknown),
        };
        if rest.is_empty() { Ok(tar) } else { Err(DecodeRefused::Trailing) }
    }
}

/// Reads to the end, never more than `bound`, and hashes on the way.
fn collect(mut from: impl Read, bound: u64) -> Result<(Vec<u8>, Digest), DecodeRefused> {
    let mut tar = Vec::new();
    let mut hasher = Hasher::default();
    let mut piece = [0u8; 16 << 10];
    loop {
        let read = from.read(&mut piece).map_err(DecodeRefused::Broken)?;
        if read == 0 {
            return Ok((tar, hasher.finish()));
        }
        hasher.update(&piece[..read]);
        if hasher.length() > bound {
            return Err(DecodeRefused::TooLong(bound));
        }
        tar.extend_from_slice(&piece[..read]);
    }
}
