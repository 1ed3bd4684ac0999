//! Words from outside, made fit to be shown.

use super::cover::cover;

/// The longest message that is kept, in characters.
pub(super) const LONGEST_MESSAGE: usize = 2000;

/// AWS's words, or a client's: fit for a terminal, and without the private values that they may repeat.
pub(super) fn words(text: &str) -> String {
    clean(&cover(text))
}

/// A text of any length without the private values that this run has met: of manifests, of live environments, of credentials.
pub fn covered(text: &str) -> String {
    cover(text).into_owned()
}

/// Text from outside, fit for a terminal: one line, bounded, without control characters.
pub(super) fn clean(text: &str) -> String {
    let mut line = String::with_capacity(text.len().min(LONGEST_MESSAGE));
    for c in text.trim().chars().take(LONGEST_MESSAGE) {
        match c {
            '\n' | '\r' | '\t' => line.push(' '),
            // Besides control characters: those that turn the direction of text, by which a line can lie about itself.
            c if c.is_control()
                || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}') => {}
            c => line.push(c),
        }
    }
    line
}
