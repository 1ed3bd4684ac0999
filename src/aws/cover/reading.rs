//! The ways to read a text: as it stands, and with what was done to it undone.
//!
//! A value comes back as JSON writes it, as a part of an address, in base64, in hex, and in one of these within another. Each way
//! to undo them makes another reading, which knows where in the text each of its bytes came from.

use std::borrow::Cow;
use std::collections::{HashSet, VecDeque};
use std::hash::{BuildHasher as _, RandomState};

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::SHORTEST;

/// How often something is undone: JSON within a string of JSON, within base64.
const DEPTH: usize = 4;

/// How much all readings of a text may hold together: so many bytes, and so many times its own. Those of which less was undone come first.
const BYTES: usize = 4 * 1024 * 1024;
const TIMES: usize = 3;

/// Base64 in any spelling: padded or not, cut anywhere.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// The fewest characters of base64, and the fewest digits of hex, that hold a value.
const BASE64_SHORTEST: usize = (SHORTEST * 4).div_ceil(3);
const HEX_SHORTEST: usize = SHORTEST * 2;

/// What stands between two decoded runs: no text has it.
pub(super) const GAP: u8 = 0xff;

/// Where a byte came from: the first byte of a text, and the one behind the last.
type Stretch = (usize, usize);

/// A text in one way of reading it.
pub(super) struct Reading<'t> {
    pub bytes: Cow<'t, [u8]>,
    /// Where each byte came from; `None`: it is the text itself.
    places: Option<Vec<Stretch>>,
}

/// What can be undone.
#[derive(Clone, Copy)]
enum Dress {
    /// As JSON, Python, Rust, C and shells write strings.
    Escapes,
    /// As addresses do.
    Percent,
    /// As forms do: `+` is a space.
    Form,
    /// As HTML and XML do.
    Entities,
    Base64,
    /// In groups, as people are shown long texts.
    Base64Groups,
    Hex,
    /// Two bytes a character, as Windows and Java have text (UTF-16): of ASCII, each other byte is 0.
    Wide,
}

const DRESSES: [Dress; 8] = [
    Dress::Escapes,
    Dress::Percent,
    Dress::Form,
    Dress::Entities,
    Dress::Base64,
    Dress::Hex,
    Dress::Wide,
    Dress::Base64Groups,
];

/// All readings of a text, itself first, then by how much was undone.
pub(super) struct Readings<'t> {
    next: VecDeque<(Reading<'t>, usize)>,
    /// Different ways may lead to one reading.
    seen: HashSet<u64>,
    hasher: RandomState,
    left: usize,
    is_wanted: Wanted<'t>,
}

/// Whether bytes, without regard to case, may hold what is looked for.
pub(super) type Wanted<'w> = &'w dyn Fn(&[u8]) -> bool;

impl<'t> Readings<'t> {
    /// What is decoded and neither text nor wanted is left out: most words are base64 too.
    pub(super) fn of(text: &'t [u8], is_wanted: Wanted<'t>) -> Self {
        Self {
            next: VecDeque::from([(Reading::plain(text), 0)]),
            seen: HashSet::new(),
            hasher: RandomState::new(),
            left: BYTES.saturating_add(text.len().saturating_mul(TIMES)),
            is_wanted,
        }
    }
}

impl<'t> Iterator for Readings<'t> {
    type Item = Reading<'t>;

    fn next(&mut self) -> Option<Reading<'t>> {
        let (reading, depth) = self.next.pop_front()?;
        if depth < DEPTH {
            for dress in DRESSES {
                let undone = reading.without(dress, self.is_wanted);
                let Some(undone) = undone.filter(|undone| undone.bytes.len() <= self.left) else { continue };
                if self.seen.insert(self.hasher.hash_one(&undone.bytes)) {
                    self.left -= undone.bytes.len();
                    self.next.push_back((undone, depth + 1));
                }
            }
        }
        Some(reading)
    }
}

