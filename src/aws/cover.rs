//! What must not come back in AWS's words.
//!
//! A service may repeat what it was sent: Lambda quotes the variables that it refuses, `CloudFormation` the parameters, a function's
//! log whatever its author prints. So every private value that this program meets is noted here, and covered in every message from
//! outside before it becomes a part of an error, a plan or a report. One place for the whole process: a message that knew only
//! some of the values would leak the others, and a new call can't forget to pass them on.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use crate::model::{Desired, Sensitive};

mod reading;

use reading::{Reading, Readings, bare};

/// What stands instead.
const COVER: &str = "(sensitive)";

/// The shortest value, in bytes, that is covered wherever it stands. A shorter one ("true", "prod") is a word that messages need;
/// it is covered where its name stands before it, as in `{STAGE=prod}`.
const SHORTEST: usize = 8;

/// The fewest bytes of a long value's beginning or end that are covered where the rest of it is missing: messages are cut.
const SHORTEST_PIECE: usize = 12;

/// What is known, for the whole process.
static KNOWN: LazyLock<Mutex<Known>> = LazyLock::new(Mutex::default);

/// Private values, and the words that are public beside them. Looking a text over takes time for its length alone: a fleet has
/// tens of thousands of values, and as many messages where a right is missing.
#[derive(Default)]
struct Known {
    /// The values that each name was met with.
    named: HashMap<String, BTreeSet<String>>,
    /// The long values, without regard to case, by how they begin.
    starts: HashMap<[u8; SHORTEST], BTreeMap<Vec<u8>, Part>>,
    /// The same by how their last bytes begin, [`SHORTEST_PIECE`] of them.
    ends: HashMap<[u8; SHORTEST], BTreeMap<Vec<u8>, Part>>,
    /// Says for most places of a text, and at once, that none of them begins there.
    sieve: Sieve,
    /// Names that everybody sees: a value that is a part of one is no secret, and covering it would make messages unreadable.
    public: BTreeSet<Vec<u8>>,
}

/// Beginnings of values, by a bit each: where the bit isn't set, none begins so.
struct Sieve(Vec<u64>);

impl Sieve {
    /// The binary logarithm of the number of bits: few are set even where values are tens of thousands.
    const BITS: u32 = 20;

    fn place(start: [u8; SHORTEST]) -> (usize, u64) {
        // Fibonacci hashing: the upper bits of a product depend on all bits of the number.
        let bit = u64::from_le_bytes(start).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (u64::BITS - Self::BITS);
        (usize::try_from(bit >> 6).unwrap_or_default(), 1 << (bit & 63))
    }

    fn add(&mut self, start: [u8; SHORTEST]) {
        let (word, bit) = Self::place(start);
        self.0[word] |= bit;
    }

    fn may_have(&self, start: [u8; SHORTEST]) -> bool {
        let (word, bit) = Self::place(start);
        self.0[word] & bit != 0
    }
}

impl Default for Sieve {
    fn default() -> Self {
        Self(vec![0; 1 << (Self::BITS - 6)])
    }
}

/// A part by which a value is known.
#[derive(Default)]
struct Part {
    /// How often it was noted.
    count: usize,
    /// The value, where the part is what it stands for: where that is public, so is this.
    of: Vec<u8>,
}

fn known() -> MutexGuard<'static, Known> {
    KNOWN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Notes what a manifest sends: the values of its functions' environments, and of all parameters. Which of those are private is
/// known once the application was read: [`reveal`].
pub(super) fn note_desired(desired: &Desired, account: &str, region: &str) {
    let mut known = known();
    let secrets = desired.secrets.values().map(|secret| secret.name.as_str());
    for name in [account, region, &desired.project].into_iter().chain(secrets) {
        known.publish(name);
    }
    for function in desired.functions.values() {
        known.publish(&function.name);
        let Some(deployment) = function.deployment() else { continue };
        known.publish(&deployment.stack);
        for (name, value) in &deployment.environment {
            if let Some(value) = value {
                known.note(name, value.expose());
            }
        }
        for (name, value) in &deployment.application.parameters {
            known.note(name, value.expose());
        }
    }
}

/// Notes the variables of a live function.
pub(super) fn note_live(variables: &BTreeMap<String, Sensitive>) {
    let mut known = known();
    for (name, value) in variables {
        known.note(name, value.expose());
    }
}

