//! Words into YAML that reads the same to every reader: what isn't plainly a text is quoted, and nothing leaves its line.

use std::fmt::Write as _;

use crate::model::text::is_invisible;

/// Words that are no text to some readers.
const WORDS: [&str; 9] = ["true", "false", "yes", "no", "on", "off", "y", "n", "null"];

/// The longest line of a comment, in characters, where its words can be divided.
const WIDTH: usize = 118;

/// A text as a scalar, within braces too.
pub fn scalar(text: &str) -> String {
    let inner = |c: char| c.is_ascii_alphanumeric() || "_./+=@-".contains(c);
    let is_plain = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(inner)
        && !WORDS.contains(&text.to_ascii_lowercase().as_str());
    if is_plain { text.to_owned() } else { quoted(text) }
}

/// A text in double quotes.
pub fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if is_invisible(c) || (!c.is_ascii() && c.is_whitespace()) => {
                let _ = write!(out, "\\U{:08x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// A list of texts on one line.
pub fn list<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    format!("[{}]", texts.into_iter().map(scalar).collect::<Vec<_>>().join(", "))
}

/// Lines of a comment, each after `indent`: divided between words, and by nothing else.
pub fn comment(indent: &str, text: &str) -> String {
    let (mut out, mut line) = (String::new(), String::new());
    for word in text.split(' ') {
        let word = super::safe(word);
        let length = indent.len() + 2 + line.chars().count() + 1 + word.chars().count();
        if !line.is_empty() && length > WIDTH {
            let _ = writeln!(out, "{indent}# {line}");
            "  ".clone_into(&mut line);
        } else if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(&word);
    }
    let _ = writeln!(out, "{indent}# {line}");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Without it, a name from AWS could be a number to one reader and a text to another, or end its line and begin another entry.
    #[test]
    fn texts_stay_texts_on_one_line() {
        for plain in ["app/key", "rotate-db", "a_b.c+d=e@f-g", "SecretsManagerX", "A", "e5"] {
            assert_eq!(scalar(plain), plain);
        }
        for (text, quoted) in [
            ("", r#""""#),
            ("012", r#""012""#),
            ("1e3", r#""1e3""#),
            ("No", r#""No""#),
            ("null", r#""null""#),
            ("~", r#""~""#),
            ("-a", r#""-a""#),
            ("a: b", r#""a: b""#),
            ("a, b]}", r#""a, b]}""#),
            ("rds!db", r#""rds!db""#),
            ("a#b", r#""a#b""#),
            ("a\"\\b", r#""a\"\\b""#),
            ("a\nb: {}", r#""a\U0000000ab: {}""#),
            ("\u{2028}\u{85}\u{feff}", r#""\U00002028\U00000085\U0000feff""#),
            ("cron(0 8 ? * * *)", r#""cron(0 8 ? * * *)""#),
        ] {
            assert_eq!(scalar(text), quoted);
        }
    }

    /// Without it, a stack's name could end a comment and become an entry.
    #[test]
    fn comments_stay_comments() {
        for text in ["a\nsecrets: {x: {}}", "a\u{2028}b", "a\rb", "\u{85}", &"word ".repeat(60)] {
            let lines = comment("  ", text);
            assert!(
                lines.lines().all(|line| line.starts_with("  # ") && line.chars().count() <= WIDTH + 2),
                "{lines:?}"
            );
            assert!(!lines.contains(['\r', '\u{2028}', '\u{85}']), "{lines:?}");
        }
    }
}
