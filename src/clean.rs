//! Text from outside on its way to a terminal: a name, a message or a manifest may carry escape sequences that repaint
//! the screen, or bidi characters that show something else than what is there (FAULTS J3).

/// Whether a terminal would do something with the character instead of showing it.
pub(crate) fn is_active(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// One line of text: line breaks and tabs become a space, every other active character goes.
pub(crate) fn line(text: &str) -> String {
    text.chars()
        .map(|c| if matches!(c, '\n' | '\r' | '\t') { ' ' } else { c })
        .filter(|c| !is_active(*c))
        .collect()
}

/// Text of several lines: line breaks stay, tabs become spaces, every other active character goes.
pub(crate) fn lines(text: &str) -> String {
    text.split('\n').map(line).collect::<Vec<_>>().join("\n")
}

/// A JSON text with every active character written as an escape: active characters stand only inside strings there,
/// so the value stays the same.
pub(crate) fn json(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        if c == '\n' || !is_active(c) {
            safe.push(c);
        } else {
            let mut units = [0u16; 2];
            for unit in c.encode_utf16(&mut units) {
                safe.extend(format!("\\u{unit:04x}").chars());
            }
        }
    }
    safe
}

#[cfg(test)]
mod tests;
