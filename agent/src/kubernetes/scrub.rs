//! The server's words without the object's content. An API server's errors quote what they refuse, a password in an
//! environment variable as well as a wrong number (FAULTS E1), and messages of ours travel to logs, reports and screens.

use cdn::ObjectId;
use kube::core::Status;

/// Characters of the server's own words in one message.
const LONGEST: usize = 360;
/// Causes that one message names.
const CAUSES: usize = 3;

/// What the server says about an object, as far as it may be repeated: the fields and what is wrong with them. Of a
/// Secret only the fields, and the words of the authorizer, which knows no content.
pub fn words(id: &ObjectId, status: &Status) -> String {
    let secret = id.group.is_empty() && id.kind == "Secret";
    let causes = status.details.iter().flat_map(|details| &details.causes);
    let named: Vec<String> = causes
        .take(CAUSES)
        .map(|cause| match (cause.field.as_str(), secret) {
            ("" | "<nil>", true) => cause.reason.clone(),
            ("" | "<nil>", false) => clean(&cause.message),
            (field, true) => format!("{field}: {}", cause.reason),
            (field, false) => format!("{field}: {}", clean(&cause.message)),
        })
        .filter(|words| !words.is_empty())
        .collect();
    let all = if !named.is_empty() {
        named.join("; ")
    } else if secret && !is_of_authorizer(&status.message) {
        status.reason.clone()
    } else {
        clean(&status.message)
    };
    if all.is_empty() { format!("status {}", status.code) } else { shorten(&all) }
}

/// Whether it is `User "u" cannot patch resource "secrets" in API group "" in the namespace "n"`.
pub(super) fn is_of_authorizer(message: &str) -> bool {
    message.contains("cannot ") && message.contains(" resource \"")
}

/// Without quoted values, without what a JSON reader repeats of its input, in one line.
fn clean(message: &str) -> String {
    let message = message.split("error found in #").next().unwrap_or_default();
    let text: String = message.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let mut out = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some((at, marker)) = first_marker(rest) {
        let value = at + marker.len();
        out.push_str(&rest[..value]);
        rest = &rest[value..];
        let after = rest[value_length(rest)..].trim_start_matches([':', ' ']);
        out.push_str(if after.is_empty() { "..." } else { "...: " });
        rest = after;
    }
    out.push_str(rest);
    out.trim().to_owned()
}

fn first_marker(text: &str) -> Option<(usize, &'static str)> {
    const MARKERS: [&str; 5] =
        ["Invalid value: ", "Duplicate value: ", "Unsupported value: ", "Not found: ", "valueUnstructured"];
    MARKERS.iter().filter_map(|marker| Some((text.find(marker)?, *marker))).min()
}

/// The length of a value in Go's notation: a quoted text, something in brackets, or all up to `: `.
fn value_length(text: &str) -> usize {
    let (mut depth, mut quoted, mut escaped) = (0usize, false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => {
                quoted = !quoted;
                if !quoted && depth == 0 {
                    return at + 1;
                }
            }
            _ if quoted => {}
            '{' | '[' | '(' => depth += 1,
            '}' | ']' | ')' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return at + 1;
                }
            }
            ':' if depth == 0 && text[at..].starts_with(": ") => return at,
            _ => {}
        }
    }
    text.len()
}

fn shorten(text: &str) -> String {
    if text.chars().count() <= LONGEST {
        return text.to_owned();
    }
    text.chars().take(LONGEST).chain("...".chars()).collect()
}

#[cfg(test)]
mod tests;