/// Notes a value of another kind, such as a session's token.
pub(super) fn note(name: &str, value: &str) {
    known().note(name, value);
}

/// Takes back a parameter that turned out not to be `NoEcho`: AWS shows it to everyone.
pub(super) fn reveal(name: &str, value: &Sensitive) {
    known().forget(name, value.expose());
}

/// A text from outside, without the values.
pub(super) fn cover(text: &str) -> Cow<'_, str> {
    known().cover(text)
}

impl Known {
    fn publish(&mut self, name: &str) {
        self.public.insert(folded(name.as_bytes()));
    }

    fn note(&mut self, name: &str, value: &str) {
        let is_new = |values: &mut BTreeSet<String>| values.insert(value.to_owned());
        // Observed twice, before and after a wait, it is still one.
        if value.is_empty() || !is_new(self.named.entry(name.to_owned()).or_default()) {
            return;
        }
        for (part, of) in parts(value) {
            for (all, key) in [(&mut self.starts, part.first_chunk()), (&mut self.ends, start_of_end(&part))] {
                let Some(key) = key else { continue };
                self.sieve.add(*key);
                let noted = all.entry(*key).or_default().entry(part.clone());
                noted.or_insert(Part { count: 0, of: of.clone() }).count += 1;
            }
        }
    }

    fn forget(&mut self, name: &str, value: &str) {
        if !self.named.get_mut(name).is_some_and(|values| values.remove(value)) {
            return;
        }
        for part in parts(value).keys() {
            for (all, key) in [(&mut self.starts, part.first_chunk()), (&mut self.ends, start_of_end(part))] {
                let Some(same) = key.and_then(|key| all.get_mut(key)) else { continue };
                if let Some(noted) = same.get_mut(part) {
                    noted.count -= 1;
                }
                same.retain(|_, noted| noted.count > 0);
            }
        }
    }

