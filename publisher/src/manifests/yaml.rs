//! YAML exactly as kubectl reads it, or not at all.
//!
//! kubectl splits a file at lines that begin with `---` and reads each part by go-yaml v2, which knows YAML 1.1: `yes`
//! is true, `0644` is octal, `08` is 8, `1e3` is 1000, `2001-01-01` is text. A manifest that this reader understands
//! otherwise would run another way than its author has tried, so whatever the two could read differently is refused
//! with its line. `tests/it/oracle.rs` holds it against the real kubectl.

mod scalar;
mod split;
mod tree;

use cdn::Limits;
use serde_json::Value;

/// Bounds of what is read: against alias bombs, deep nesting and endless input (FAULTS B6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct YamlLimits {
    /// Bytes of the file.
    pub bytes: usize,
    /// Levels of nesting.
    pub depth: usize,
    /// Values in all documents, after aliases have been written out.
    pub values: usize,
    /// Bytes of text in all documents, after aliases have been written out.
    pub text_bytes: usize,
    /// Documents in one file.
    pub documents: usize,
}

impl Default for YamlLimits {
    fn default() -> Self {
        Self {
            bytes: 32 << 20,
            depth: Limits::DEFAULT.depth,
            values: 2_000_000,
            text_bytes: 64 << 20,
            documents: Limits::DEFAULT.entries,
        }
    }
}

/// What was read, with aliases written out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    values: usize,
    text_bytes: usize,
}

/// One document of a file.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// The line that it begins on, from 1.
    pub line: usize,
    /// What it says; never null.
    pub value: Value,
}

/// Why a file is not read: where, and what to change.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {why}")]
pub struct YamlRefused {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong, and how to write it instead.
    pub why: String,
}

impl YamlRefused {
    fn new(line: usize, why: impl Into<String>) -> Self {
        Self { line, why: why.into() }
    }
}

/// Reads every document of a YAML or JSON file; empty documents are left out.
pub fn read(bytes: &[u8], limits: YamlLimits) -> Result<Vec<Document>, YamlRefused> {
    read_more(bytes, limits, &mut Cost::default())
}

/// Reads one of several files that are bounded together; `spent` is what the others cost.
pub(crate) fn read_more(
    bytes: &[u8],
    limits: YamlLimits,
    spent: &mut Cost,
) -> Result<Vec<Document>, YamlRefused> {
    if bytes.len() > limits.bytes {
        return Err(YamlRefused::new(1, format!("{} bytes, at most {} are read", bytes.len(), limits.bytes)));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let line = 1 + bytes[..error.valid_up_to()].split(|byte| *byte == b'\n').count().saturating_sub(1);
        YamlRefused::new(line, "not UTF-8: save the file as UTF-8")
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.trim_start().starts_with('{') {
        // As kubectl does: JSON first, and a flow mapping of YAML if it is none.
        if let Ok(documents) = json(text, limits) {
            return Ok(documents);
        }
    }
    if let Some(at) = text.find(['\u{85}', '\u{2028}', '\u{2029}']) {
        let line = 1 + text[..at].matches('\n').count();
        let why = "a line separator of Unicode, which YAML 1.1 takes for the end of a line: write it as \\u2028 in quotes";
        return Err(YamlRefused::new(line, why));
    }
    let parts = split::documents(text)?;
    if parts.len() > limits.documents {
        return Err(YamlRefused::new(1, format!("more than {} documents", limits.documents)));
    }
    let mut documents = Vec::new();
    for part in parts {
        let value = tree::read(part.text, limits, spent)
            .map_err(|refused| YamlRefused { line: part.line + refused.line.saturating_sub(1), ..refused })?;
        documents.extend(value.map(|value| Document { line: part.line, value }));
    }
    Ok(documents)
}

/// A stream of JSON objects, one after the other.
fn json(text: &str, limits: YamlLimits) -> Result<Vec<Document>, YamlRefused> {
    let mut documents = Vec::new();
    let mut stream = serde_json::Deserializer::from_str(text).into_iter::<serde::de::IgnoredAny>();
    let mut start = 0;
    while let Some(next) = stream.next() {
        let line = 1 + text[..start].matches('\n').count();
        next.map_err(|error| YamlRefused::new(error.line(), error.to_string()))?;
        let piece = &text[start..stream.byte_offset()];
        start = stream.byte_offset();
        let mut value = cdn::json::parse(piece.as_bytes(), limits.depth)
            .map_err(|error| YamlRefused::new(line, error.to_string()))?;
        scalar::settle(&mut value).map_err(|why| YamlRefused::new(line, why))?;
        documents.push(Document { line, value });
    }
    Ok(documents)
}

#[cfg(test)]
mod tests;