impl<'t> Reading<'t> {
    /// A text as it stands.
    pub(super) fn plain(text: &'t [u8]) -> Self {
        Self { bytes: Cow::Borrowed(text), places: None }
    }

    /// Where some of its bytes came from.
    pub(super) fn place(&self, start: usize, end: usize) -> Stretch {
        match &self.places {
            None => (start, end),
            Some(places) if start < end => (places[start].0, places[end - 1].1),
            Some(places) => places.get(start).map_or((0, 0), |place| (place.0, place.0)),
        }
    }

    /// The same, with what differs by case alone made the same.
    pub(super) fn folded(&self) -> Reading<'_> {
        if self.bytes.is_ascii() {
            let bytes = Cow::Owned(self.bytes.to_ascii_lowercase());
            return Reading { bytes, places: self.places.clone() };
        }
        let mut made = Made::of(self);
        fold(&self.bytes, |byte, place| made.push(byte, place));
        made.reading()
    }

    /// Undoes one thing wherever it stands; `None` where it stands nowhere.
    fn without(&self, dress: Dress, is_wanted: Wanted<'_>) -> Option<Reading<'static>> {
        match dress {
            Dress::Escapes => self.replaced(b'\\', escape),
            Dress::Percent => self.replaced(b'%', percent),
            Dress::Form => self.without_form(),
            Dress::Entities => self.replaced(b'&', entity),
            Dress::Base64 => self.without_base64(is_wanted, |between| {
                between.contains(&b'\n') && between.iter().all(u8::is_ascii_whitespace)
            }),
            Dress::Base64Groups => self.without_base64(is_wanted, |between| between == b" "),
            Dress::Hex => self.without_hex(is_wanted),
            Dress::Wide => self.replaced(0, |_, _| Some(1)),
        }
    }

    /// Replaces what begins with a sign by what it stands for.
    fn replaced(&self, sign: u8, read: impl Fn(&[u8], &mut Vec<u8>) -> Option<usize>) -> Option<Reading<'static>> {
        if !self.bytes.contains(&sign) {
            return None;
        }
        let (mut made, mut at, mut changed) = (Made::of(self), 0, false);
        let mut shown = Vec::new();
        while at < self.bytes.len() {
            shown.clear();
            let length = if self.bytes[at] == sign { read(&self.bytes[at..], &mut shown) } else { None };
            if let Some(length) = length {
                for byte in &shown {
                    made.push(*byte, (at, at + length));
                }
                (at, changed) = (at + length, true);
            } else {
                made.push(self.bytes[at], (at, at + 1));
                at += 1;
            }
        }
        changed.then(|| made.reading())
    }

    fn without_form(&self) -> Option<Reading<'static>> {
        let spaced = self.replaced(b'+', |_, shown| {
            shown.push(b' ');
            Some(1)
        })?;
        Some(spaced.replaced(b'%', percent).unwrap_or(spaced))
    }

    /// Decodes all runs of base64 that may hold a value, each as if it began at any of four characters: what stands before it may
    /// look like a part of it.
    fn without_base64(&self, is_wanted: Wanted<'_>, is_break: impl Fn(&[u8]) -> bool) -> Option<Reading<'static>> {
        let mut made = Made::of(self);
        for places in self.runs(is_base64, BASE64_SHORTEST, is_break) {
            let letters: Vec<u8> = places.iter().map(|place| standard(self.bytes[*place])).collect();
            for skipped in 0..4 {
                let length = letters.len() - skipped;
                let length = if length % 4 == 1 { length - 1 } else { length };
                // It is of the alphabet, and of a length that can be: it always decodes.
                let Ok(decoded) = BASE64.decode(&letters[skipped..skipped + length]) else { continue };
                if may_hold(&decoded, is_wanted) {
                    for (number, byte) in decoded.into_iter().enumerate() {
                        let first = skipped + number * 4 / 3;
                        made.push(byte, (places[first], places[first + 1] + 1));
                    }
                    made.gap();
                }
            }
        }
        made.if_any()
    }

    /// Decodes all runs of hex that may hold a value, each from its first and its second digit.
    fn without_hex(&self, is_wanted: Wanted<'_>) -> Option<Reading<'static>> {
        let mut made = Made::of(self);
        for places in self.hex_runs() {
            for skipped in 0..2 {
                let pairs = places[skipped..].chunks_exact(2);
                let decoded: Vec<u8> =
                    pairs.clone().filter_map(|pair| hex(self.bytes[pair[0]], self.bytes[pair[1]])).collect();
                if may_hold(&decoded, is_wanted) {
                    for (byte, pair) in decoded.into_iter().zip(pairs) {
                        made.push(byte, (pair[0], pair[1] + 1));
                    }
                    made.gap();
                }
            }
        }
        made.if_any()
    }

    /// The places of digits of hex that follow each other, with nothing between them but a few marks, and `0x` before a pair.
    fn hex_runs(&self) -> Vec<Vec<usize>> {
        /// As in `0x41, 0x42`, and a line's break.
        const MARKS: usize = 3;
        let is_digit = |at: usize| self.bytes.get(at).is_some_and(u8::is_ascii_hexdigit);
        let (mut runs, mut run, mut marks, mut at) = (Vec::new(), Vec::new(), 0, 0);
        let mut end = |run: &mut Vec<usize>| {
            if run.len() >= HEX_SHORTEST { runs.push(std::mem::take(run)) } else { run.clear() }
        };
        while let Some(byte) = self.bytes.get(at) {
            let is_prefixed = *byte == b'0'
                && matches!(self.bytes.get(at + 1), Some(b'x' | b'X'))
                && is_digit(at + 2)
                && is_digit(at + 3);
            if is_prefixed {
                at += 2;
            } else if byte.is_ascii_hexdigit() {
                run.push(at);
                (marks, at) = (0, at + 1);
            } else if !run.is_empty() && marks < MARKS && b" \r\n\t,:;-_.".contains(byte) {
                (marks, at) = (marks + 1, at + 1);
            } else {
                end(&mut run);
                (marks, at) = (0, at + 1);
            }
        }
        end(&mut run);
        runs
    }

    /// The places of letters of one alphabet that follow each other, with nothing between them but what may be.
    fn runs(
        &self,
        is_letter: impl Fn(u8) -> bool,
        shortest: usize,
        may_be_between: impl Fn(&[u8]) -> bool,
    ) -> Vec<Vec<usize>> {
        let (mut runs, mut run, mut length, mut at) = (Vec::new(), Vec::new(), 0, 0);
        let mut end = |run: &mut Vec<(usize, usize)>, length: &mut usize| {
            if *length >= shortest {
                runs.push(run.iter().flat_map(|(start, end)| *start..*end).collect());
            }
            *length = 0;
            run.clear();
        };
        while let Some(start) = self.bytes[at..].iter().position(|byte| is_letter(*byte)).map(|next| at + next) {
            let letters = self.bytes[start..].iter().position(|byte| !is_letter(*byte));
            let behind = letters.map_or(self.bytes.len(), |letters| start + letters);
            if start > at && !may_be_between(&self.bytes[at..start]) {
                end(&mut run, &mut length);
            }
            run.push((start, behind));
            length += behind - start;
            at = behind;
        }
        end(&mut run, &mut length);
        runs
    }
}

/// A reading that is being made of another one.
struct Made<'r> {
    from: &'r Reading<'r>,
    bytes: Vec<u8>,
    places: Vec<Stretch>,
}