    fn cover<'t>(&self, text: &'t str) -> Cow<'t, str> {
        if self.named.is_empty() {
            return Cow::Borrowed(text);
        }
        let mut ranges: BTreeMap<usize, usize> = BTreeMap::new();
        for reading in Readings::of(text.as_bytes(), &|text| self.may_be_in(text)) {
            for (start, end) in self.ranges(&reading, text) {
                let longest = ranges.entry(start).or_default();
                *longest = end.max(*longest);
            }
        }
        if ranges.is_empty() {
            return Cow::Borrowed(text);
        }
        let (mut covered, mut kept) = (String::new(), 0);
        for (start, end) in ranges {
            if start >= kept {
                covered.push_str(&text[kept..start]);
                covered.push_str(COVER);
            }
            kept = kept.max(end);
        }
        covered.push_str(&text[kept..]);
        Cow::Owned(covered)
    }

    /// Where in a text the values stand that one way of reading it shows.
    fn ranges(&self, reading: &Reading<'_>, text: &str) -> Vec<(usize, usize)> {
        let mut ranges = Vec::new();
        let same = reading.folded();
        for at in 0..same.bytes.len() {
            let found = self.value_at(&same.bytes, at).map(|end| (at, end)).or_else(|| self.piece_at(&same.bytes, at));
            if let Some((start, end)) = found {
                let (start, end) = whole(text, same.place(start, end));
                // As it stands, or as it is read: what is public in either is no secret.
                if !self.is_public(&folded(&text.as_bytes()[start..end])) {
                    ranges.push((start, end));
                }
            }
        }
        let mut before = 0;
        for chunk in reading.bytes.utf8_chunks() {
            let signs = chunk.valid().match_indices(['=', ':']);
            let named = signs.filter_map(|(at, _)| self.named_value_at(chunk.valid(), at));
            ranges.extend(named.map(|(start, end)| whole(text, reading.place(before + start, before + end))));
            before += chunk.valid().len() + chunk.invalid().len();
        }
        ranges
    }

    fn may_be_in(&self, text: &[u8]) -> bool {
        text.array_windows().any(|start| self.sieve.may_have(*start))
    }

    /// Where a long value ends that begins here: the longest, since one may begin as another.
    fn value_at(&self, text: &[u8], at: usize) -> Option<usize> {
        let start = text[at..].first_chunk().filter(|start| self.sieve.may_have(**start))?;
        let same = self.starts.get(start)?;
        let here = same.iter().filter(|(part, _)| text[at..].starts_with(part));
        let (longest, noted) = here.max_by_key(|(part, _)| part.len())?;
        (!self.is_public(&noted.of)).then(|| at + longest.len())
    }

    /// Where the beginning of a long value stands whose rest is missing, or its end, which has its last bytes here: as a word of the text,
    /// or an address of another host would be half covered.
    fn piece_at(&self, text: &[u8], at: usize) -> Option<(usize, usize)> {
        let key = text[at..].first_chunk().filter(|start| self.sieve.may_have(**start))?;
        // What is cut stands by itself, or before an ellipsis: what goes on is another address, name or path.
        let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || !byte.is_ascii() && byte != reading::GAP;
        let goes_on = |byte: u8| is_letter(byte) || b"*:/-_+=%&?#@~".contains(&byte);
        let ends_at =
            |end: usize| text[end..].starts_with("…".as_bytes()) || !text.get(end).copied().is_some_and(goes_on);
        let before = |start: usize| start.checked_sub(1).map(|place| text[place]);
        let is_cut = |part: &[u8], noted: &Part, (start, end): (usize, usize)| {
            (SHORTEST_PIECE..part.len()).contains(&(end - start)) && ends_at(end) && !self.is_public(&noted.of)
        };
        let begun = self.starts.get(key).into_iter().flatten().filter_map(|(part, noted)| {
            let same = text[at..].iter().zip(part).take_while(|(one, other)| one == other).count();
            Some((at, at + same)).filter(|range| !before(at).is_some_and(is_letter) && is_cut(part, noted, *range))
        });
        let ended = self.ends.get(key).into_iter().flatten().filter_map(|(part, noted)| {
            let end = at + SHORTEST_PIECE;
            if !part.ends_with(text.get(at..end)?) {
                return None;
            }
            let same = text[..end].iter().rev().zip(part.iter().rev()).take_while(|(one, other)| one == other).count();
            let is_begun = before(end - same).is_some_and(goes_on) && !text[..end - same].ends_with("…".as_bytes());
            Some((end - same, end)).filter(|range| !is_begun && is_cut(part, noted, *range))
        });
        begun.chain(ended).max_by_key(|(start, end)| end - start)
    }

    /// Whether it is a part of a name that everybody sees.
    fn is_public(&self, part: &[u8]) -> bool {
        self.public.iter().any(|name| name.windows(part.len().max(1)).any(|window| window == part))
    }

    /// Where a value begins and ends whose name, and a sign at this place, stand before it.
    fn named_value_at(&self, text: &str, at: usize) -> Option<(usize, usize)> {
        const BETWEEN: [char; 3] = ['"', '\'', ' '];
        let before = text[..at].trim_end_matches(BETWEEN);
        let name = before.rsplit(|c: char| !c.is_alphanumeric() && c != '_').next()?;
        let values = self.named.get(name)?;
        let behind = text[at + 1..].trim_start_matches(BETWEEN);
        let ends = |value: &&String| {
            let rest = behind.strip_prefix(value.as_str());
            rest.is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric()))
        };
        let value = values.iter().filter(ends).max_by_key(|value| value.len())?;
        let start = text.len() - behind.len();
        Some((start, start + value.len()))
    }
}

/// How the last bytes of a value begin that has more than these.
fn start_of_end(part: &[u8]) -> Option<&[u8; SHORTEST]> {
    let at = part.len().checked_sub(SHORTEST_PIECE).filter(|at| *at > 0)?;
    part[at..].first_chunk()
}

/// A range of a text, with the whole of each character that it touches.
fn whole(text: &str, (start, end): (usize, usize)) -> (usize, usize) {
    (text.floor_char_boundary(start), text.ceil_char_boundary(end))
}

/// A text, or bytes, without regard to case.
fn folded(text: &[u8]) -> Vec<u8> {
    Reading::plain(text).folded().bytes.into_owned()
}

