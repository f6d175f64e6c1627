//! YAML out: a value as people read it, and as every YAML reader - 1.1 or 1.2, kubectl's among them - reads it back.
//!
//! Only what cannot be mistaken is written plain; every other string is a double-quoted one with JSON's escapes, or
//! a literal block. So there is no table of words and number forms that could be incomplete.

use serde_json::Value;

use crate::clean::is_active;

/// One document, with a line break at its end.
pub(crate) fn document(value: &Value) -> String {
    let mut out = String::new();
    write(value, 0, &mut out);
    out
}

/// Several documents, separated by `---`.
pub(crate) fn documents<'v>(values: impl IntoIterator<Item = &'v Value>) -> String {
    values.into_iter().map(document).collect::<Vec<_>>().join("---\n")
}

/// Writes a value at the place where a line has just begun at `indent`.
fn write(value: &Value, indent: usize, out: &mut String) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            for (index, (key, item)) in map.iter().enumerate() {
                if index > 0 {
                    pad(indent, out);
                }
                write_key(key, indent, out);
                member(item, indent, out);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    pad(indent, out);
                }
                out.push_str("- ");
                write(item, indent + 2, out);
            }
        }
        Value::String(text) if is_block(text) => block(text, indent, out),
        Value::Null
        | Value::Bool(_)
        | Value::Number(_)
        | Value::String(_)
        | Value::Array(_)
        | Value::Object(_) => {
            out.push_str(&scalar(value));
            out.push('\n');
        }
    }
}

/// Writes what follows `key:`.
fn member(value: &Value, indent: usize, out: &mut String) {
    let deeper = match value {
        Value::Object(map) if !map.is_empty() => Some(indent + 2),
        // Sequences stand below their key without indentation, as kubectl writes them.
        Value::Array(items) if !items.is_empty() => Some(indent),
        Value::Null
        | Value::Bool(_)
        | Value::Number(_)
        | Value::String(_)
        | Value::Array(_)
        | Value::Object(_) => None,
    };
    if let Some(deeper) = deeper {
        out.push('\n');
        pad(deeper, out);
        write(value, deeper, out);
    } else {
        out.push(' ');
        write(value, indent + 2, out);
    }
}

fn pad(indent: usize, out: &mut String) {
    out.extend(std::iter::repeat_n(' ', indent));
}

fn scalar(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::String(text) if is_plain(text) => text.clone(),
        Value::String(text) => quoted(text),
        Value::Array(_) => "[]".to_owned(),
        Value::Object(_) => "{}".to_owned(),
    }
}

/// A key: plain or quoted, never a block.
fn write_key(key: &str, indent: usize, out: &mut String) {
    let text = if is_plain(key) { key.to_owned() } else { quoted(key) };
    // YAML reads a key of more than 1,024 characters only in its long form.
    if text.chars().count() > 1_000 {
        out.extend(["? ", &text, "\n"]);
        pad(indent, out);
    } else {
        out.push_str(&text);
    }
    out.push(':');
}

/// Whether every reader takes the bare text for exactly this string: it begins with a letter or a slash, has no
/// character with a meaning, and is no word that some reader takes for a boolean or null.
fn is_plain(text: &str) -> bool {
    const WORDS: [&str; 10] = ["true", "false", "yes", "no", "on", "off", "null", "y", "n", "nan"];
    let begins = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/');
    let inner = |c: char| c.is_ascii_alphanumeric() || " ./_-+:@%=,()".contains(c);
    begins
        && text.len() <= 1_000
        && text.chars().all(inner)
        && !text.ends_with([':', ' '])
        && !text.contains(": ")
        && !WORDS.contains(&text.to_ascii_lowercase().as_str())
}

/// JSON's escapes are YAML's too, but for pairs of surrogates.
fn quoted(text: &str) -> String {
    let json = Value::from(text).to_string();
    json.chars().fold(String::with_capacity(json.len()), |mut out, c| {
        match u32::from(c) {
            _ if !is_active(c) => out.push(c),
            code @ 0..=0xffff => out.extend(format!("\\u{code:04x}").chars()),
            code => out.extend(format!("\\U{code:08x}").chars()),
        }
        out
    })
}

/// Whether the text reads better as a literal block, and is the same when it is read back.
fn is_block(text: &str) -> bool {
    let body = text.strip_suffix('\n').unwrap_or(text);
    body.contains('\n')
        && !body.ends_with('\n')
        && !body.starts_with([' ', '\n'])
        && text.chars().all(|c| c == '\n' || !is_active(c))
        && body.lines().all(|line| !line.ends_with(' '))
}

fn block(text: &str, indent: usize, out: &mut String) {
    let (mark, body) = match text.strip_suffix('\n') {
        Some(body) => ("|\n", body),
        None => ("|-\n", text),
    };
    out.push_str(mark);
    for line in body.split('\n') {
        if !line.is_empty() {
            pad(indent.max(2), out);
            out.push_str(line);
        }
        out.push('\n');
    }
}

#[cfg(test)]
mod tests;
