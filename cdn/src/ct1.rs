//! CT1: the one canonical tar. The same files always make the same bytes, and only those bytes are read back.
//!
//! `cdn/ct1.md` is the format's own page. A bundle's identity **T** is the digest of these bytes, uncompressed.

use std::collections::BTreeMap;
use std::io::{self, Read};

use unicode_normalization::is_nfc;

use crate::Limits;

const BLOCK: usize = 512;
const NAME_BYTES: usize = 100;
const PREFIX_BYTES: usize = 155;

/// Files by path, sorted by the path's bytes.
pub type Files = BTreeMap<String, Vec<u8>>;

/// Why bytes are not CT1, or files cannot become it.
#[derive(Debug, thiserror::Error)]
pub enum Ct1Refused {
    /// The stream broke before the archive ended.
    #[error("the archive ends early")]
    Truncated(#[source] io::Error),
    /// An entry's path is absolute, climbs, is not NFC, or does not fit.
    #[error("entry {entry:?}: {why}")]
    Path {
        /// The path, as far as it could be read.
        entry: String,
        /// The rule that it breaks.
        why: &'static str,
    },
    /// A header or padding is not the one way in which CT1 writes it (FAULTS B2, B3).
    #[error("entry {entry:?} is not canonical: {why}")]
    NotCanonical {
        /// The path, as far as it could be read.
        entry: String,
        /// What differs.
        why: &'static str,
    },
    /// A bound was reached.
    #[error("over the limit: {0}")]
    Limit(String),
}

/// Packs files into CT1.
pub fn pack(files: &Files) -> Result<Vec<u8>, Ct1Refused> {
    let length: usize = files.values().map(|bytes| BLOCK + bytes.len().next_multiple_of(BLOCK)).sum();
    let mut tar = Vec::with_capacity(length + 2 * BLOCK);
    for (path, bytes) in files {
        tar.extend_from_slice(&header(path, bytes.len() as u64)?);
        tar.extend_from_slice(bytes);
        tar.resize(tar.len().next_multiple_of(BLOCK), 0);
    }
    tar.resize(tar.len() + 2 * BLOCK, 0);
    Ok(tar)
}

/// Reads CT1 entry by entry, in constant memory beside the entry itself. Ends after the archive's last byte:
/// anything that follows is refused.
#[derive(Debug)]
pub struct Reader<R> {
    from: R,
    limits: Limits,
    last: Option<String>,
    entries: usize,
    bytes: u64,
    ended: bool,
}

/// Opens a reader; nothing is read yet.
pub fn read<R: Read>(from: R, limits: Limits) -> Reader<R> {
    Reader { from, limits, last: None, entries: 0, bytes: 0, ended: false }
}

impl<R: Read> Iterator for Reader<R> {
    type Item = Result<(String, Vec<u8>), Ct1Refused>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let item = self.entry().transpose();
        self.ended = !matches!(item, Some(Ok(_)));
        item
    }
}

impl<R: Read> Reader<R> {
    fn entry(&mut self) -> Result<Option<(String, Vec<u8>)>, Ct1Refused> {
        let block = self.block()?;
        if block == [0; BLOCK] {
            return self.end().map(|()| None);
        }
        let path = path_of(&block)?;
        let size = size_of(&block, &path)?;
        if header(&path, size)? != block {
            return Err(not_canonical(
                &path,
                "its header is not the one that CT1 writes for this path and size",
            ));
        }
        if self.last.as_ref().is_some_and(|last| *last >= path) {
            return Err(not_canonical(&path, "it is out of order or a duplicate"));
        }
        let bytes = self.content(&path, size)?;
        self.last = Some(path.clone());
        Ok(Some((path, bytes)))
    }

    fn content(&mut self, path: &str, size: u64) -> Result<Vec<u8>, Ct1Refused> {
        self.entries += 1;
        self.bytes = self.bytes.saturating_add(size);
        if self.entries > self.limits.entries {
            return Err(Ct1Refused::Limit(format!("more than {} entries", self.limits.entries)));
        }
        if self.bytes > self.limits.bundle_bytes {
            return Err(Ct1Refused::Limit(format!("more than {} bytes", self.limits.bundle_bytes)));
        }
        // `take` and not a buffer of the claimed size: a header may claim more than the stream has.
        let mut bytes = Vec::new();
        let read = self.from.by_ref().take(size).read_to_end(&mut bytes).map_err(Ct1Refused::Truncated)?;
        if (read as u64) < size {
            return Err(Ct1Refused::Truncated(io::ErrorKind::UnexpectedEof.into()));
        }
        let mut padding = [0u8; BLOCK];
        let padding = &mut padding[..read.next_multiple_of(BLOCK) - read];
        self.from.read_exact(padding).map_err(Ct1Refused::Truncated)?;
        if padding.iter().any(|byte| *byte != 0) {
            return Err(not_canonical(path, "its padding is not zero"));
        }
        Ok(bytes)
    }

