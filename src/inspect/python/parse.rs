//! A file of Python, read by ruff's parser: its faults at a version's language level, and what the checks ask of it.
//!
//! The parser finds more stack where it needs some; those who walk its tree, and let go of it, don't. So a file that nests too deeply
//! isn't read at all, and one that is too large neither: such files are generated.

use ruff_python_ast::token::TokenKind;
use ruff_python_ast::{ModModule, PythonVersion};
use ruff_python_parser::{Mode, ParseOptions, Parsed, lexer, parse_unchecked};
use ruff_text_size::{Ranged, TextRange};

use crate::inspect::text::Lines;
use crate::model::Spot;

/// The largest file that is read, in bytes.
pub(super) const MOST: usize = 1024 * 1024;

/// How deep Python's own tokenizer lets blocks be indented (`MAXINDENT` of its source).
const MOST_INDENTED: usize = 100;

/// How many parts an expression may have that could stand within each other: signs, brackets, parts of a chain.
const MOST_NESTED: usize = 2_000;

/// The newest version that Lambda has.
const NEWEST: u8 = 14;

/// The oldest one whose language level is told apart.
const OLDEST: u8 = 9;

/// What keeps a file from being run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    /// What is wrong, in the middle of a sentence.
    pub words: String,
    /// Where.
    pub spot: Option<Spot>,
    /// Whether another version could read it.
    pub is_of_version: bool,
}

/// A file as it was read.
pub(super) enum File {
    /// It isn't read here: too large, too deep, in another encoding.
    Opaque,
    /// Python can't read it.
    Broken(Fault),
    /// Python reads it.
    Sound(Parsed<ModModule>),
}

/// The text of a file, as Python decodes it: UTF-8 unless it says otherwise.
pub(super) fn decode(content: &[u8]) -> Result<&str, File> {
    let content = content.strip_prefix(b"\xef\xbb\xbf").unwrap_or(content);
    let broken = |words: &str| File::Broken(Fault { words: words.to_owned(), spot: None, is_of_version: false });
    let Ok(text) = std::str::from_utf8(content) else {
        return Err(if declares_encoding(content) {
            File::Opaque
        } else {
            broken("it isn't UTF-8, and declares no other encoding")
        });
    };
    if text.contains('\0') {
        return Err(broken("it holds null bytes"));
    }
    Ok(text)
}

/// Whether one of the first two lines names an encoding (Python, "Encoding declarations").
fn declares_encoding(content: &[u8]) -> bool {
    let mut lines = content.split(|byte| *byte == b'\n').take(2);
    lines.any(|line| {
        let line = String::from_utf8_lossy(line);
        let line = line.trim_start();
        line.starts_with('#') && (line.contains("coding:") || line.contains("coding="))
    })
}

/// Reads a text at a version's level; where that isn't known, at the newest one.
pub(super) fn parse(text: &str, lines: &Lines<'_>, minor: Option<u8>) -> File {
    if text.len() > MOST || nests_too_deeply(text) {
        return File::Opaque;
    }
    let version = PythonVersion { major: 3, minor: minor.unwrap_or(NEWEST).clamp(OLDEST, NEWEST) };
    let options = ParseOptions::from(Mode::Module).with_target_version(version);
    let Some(parsed) = parse_unchecked(text, options).try_into_module() else { return File::Opaque };
    let spot = |range: TextRange| Some(lines.spot(range.start().to_usize(), range.end().to_usize()));
    // What follows the first fault may follow from it.
    if let Some(error) = parsed.errors().first() {
        return File::Broken(Fault {
            words: lower(&error.error.to_string()),
            spot: spot(error.location),
            is_of_version: false,
        });
    }
    if let Some(error) = parsed.unsupported_syntax_errors().first().filter(|_| minor.is_some()) {
        return File::Broken(Fault {
            words: lower(&error.to_string()),
            spot: spot(error.range()),
            is_of_version: true,
        });
    }
    File::Sound(parsed)
}

/// The parser's words, as a part of ours.
fn lower(words: &str) -> String {
    let mut letters = words.chars();
    let (first, second) = (letters.next(), letters.next());
    match (first, second) {
        (Some(first), Some(second)) if second.is_lowercase() || second == ' ' => {
            format!("{}{}", first.to_lowercase(), &words[first.len_utf8()..])
        }
        _ => words.to_owned(),
    }
}

/// Whether the tree of a text could be too deep to be walked. Counted are, for each token, those before it that it may stand within:
/// since the last comma, line or statement, in each of the brackets around it.
fn nests_too_deeply(text: &str) -> bool {
    let mut lexer = lexer::lex(text, Mode::Module);
    let (mut open, mut here, mut around, mut indented) = (Vec::new(), 0_usize, 0_usize, 0_usize);
    loop {
        match lexer.next_token() {
            TokenKind::EndOfFile => return false,
            TokenKind::Indent => indented += 1,
            TokenKind::Dedent => indented = indented.saturating_sub(1),
            TokenKind::Newline | TokenKind::Semi => {
                open.clear();
                (here, around) = (0, 0);
            }
            TokenKind::Comma => here = 0,
            TokenKind::Lpar | TokenKind::Lsqb | TokenKind::Lbrace => {
                open.push(here);
                around += here + 1;
                here = 0;
            }
            TokenKind::Rpar | TokenKind::Rsqb | TokenKind::Rbrace => {
                if let Some(before) = open.pop() {
                    around = around.saturating_sub(before + 1);
                    here = before + 1;
                }
            }
            // Texts side by side are one.
            TokenKind::String
            | TokenKind::FStringStart
            | TokenKind::FStringMiddle
            | TokenKind::FStringEnd
            | TokenKind::TStringStart
            | TokenKind::TStringMiddle
            | TokenKind::TStringEnd
            | TokenKind::Comment
            | TokenKind::NonLogicalNewline => {}
            _ => here += 1,
        }
        if indented > MOST_INDENTED || here + around > MOST_NESTED {
            return true;
        }
    }
}