impl<'r> Made<'r> {
    fn of(from: &'r Reading<'_>) -> Self {
        Self { from, bytes: Vec::new(), places: Vec::new() }
    }

    /// Adds a byte that some bytes of the other one stand for.
    fn push(&mut self, byte: u8, (start, end): Stretch) {
        self.bytes.push(byte);
        self.places.push(self.from.place(start, end));
    }

    fn gap(&mut self) {
        let end = self.places.last().map_or(0, |place| place.1);
        self.bytes.push(GAP);
        self.places.push((end, end));
    }

    fn reading(self) -> Reading<'static> {
        Reading { bytes: Cow::Owned(self.bytes), places: Some(self.places) }
    }

    fn if_any(self) -> Option<Reading<'static>> {
        (!self.bytes.is_empty()).then(|| self.reading())
    }
}

/// What a value stands for where the whole of it is in some dress: what was noted in it may come back without.
pub(super) fn bare(value: &str) -> Vec<Vec<u8>> {
    let reading = Reading::plain(value.as_bytes());
    let texts = [Dress::Escapes, Dress::Percent, Dress::Form, Dress::Entities];
    let mut found: Vec<Vec<u8>> = texts
        .into_iter()
        .filter_map(|dress| reading.without(dress, &|_| true))
        .map(|undone| undone.bytes.into_owned())
        .collect();
    let letters: Vec<u8> = value.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let digits: Vec<u8> = letters.iter().copied().filter(|byte| !matches!(byte, b':' | b'-')).collect();
    if digits.iter().all(u8::is_ascii_hexdigit) {
        found.push(digits.chunks_exact(2).filter_map(|pair| hex(pair[0], pair[1])).collect());
    }
    found.extend(BASE64.decode(letters.into_iter().map(standard).collect::<Vec<u8>>()));
    found
}

