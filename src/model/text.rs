//! What a reader sees of a text: some characters show nothing, change the order of others, or steer a terminal.

/// Characters without a shape, in order.
///
/// First of all Unicode's property `Default_Ignorable_Code_Point`, which holds the Hangul fillers, variation selectors and tags, and
/// whose unassigned ranges stay in it for ever. Beside it: separators of lines and paragraphs, marks of annotations, and letters and
/// signs that are blank. A table, since the property's whole data would come with a general library: the tests hold it to that data.
const WITHOUT_SHAPE: [(char, char); 21] = [
    ('\u{ad}', '\u{ad}'),
    ('\u{34f}', '\u{34f}'),
    ('\u{61c}', '\u{61c}'),
    ('\u{115f}', '\u{1160}'),
    ('\u{17b4}', '\u{17b5}'),
    ('\u{180b}', '\u{180f}'),
    ('\u{200b}', '\u{200f}'),
    // From the separators of lines and paragraphs on.
    ('\u{2028}', '\u{202e}'),
    ('\u{2060}', '\u{206f}'),
    // The blank of Braille.
    ('\u{2800}', '\u{2800}'),
    ('\u{3164}', '\u{3164}'),
    ('\u{fe00}', '\u{fe0f}'),
    ('\u{feff}', '\u{feff}'),
    ('\u{ffa0}', '\u{ffa0}'),
    // To the marks of annotations.
    ('\u{fff0}', '\u{fffb}'),
    // Joiners and blanks of hieroglyphs.
    ('\u{13430}', '\u{13442}'),
    // The filler of Khitan.
    ('\u{16fe4}', '\u{16fe4}'),
    ('\u{1bca0}', '\u{1bca3}'),
    // The null notehead of music.
    ('\u{1d159}', '\u{1d159}'),
    ('\u{1d173}', '\u{1d17a}'),
    ('\u{e0000}', '\u{e0fff}'),
];

/// Whether a character shows nothing where it stands: it has no shape, or it is a control character.
pub fn is_invisible(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_control();
    }
    let order = |&(first, last): &(char, char)| {
        if last < c {
            std::cmp::Ordering::Less
        } else if first > c {
            std::cmp::Ordering::Greater
        } else {
            std::cmp::Ordering::Equal
        }
    };
    c.is_control() || WITHOUT_SHAPE.binary_search_by(order).is_ok()
}

/// Whether a character changes the direction in which what follows it is shown (Unicode's `Bidi_Control`): a line with one may read
/// otherwise than it is.
pub fn changes_direction(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Whether a reader sees anything of a text.
pub fn is_visible(text: &str) -> bool {
    text.chars().any(|c| !c.is_whitespace() && !is_invisible(c))
}

/// Why a text isn't readable as it is: something in it can't be seen.
pub fn check_readable(text: &str) -> Result<(), String> {
    match text.chars().find(|c| is_invisible(*c)) {
        Some(c) => Err(format!("it holds the invisible character `{}`", c.escape_unicode())),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn property(pattern: &str) -> impl Fn(char) -> bool {
        let pattern = regex::Regex::new(pattern).expect("a property that the library knows");
        move |c| pattern.is_match(c.encode_utf8(&mut [0; 4]))
    }

    /// Without it, a name could look like another one, or like none, through a character that the table forgot.
    #[test]
    fn unicodes_own_data_is_covered() {
        let (ignorable, bidi) = (property(r"\p{Default_Ignorable_Code_Point}"), property(r"\p{Bidi_Control}"));
        let shaped = property(r"[\p{L}\p{N}\p{P}\p{S}]");
        for c in '\0'..=char::MAX {
            assert!(!ignorable(c) || is_invisible(c), "{}", c.escape_unicode());
            assert_eq!(bidi(c), changes_direction(c), "{}", c.escape_unicode());
            assert!(!changes_direction(c) || is_invisible(c), "{}", c.escape_unicode());
            // Of letters, numbers and signs, those alone that are known to be blank.
            let blank = ['\u{2800}', '\u{13441}', '\u{13442}', '\u{1d159}'].contains(&c) || ignorable(c);
            assert!(!shaped(c) || blank || !is_invisible(c), "{} has a shape", c.escape_unicode());
        }
        assert!(WITHOUT_SHAPE.is_sorted() && WITHOUT_SHAPE.iter().all(|(first, last)| first <= last));
    }

    #[test]
    fn blank_texts_are_told_from_visible_ones() {
        for blank in
            ["", " ", "\t\n", "\u{a0}\u{3000}", "\u{3164}", "\u{2800}", "\u{200b}\u{fe0f}", "\u{e0041}", "\u{1160}"]
        {
            assert!(!is_visible(blank), "{blank:?}");
        }
        assert!(is_visible("a\u{200b}") && is_visible("-") && is_visible("größe") && is_visible("키"));
        assert!(check_readable("größe 키").is_ok() && check_readable("a\u{ad}b").is_err());
    }
}
