//! Foreign text made fit to be shown: no control or direction-changing characters (FAULTS J3), no more than wanted.

/// At most `most` characters of a text, without characters that move a terminal's cursor or turn its reading order.
pub(crate) fn safe(text: &str, most: usize) -> String {
    let turns =
        |c: char| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let mut shown: String =
        text.chars().map(|c| if c.is_control() || turns(c) { ' ' } else { c }).take(most).collect();
    if text.chars().nth(most).is_some() {
        shown.pop();
        shown.push('…');
    }
    shown
}