/// Hands over bytes without regard to case, each with its place.
fn fold(bytes: &[u8], mut push: impl FnMut(u8, Stretch)) {
    let mut at = 0;
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            let place = (at, at + c.len_utf8());
            if c.is_ascii() {
                push(bytes[at].to_ascii_lowercase(), place);
            } else {
                // By way of the capital, which two small letters may share.
                let same: String = c.to_uppercase().flat_map(char::to_lowercase).collect();
                let is_itself = same.as_bytes() == &bytes[place.0..place.1];
                for (number, byte) in same.bytes().enumerate() {
                    // What was decoded may only look like a character, of which a value has a part.
                    push(byte, if is_itself { (at + number, at + number + 1) } else { place });
                }
            }
            at = place.1;
        }
        for byte in chunk.invalid() {
            push(*byte, (at, at + 1));
            at += 1;
        }
    }
}

/// Whether what was decoded may hold a value: it does, or it is text, which may be dressed once more.
fn may_hold(decoded: &[u8], is_wanted: Wanted<'_>) -> bool {
    let mut folded = Vec::with_capacity(decoded.len());
    fold(decoded, |byte, _| folded.push(byte));
    let is_text = |text: &str| text.split(char::is_control).any(|line| line.len() >= SHORTEST);
    // Two bytes a character.
    let wide: Vec<u8> =
        if folded.contains(&0) { folded.iter().copied().filter(|byte| *byte != 0).collect() } else { Vec::new() };
    is_wanted(&folded) || is_wanted(&wide) || decoded.utf8_chunks().any(|chunk| is_text(chunk.valid()))
}

/// A letter of base64 for addresses as the standard has it.
fn standard(letter: u8) -> u8 {
    match letter {
        b'-' => b'+',
        b'_' => b'/',
        letter => letter,
    }
}

fn hex(high: u8, low: u8) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    Some(digit(high)? << 4 | digit(low)?)
}

fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_')
}

fn number(digits: &[u8], radix: u32) -> Option<u32> {
    let is_number = digits.iter().all(|digit| char::from(*digit).is_digit(radix));
    let text = std::str::from_utf8(digits).ok().filter(|_| is_number)?;
    u32::from_str_radix(text, radix).ok()
}

fn push_char(shown: &mut Vec<u8>, c: char) {
    shown.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
}

