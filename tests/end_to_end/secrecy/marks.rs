//! Marked values: they can't be guessed, and are found in whatever form.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use sha2::{Digest as _, Sha256};

/// How long a mark is, in characters.
const LENGTH: usize = 36;

/// How much of a mark is enough to know it by: a message that cuts a value has said too much already.
const PIECE: usize = 12;

/// What needles are looked up by.
const START: usize = 6;

/// Marked values that were planted.
#[derive(Default)]
pub struct Marks {
    needles: HashMap<[u8; START], Vec<Needle>>,
    count: usize,
}

struct Needle {
    /// Which value.
    name: String,
    /// In which form.
    form: &'static str,
    bytes: Vec<u8>,
}

impl Marks {
    /// A value with characters that YAML, JSON, URLs and shells write differently.
    pub fn value(&mut self, name: &str) -> String {
        let mark = mark();
        self.remember(name, &mark, format!("{mark}\"\\/+ é=&").as_bytes())
    }

    /// A value that fits into a header, a file of profiles, or a plain scalar of YAML.
    pub fn plain(&mut self, name: &str) -> String {
        let mark = mark();
        let value = mark.clone();
        self.remember(name, &mark, value.as_bytes())
    }

    /// A value of several lines, each marked.
    pub fn lines(&mut self, name: &str) -> Vec<String> {
        let lines: Vec<String> = (0..3).map(|_| self.plain(name)).collect();
        self.hashed(name, lines.join("\n").as_bytes());
        lines
    }

    /// A mark that somebody else made, such as a URL's.
    pub fn foreign(&mut self, name: &str, value: &str) {
        assert!(value.len() >= PIECE, "`{value}` is too short to be told apart");
        self.add(name, "plain", value.as_bytes().to_vec());
    }

    /// How many values were planted.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Which marks bytes hold, each with its form.
    pub fn found_in(&self, bytes: &[u8]) -> Vec<String> {
        let mut found = Vec::new();
        for at in 0..bytes.len() {
            let Some(start) = bytes[at..].first_chunk::<START>() else { break };
            for needle in self.needles.get(start).into_iter().flatten() {
                if bytes[at..].starts_with(&needle.bytes) {
                    let around = &bytes[at.saturating_sub(60)..(at + needle.bytes.len() + 20).min(bytes.len())];
                    found.push(format!("{} ({}): …{}…", needle.name, needle.form, String::from_utf8_lossy(around)));
                }
            }
        }
        found.dedup();
        found
    }

    fn remember(&mut self, name: &str, mark: &str, value: &[u8]) -> String {
        self.count += 1;
        let bytes = mark.as_bytes();
        // JSON, URLs, YAML and shells escape none of a mark's characters: in all of them it stands as it is.
        for piece in bytes.chunks(PIECE) {
            self.add(name, "plain", piece.to_vec());
        }
        let reversed: Vec<u8> = bytes.iter().rev().copied().collect();
        self.add(name, "reversed", reversed);
        for (upper, form) in [(false, "hex"), (true, "HEX")] {
            self.add(name, form, hex(bytes, upper).into_bytes());
        }
        for (changed, form) in [(mark.to_uppercase(), "capitals"), (mark.to_lowercase(), "small letters")] {
            for piece in changed.as_bytes().chunks(PIECE) {
                self.add(name, form, piece.to_vec());
            }
        }
        let every = |sign: &str| -> Vec<String> { bytes.iter().map(|byte| format!("{sign}{byte:02x}")).collect() };
        self.add(name, "every byte as in an address", every("%").concat().into_bytes());
        self.add(name, "every byte as an escape", every("\\x").concat().into_bytes());
        let numbers: Vec<String> = bytes.iter().map(u8::to_string).collect();
        self.add(name, "bytes as Rust prints them", numbers.join(", ").into_bytes());
        self.add(name, "bytes as JSON", numbers.join(",").into_bytes());
        // Base64 looks different at each of three offsets; its ends depend on what stands around.
        for offset in 0..3 {
            let shifted = [&b"\0\0"[..offset], bytes].concat();
            let (skipped, kept) = (offset.div_ceil(3) * 4, (LENGTH + offset) / 3 * 4);
            for encoded in [STANDARD_NO_PAD.encode(&shifted), URL_SAFE_NO_PAD.encode(&shifted)] {
                self.add(name, "base64", encoded.as_bytes()[skipped..kept.min(encoded.len())].to_vec());
            }
        }
        self.hashed(name, value);
        String::from_utf8(value.to_vec()).expect("marks are text")
    }

    /// The SHA-256 of a value: who can guess it could prove it.
    fn hashed(&mut self, name: &str, value: &[u8]) {
        for value in [value.to_vec(), [value, b"\n"].concat()] {
            let hash = Sha256::digest(&value);
            for (upper, form) in [(false, "SHA-256"), (true, "SHA-256 in capitals")] {
                self.add(name, form, hex(&hash, upper).into_bytes());
            }
            self.add(name, "SHA-256 in base64", STANDARD.encode(hash).into_bytes());
            self.add(name, "SHA-256 in base64 for URLs", URL_SAFE.encode(hash).into_bytes());
        }
    }

    fn add(&mut self, name: &str, form: &'static str, bytes: Vec<u8>) {
        let start = *bytes.first_chunk::<START>().expect("needles are long");
        self.needles.entry(start).or_default().push(Needle { name: name.to_owned(), form, bytes });
    }
}

fn mark() -> String {
    std::iter::repeat_with(fastrand::alphanumeric).take(LENGTH).collect()
}

fn hex(bytes: &[u8], upper: bool) -> String {
    bytes.iter().map(|byte| if upper { format!("{byte:02X}") } else { format!("{byte:02x}") }).collect()
}

/// Without it, every other test of this folder could pass because the search finds nothing.
#[test]
fn what_is_planted_is_found_in_every_form() {
    let mut marks = Marks::default();
    let value = marks.value("one");
    let core = &value[..LENGTH];
    let forms = [
        value.clone(),
        format!("cut: {}…", &core[..PIECE + 3]),
        serde_json::to_string(&value).expect("a text"),
        percent_encoding::utf8_percent_encode(&value, percent_encoding::NON_ALPHANUMERIC).to_string(),
        STANDARD.encode(&value),
        URL_SAFE.encode(format!("x{value}")),
        STANDARD.encode(format!("{{\"a\":\"{value}\"}}")),
        hex(value.as_bytes(), false),
        hex(value.as_bytes(), true),
        value.to_uppercase(),
        value.to_lowercase(),
        value.bytes().map(|byte| format!("%{byte:02x}")).collect::<Vec<_>>().concat(),
        value.bytes().map(|byte| format!("\\x{byte:02x}")).collect::<Vec<_>>().concat(),
        format!("{:?}", value.as_bytes()),
        serde_json::to_string(value.as_bytes()).expect("numbers"),
        hex(&Sha256::digest(&value), false),
        STANDARD.encode(Sha256::digest(format!("{value}\n"))),
        core.chars().rev().collect(),
    ];
    for form in forms {
        assert!(!marks.found_in(format!("before {form} after").as_bytes()).is_empty(), "{form}");
    }
    assert_eq!(marks.found_in(b"nothing but ordinary words and 0123456789abcdef"), Vec::<String>::new());
}