    fn block(&mut self) -> Result<[u8; BLOCK], Ct1Refused> {
        let mut block = [0u8; BLOCK];
        self.from.read_exact(&mut block).map_err(Ct1Refused::Truncated)?;
        Ok(block)
    }

    fn end(&mut self) -> Result<(), Ct1Refused> {
        if self.block()? != [0; BLOCK] {
            return Err(not_canonical("", "one zero block is not the end"));
        }
        match self.from.read(&mut [0u8; 1]).map_err(Ct1Refused::Truncated)? {
            0 => Ok(()),
            _ => Err(not_canonical("", "something follows the end")),
        }
    }
}

/// The one header for a path and a size: a regular file, mode 0644, no owner, no time.
fn header(path: &str, size: u64) -> Result<[u8; BLOCK], Ct1Refused> {
    let (prefix, name) = split(path)?;
    if size >= 1 << 33 {
        return Err(Ct1Refused::Limit(format!("entry {path:?} is too large for ustar")));
    }
    let mut block = [0u8; BLOCK];
    let mut put = |at: usize, bytes: &[u8]| block[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, name.as_bytes());
    put(100, b"0000644\0");
    put(108, b"0000000\0");
    put(116, b"0000000\0");
    put(124, format!("{size:011o}\0").as_bytes());
    put(136, b"00000000000\0");
    put(148, b"        ");
    put(156, b"0");
    put(257, b"ustar\x0000");
    put(329, b"0000000\0");
    put(337, b"0000000\0");
    put(345, prefix.as_bytes());
    let sum: u32 = block.iter().copied().map(u32::from).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    Ok(block)
}

/// Splits a path as CT1 does: whole in `name` if it fits, else directory and file name. Refuses every path that
/// could mean another place (FAULTS B1).
fn split(path: &str) -> Result<(&str, &str), Ct1Refused> {
    let refuse = |why| Err(Ct1Refused::Path { entry: path.chars().take(200).collect(), why });
    if path.chars().any(char::is_control) || path.contains('\\') {
        return refuse("a path has no control character and no backslash");
    }
    if !is_nfc(path) {
        return refuse("a path is Unicode NFC");
    }
    if path.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return refuse("a path is relative, without empty, `.` or `..` parts");
    }
    if path.len() <= NAME_BYTES {
        return Ok(("", path));
    }
    match path.rsplit_once('/') {
        Some((prefix, name)) if prefix.len() <= PREFIX_BYTES && name.len() <= NAME_BYTES => {
            Ok((prefix, name))
        }
        Some(_) | None => refuse("ustar holds 155 bytes of directory and 100 of file name"),
    }
}

fn path_of(block: &[u8; BLOCK]) -> Result<String, Ct1Refused> {
    let text = |range: std::ops::Range<usize>| {
        let field = &block[range];
        let field = &field[..field.iter().position(|byte| *byte == 0).unwrap_or(field.len())];
        std::str::from_utf8(field).map_err(|_| Ct1Refused::Path {
            entry: String::from_utf8_lossy(field).into_owned(),
            why: "a path is UTF-8",
        })
    };
    let (name, prefix) = (text(0..100)?, text(345..500)?);
    Ok(if prefix.is_empty() { name.to_owned() } else { format!("{prefix}/{name}") })
}

fn size_of(block: &[u8; BLOCK], path: &str) -> Result<u64, Ct1Refused> {
    let digits = std::str::from_utf8(&block[124..135]).unwrap_or_default();
    u64::from_str_radix(digits, 8).map_err(|_| not_canonical(path, "its size is not eleven octal digits"))
}

fn not_canonical(entry: &str, why: &'static str) -> Ct1Refused {
    Ct1Refused::NotCanonical { entry: entry.to_owned(), why }
}

#[cfg(test)]
mod tests;
