//! Where one document ends and the next begins: lines, as kubectl splits them, before any YAML is read.

use super::YamlRefused;

/// The text of one document, and the line that it begins on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part<'t> {
    pub(super) line: usize,
    pub(super) text: &'t str,
}

/// Cuts at every line that is `---`, with blanks or a comment behind it. Another line that begins so is refused:
/// kubectl and YAML do not agree about it. So are directives and what follows a `...`, which kubectl drops silently.
pub(super) fn documents(text: &str) -> Result<Vec<Part<'_>>, YamlRefused> {
    let mut parts = Vec::new();
    let (mut start, mut start_line, mut at) = (0, 1, 0);
    let mut ended = false;
    for (index, line) in text.split_inclusive('\n').enumerate() {
        let number = index + 1;
        let bare = line.trim_end();
        if let Some(rest) = bare.strip_prefix("---") {
            if !(rest.trim_start().is_empty() || rest.trim_start().starts_with('#')) {
                let why = "something follows `---`: put it on the next line, or quote or indent this line";
                return Err(YamlRefused::new(number, why));
            }
            parts.push(Part { line: start_line, text: &text[start..at] });
            (start, start_line, ended) = (at + line.len(), number + 1, false);
        } else if bare.starts_with('%') {
            return Err(YamlRefused::new(
                number,
                "a line begins with `%`: remove the YAML directive, or quote it",
            ));
        } else if ended && !(bare.is_empty() || bare.trim_start().starts_with('#')) {
            return Err(YamlRefused::new(number, "something follows `...`: separate documents by `---`"));
        } else if is_end(bare) {
            ended = true;
        }
        at += line.len();
    }
    parts.push(Part { line: start_line, text: &text[start..] });
    Ok(parts)
}

fn is_end(line: &str) -> bool {
    line.strip_prefix("...").is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t']))
}