/// What an escape at the beginning stands for, and its length; `None` where there is none.
fn escape(text: &[u8], shown: &mut Vec<u8>) -> Option<usize> {
    let sign = *text.get(1)?;
    let plain = match sign {
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'b' => 8,
        b'f' => 12,
        b'v' => 11,
        b'a' => 7,
        b'e' => 27,
        b'x' => return bytes(text, (2, 2, 16), shown),
        b'0'..=b'7' => return bytes(text, (1, 3, 8), shown),
        b'u' if text.get(2) == Some(&b'{') => {
            let end = text.iter().take(12).position(|byte| *byte == b'}')?;
            push_char(shown, char::from_u32(number(text.get(3..end).filter(|digits| !digits.is_empty())?, 16)?)?);
            return Some(end + 1);
        }
        b'u' => return units(text, shown),
        b'U' => {
            push_char(shown, char::from_u32(number(text.get(2..10)?, 16)?)?);
            return Some(10);
        }
        sign if sign.is_ascii_punctuation() || sign == b' ' => sign,
        _ => return None,
    };
    shown.push(plain);
    Some(2)
}

/// Bytes, each written as an escape: together they are UTF-8, or each is a character by its number.
fn bytes(text: &[u8], (before, digits, radix): (usize, usize, u32), shown: &mut Vec<u8>) -> Option<usize> {
    let length = before + digits;
    let byte = |text: &[u8]| {
        let is_same = text.first() == Some(&b'\\') && (before == 1 || text.get(1) == Some(&b'x'));
        let byte = number(text.get(before..length).filter(|_| is_same)?, radix)?;
        u8::try_from(byte).ok()
    };
    let first = byte(text)?;
    // No more than one character at a time: what follows is read in its turn.
    let all: Vec<u8> = (0..4).map_while(|number| byte(text.get(number * length..)?)).collect();
    let whole = (1..=all.len()).find(|length| std::str::from_utf8(&all[..*length]).is_ok());
    let Some(count) = whole else {
        push_char(shown, char::from(first));
        return Some(length);
    };
    shown.extend_from_slice(&all[..count]);
    Some(count * length)
}

/// `\uXXXX`, or two of them where a character takes two.
fn units(text: &[u8], shown: &mut Vec<u8>) -> Option<usize> {
    let unit = |text: &[u8]| {
        let digits = text.strip_prefix(b"\\u")?.get(..4)?;
        u16::try_from(number(digits, 16)?).ok()
    };
    let first = unit(text)?;
    let both = [first, text.get(6..).and_then(unit).unwrap_or_default()];
    let (c, length) = match char::from_u32(first.into()) {
        Some(c) => (c, 6),
        None => (char::decode_utf16(both).next()?.ok()?, 12),
    };
    push_char(shown, c);
    Some(length)
}

/// `%XX`, or `%uXXXX` as old scripts write it.
fn percent(text: &[u8], shown: &mut Vec<u8>) -> Option<usize> {
    if let Some(digits) = text.strip_prefix(b"%u").and_then(|rest| rest.get(..4)) {
        push_char(shown, char::from_u32(number(digits, 16)?)?);
        return Some(6);
    }
    shown.push(u8::try_from(number(text.get(1..3)?, 16)?).ok()?);
    Some(3)
}

/// `&amp;` and its like, `&#39;`, `&#x27;`.
fn entity(text: &[u8], shown: &mut Vec<u8>) -> Option<usize> {
    let end = text.iter().take(12).position(|byte| *byte == b';')?;
    let c = match &text[1..end] {
        b"amp" => '&',
        b"lt" => '<',
        b"gt" => '>',
        b"quot" => '"',
        b"apos" => '\'',
        b"nbsp" => ' ',
        [b'#', b'x' | b'X', digits @ ..] if !digits.is_empty() => char::from_u32(number(digits, 16)?)?,
        [b'#', digits @ ..] if !digits.is_empty() => char::from_u32(number(digits, 10)?)?,
        _ => return None,
    };
    push_char(shown, c);
    Some(end + 1)
}