/// The parts by which a value is known, without regard to case, each with what must not be public: it as a whole, line by line, and
/// what it stands for where it is dressed itself.
fn parts(value: &str) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let lines = value.lines().map(|line| folded(line.trim().as_bytes()));
    let whole = folded(value.as_bytes());
    let bare = bare(value).into_iter().map(|part| (folded(&part), whole.clone()));
    let plain = lines.chain([whole.clone()]).map(|part| (part.clone(), part));
    bare.chain(plain).filter(|(part, _)| part.len() >= SHORTEST).collect()
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

    use super::*;

    fn known(values: &[(&str, &str)]) -> Known {
        let mut known = Known::default();
        for (name, value) in values {
            known.note(name, value);
        }
        known
    }

    /// Without it, one refused variable would put the whole environment into a pipeline's log.
    #[test]
    fn what_a_service_repeats_is_covered() {
        let known = known(&[("TOKEN", "tok-12345678"), ("LONGER", "tok-123456789"), ("STAGE", "prod"), ("EMPTY", "")]);
        for (said, shown) in [
            (
                "Value '{TOKEN=tok-12345678, STAGE=prod}' failed",
                "Value '{TOKEN=(sensitive), STAGE=(sensitive)}' failed",
            ),
            (r#"{"STAGE": "prod", "x": 1}"#, r#"{"STAGE": "(sensitive)", "x": 1}"#),
            ("tok-123456789", "(sensitive)"),
            ("prod is no stage; STAGE=production", "prod is no stage; STAGE=production"),
            ("nothing of ours", "nothing of ours"),
        ] {
            assert_eq!(known.cover(said), shown, "{said}");
        }
    }

    /// Without it, a key of several lines would be covered only where it stands as it was written.
    #[test]
    fn values_of_several_lines_are_covered_line_by_line_and_escaped() {
        let known = known(&[("KEY", "-----BEGIN\nabcdefghijkl\n")]);
        assert_eq!(known.cover("bad line abcdefghijkl"), "bad line (sensitive)");
        assert_eq!(known.cover(r"KEY=-----BEGIN\nabcdefghijkl\n"), "KEY=(sensitive)");
    }

    /// Without it, a value with a quotation mark or a letter beyond ASCII would come back as soon as anything wrote it as a string.
    #[test]
    fn values_are_found_in_whatever_way_they_are_escaped() {
        let value = "a\"b\\c'é/\n12345";
        let known = known(&[("KEY", value)]);
        let json = serde_json::Value::from(value).to_string();
        let within = serde_json::Value::from(format!("{{\"KEY\":{json}}}")).to_string();
        for said in [
            json.clone(),
            within,
            json.replace('é', "\\u00e9").replace('/', "\\/"),
            format!("{value:?}"),
            r#"{'KEY': 'a"b\\c\'é/\n12345'}"#.to_owned(),
        ] {
            let shown = known.cover(&said);
            assert!(
                shown.contains(COVER) && !shown.contains("12345") && !shown.contains("a\\\"b"),
                "{said} -> {shown}"
            );
        }
        for said in [r"\", r"a \u12 b", r"\ud800", r"C:\new\x", "\\é", ""] {
            assert_eq!(known.cover(said), said);
        }
    }

    /// Without it, an environment that names its function or region would make every message about them unreadable.
    #[test]
    fn public_names_stay_readable() {
        let mut known = known(&[("REGION", "eu-west-1"), ("SELF", "SecretsManagerThing"), ("TOKEN", "tok-12345678")]);
        known.publish("eu-west-1");
        known.publish("SecretsManagerThing");
        let said = "arn:aws:lambda:eu-west-1:1:function:SecretsManagerThing has REGION=eu-west-1 and tok-12345678";
        let shown = "arn:aws:lambda:eu-west-1:1:function:SecretsManagerThing has REGION=(sensitive) and (sensitive)";
        assert_eq!(known.cover(said), shown);
    }

    /// Without it, a parameter that AWS shows to everyone would be covered in the message that refuses it.
    #[test]
    fn what_turns_out_to_be_public_is_shown() {
        let mut known =
            known(&[("endpoint", "https://example.com"), ("URL", "https://example.com"), ("a", "12345678")]);
        known.forget("endpoint", "https://example.com");
        known.forget("a", "12345678");
        assert_eq!(known.cover("https://example.com 12345678"), "(sensitive) 12345678", "it is a variable's too");
    }

    type Dress = fn(&str) -> String;

    /// Each byte, written by its number.
    fn bytes(text: &str, write: fn(u8) -> String) -> Vec<String> {
        text.bytes().map(write).collect()
    }

    /// What may be done to a value on its way back, by name.
    const DRESSES: [(&str, Dress); 16] = [
        ("as JSON", |text| serde_json::Value::from(text).to_string()),
        ("as JSON in ASCII", |text| {
            let json = serde_json::Value::from(text).to_string();
            let units: Vec<String> = json
                .encode_utf16()
                .map(|unit| match u8::try_from(unit) {
                    Ok(letter) if letter.is_ascii() => char::from(letter).to_string(),
                    _ => format!("\\u{unit:04x}"),
                })
                .collect();
            units.concat()
        }),
        ("as bytes of Python", |text| format!("b'{}'", text.as_bytes().escape_ascii())),
        ("as Rust", |text| format!("{text:?}")),
        ("in an address", |text| {
            percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
        }),
        ("in an address, in small letters", |text| bytes(text, |byte| format!("%{byte:02x}")).concat()),
        ("in a form", |text| form_urlencoded::byte_serialize(text.as_bytes()).collect()),
        ("in HTML", |text| {
            let names =
                [('&', "&amp;"), ('<', "&lt;"), ('>', "&gt;"), ('"', "&quot;"), ('\'', "&#x27;"), ('+', "&#43;")];
            names.iter().fold(text.to_owned(), |text, (c, name)| text.replace(*c, name))
        }),
        ("in base64", |text| STANDARD.encode(text)),
        ("in base64 for addresses", |text| URL_SAFE_NO_PAD.encode(text)),
        ("in base64 after a name", |text| STANDARD.encode(format!("me:{text}"))),
        ("in base64 of JSON", |text| STANDARD.encode(serde_json::json!({ "k": text }).to_string())),
        ("in base64 by lines", |text| {
            let letters = STANDARD.encode(text);
            letters.as_bytes().chunks(20).map(|line| String::from_utf8_lossy(line) + "\n").collect()
        }),
        ("in hex", |text| bytes(text, |byte| format!("{byte:02x}")).concat()),
        ("in hex, in capitals", |text| bytes(text, |byte| format!("{byte:02X}")).concat()),
        ("in hex, byte by byte", |text| text.bytes().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(":")),
    ];

    const CASES: [(&str, Dress); 3] =
        [("as it is", str::to_owned), ("in capitals", str::to_uppercase), ("in small letters", str::to_lowercase)];

    /// Values with letters of all kinds, of lengths around those that matter.
    fn values() -> Vec<String> {
        let mut random = fastrand::Rng::with_seed(7);
        let letters: Vec<char> = "abcXYZ019-_./+=&%<>\"\'\\ é€𝄞ßя#?{}:;,".chars().collect();
        let mut made = |length: usize| -> String {
            let middle: String = (0..length).map(|_| letters[random.usize(..letters.len())]).collect();
            format!("k{middle}7")
        };
        let mut values: Vec<String> = (6..30).map(&mut made).collect();
        values.extend(
            ["plainvalue", "eightlng", "postgres://app:p%40ss@db/x?a=b+c", r"ends in \", "%41%42%43%44"]
                .map(str::to_owned),
        );
        values
    }

    /// Without it, a value would come out as soon as it is encoded, as most programs do with what they send or log.
    #[test]
    fn values_are_found_in_another_dress_and_in_two() {
        let mut tried = 0;
        for (number, value) in values().into_iter().enumerate() {
            let known = known(&[("KEY", &value)]);
            let mut check = |name: &str, dressed: &str| {
                let said = format!("before {dressed} after");
                let shown = known.cover(&said);
                assert!(shown.contains(COVER), "{value} {name}: {said}");
                assert!(shown.starts_with("before ") && shown.ends_with(" after"), "{value} {name}: {said} -> {shown}");
                // What was put around it may stay.
                let left = shown.replace(COVER, "").len();
                assert!(left <= "before  after".len() + 48, "{value} {name}: {said} -> {shown}");
                tried += 1;
            };
            for (case, change) in CASES {
                let changed = change(&value);
                check(case, &changed);
                for (inner, dress) in DRESSES {
                    let dressed = dress(&changed);
                    check(&format!("{case}, {inner}"), &dressed);
                    // Each pair with some of the values: all of them take a minute.
                    for (outer, dress) in DRESSES.iter().skip(number % 5).step_by(5) {
                        check(&format!("{case}, {inner}, {outer}"), &dress(&dressed));
                    }
                }
            }
        }
        assert!(tried > 5_000, "{tried}");
    }

    /// Without it, a value that a service cuts to fit its message, or that a program shows as numbers, would come out.
    #[test]
    fn values_are_found_cut_and_as_numbers() {
        let value = "hunter2-Very/Secret+Val=ue";
        let known = known(&[("KEY", value)]);
        let wide: Vec<u8> = value.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = value.encode_utf16().flat_map(u16::to_be_bytes).collect();
        let hex = |bytes: &[u8], between: &str| {
            bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(between)
        };
        let base64 = STANDARD.encode(value);
        let groups: Vec<&str> =
            base64.as_bytes().chunks(8).map(|group| std::str::from_utf8(group).expect("ASCII")).collect();
        let four_deep = (0..4).fold(value.to_owned(), |text, _| STANDARD.encode(text));
        for said in [
            format!("0x{}", hex(value.as_bytes(), ", 0x")),
            format!("0X{}", hex(value.as_bytes(), ",0X")),
            hex(value.as_bytes(), ","),
            hex(value.as_bytes(), "_"),
            hex(value.as_bytes(), "  "),
            hex(&wide, ""),
            hex(&big, " "),
            STANDARD.encode(&wide),
            groups.join(" "),
            four_deep,
            value[..20].to_owned(),
            value[..12].to_owned(),
            value[14..].to_owned(),
            value[6..].to_uppercase(),
            STANDARD.encode(&value[..15]),
        ] {
            let shown = known.cover(&format!("bad <<<{said}>>> end")).into_owned();
            assert!(shown.contains(COVER) && shown.len() < 60, "{said} -> {shown}");
            let shown = known.cover(&format!("a bad value {said} at the end")).into_owned();
            assert!(shown.contains(COVER) && shown.len() < 70, "{said} -> {shown}");
        }
        // What only begins or ends like it, and goes on otherwise, is something else.
        assert_eq!(known.cover("hunter2-Very/S… …Secret+Val=ue"), "(sensitive)… …(sensitive)");
        for said in
            ["hunter2-Very/Other", "hunter2-Very/*", "xxSecret+Val=ue", "*/Secret+Val=ue", "hunter2-Ver", "t+Val=ue"]
        {
            assert_eq!(known.cover(said), said);
        }
    }

    /// Without it, what a manifest has in base64 would be shown by the function that decodes it.
    #[test]
    fn what_is_noted_in_a_dress_is_found_without() {
        let bare = "a key of \"many\" words";
        let around = ["JSON", "Python", "Rust", "after"];
        for (name, dress) in DRESSES.iter().filter(|(name, _)| !around.iter().any(|word| name.contains(word))) {
            let known = known(&[("KEY", &dress(bare))]);
            for (outer, dress) in DRESSES {
                let said = dress(bare);
                assert!(known.cover(&said).contains(COVER), "{name}, {outer}: {said}");
            }
        }
    }

    /// Without it, messages would lose their words to values that they don't hold, or names that everybody sees.
    #[test]
    fn what_is_no_value_stays() {
        let mut random = fastrand::Rng::with_seed(11);
        let mut known = known(&[("STAGE", "prod"), ("DEBUG", "true"), ("LEVEL", "INFO"), ("REGION", "eu-central-1")]);
        for number in 0..2_000 {
            let value: String = (0..random.usize(8..40)).map(|_| random.alphanumeric()).collect();
            known.note(&format!("KEY_{number}"), &value);
        }
        known.publish("eu-central-1");
        let texts = [include_str!("../../README.md"), include_str!("cover.rs"), include_str!("../../Cargo.lock")];
        for text in texts {
            let text = text.replace(COVER, "");
            // The quotations of this file's own tests: short values, after their names.
            let text = text.replace("STAGE", "STEP");
            for line in text.lines() {
                assert_eq!(known.cover(line), line);
            }
            assert!(known.cover(&text) == text, "over several lines");
        }
        let said = "arn:aws:lambda:EU-CENTRAL-1:1:function:x, ZXUtY2VudHJhbC0x, prod, TRUE, information";
        assert_eq!(known.cover(said).replace(COVER, "ZXUtY2VudHJhbC0x"), said);
    }

    /// Without it, a text that was made for it could cost a plan its time.
    #[test]
    fn hostile_texts_take_their_length_alone() {
        let known = known(&[("KEY", "tok-12345678")]);
        let began = std::time::Instant::now();
        for text in ["\\", "%25", "&amp;", "+%2b", "4142", "QUJD", "\\u005c", "aG", "=:", "%5c&#37;+4"] {
            let long = format!("{} tok-12345678", text.repeat(50_000 / text.len()));
            assert!(known.cover(&long).ends_with("(sensitive)"), "{text}");
        }
        assert!(began.elapsed().as_secs() < 120, "{:?}", began.elapsed());
    }
}
