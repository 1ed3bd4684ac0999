//! Where something stands in a text.

use crate::model::Spot;

/// The longest line that is shown, in bytes: generated code has longer ones, which say nothing to people.
const LONGEST: usize = 400;

/// The lines of a text.
pub(super) struct Lines<'a> {
    text: &'a str,
    /// Where each begins, in bytes.
    starts: Vec<usize>,
}

impl<'a> Lines<'a> {
    pub fn new(text: &'a str) -> Self {
        let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { text, starts }
    }

    /// The place of some bytes of the text; of what goes over several lines, its part of the first one.
    pub fn spot(&self, start: usize, end: usize) -> Spot {
        let start = self.floor(start.min(self.text.len()));
        let line = self.starts.partition_point(|first| *first <= start).saturating_sub(1);
        let first = self.starts.get(line).copied().unwrap_or_default();
        let last = self.starts.get(line + 1).map_or(self.text.len(), |next| next - 1);
        let text = self.text.get(first..last).unwrap_or_default().trim_end_matches('\r');
        let end = self.floor(end.clamp(start, last));
        let count = |from: usize, to: usize| self.text.get(from..to).map_or(0, |part| part.chars().count());
        let narrow = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        Spot {
            line: narrow(line + 1),
            column: narrow(count(first, start) + 1),
            length: narrow(count(start, end).max(1)),
            text: (text.len() <= LONGEST).then(|| text.to_owned()),
        }
    }

    /// Whether a word stands in the text, however its parts are joined: `testSecret`, `test_secret`.
    pub fn names(&self, word: &str) -> bool {
        let plain = |text: &str| text.to_ascii_lowercase().replace('_', "");
        plain(self.text).contains(&plain(word))
    }

    /// The nearest boundary of a character at or before a byte.
    fn floor(&self, mut at: usize) -> usize {
        while !self.text.is_char_boundary(at) {
            at -= 1;
        }
        at
    }
}
