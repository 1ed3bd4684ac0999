//! What must not come back in AWS's words.
//!
//! A service may repeat what it was sent: Lambda quotes the variables that it refuses, `CloudFormation` the parameters, a function's
//! log whatever its author prints. So every private value that this program meets is noted here, and covered in every message from
//! outside before it becomes a part of an error, a plan or a report. One place for the whole process: a message that knew only
//! some of the values would leak the others, and nobody who adds a call can forget to pass them on.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use crate::model::{Desired, Sensitive};

/// What stands instead.
const COVER: &str = "(sensitive)";

/// The shortest value, in bytes, that is covered wherever it stands. A shorter one ("true", "prod") is a word that messages need;
/// it is covered where its name stands before it, as in `{STAGE=prod}`.
const SHORTEST: usize = 8;

/// How often escapes are undone: JSON within a string of JSON.
const DEPTH: usize = 2;

/// What is known, for the whole process.
static KNOWN: LazyLock<Mutex<Known>> = LazyLock::new(Mutex::default);

/// Private values, and the words that are public beside them. Looking a text over takes time for its length alone: a fleet has
/// tens of thousands of values, and as many messages where a right is missing.
#[derive(Default)]
struct Known {
    /// The values that each name was met with.
    named: HashMap<String, BTreeSet<String>>,
    /// The long values by how they begin, each with how often it was noted.
    starts: HashMap<[u8; SHORTEST], BTreeMap<String, usize>>,
    /// Names that everybody sees: a value that is a part of one is no secret, and covering it would make messages unreadable.
    public: BTreeSet<String>,
}

fn known() -> MutexGuard<'static, Known> {
    KNOWN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Notes what a manifest sends: the values of its functions' environments, and of all parameters. Which of those are private is
/// known once the application was read: [`reveal`].
pub(super) fn note_desired(desired: &Desired, account: &str, region: &str) {
    let mut known = known();
    known.public.extend([account, region, &desired.project].map(str::to_owned));
    known.public.extend(desired.secrets.values().map(|secret| secret.name.clone()));
    for function in desired.functions.values() {
        known.public.insert(function.name.clone());
        let Some(deployment) = function.deployment() else { continue };
        known.public.insert(deployment.stack.clone());
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
    fn note(&mut self, name: &str, value: &str) {
        let is_new = |values: &mut BTreeSet<String>| values.insert(value.to_owned());
        // Observed twice, before and after a wait, it is still one.
        if value.is_empty() || !is_new(self.named.entry(name.to_owned()).or_default()) {
            return;
        }
        for part in parts(value) {
            if let Some(start) = part.as_bytes().first_chunk() {
                *self.starts.entry(*start).or_default().entry(part).or_default() += 1;
            }
        }
    }

    fn forget(&mut self, name: &str, value: &str) {
        if !self.named.get_mut(name).is_some_and(|values| values.remove(value)) {
            return;
        }
        for part in parts(value) {
            let Some(start) = part.as_bytes().first_chunk() else { continue };
            let Some(same) = self.starts.get_mut(start) else { continue };
            if let Some(count) = same.get_mut(&part) {
                *count -= 1;
            }
            same.retain(|_, count| *count > 0);
        }
    }

    fn cover<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let mut ranges = BTreeMap::new();
        let mut level = Unescaped { text: Cow::Borrowed(text), offsets: None };
        for _ in 0..=DEPTH {
            for (start, end) in self.ranges(&level.text) {
                let longest = ranges.entry(level.offset(start)).or_default();
                *longest = level.offset(end).max(*longest);
            }
            if !level.text.contains('\\') {
                break;
            }
            level = level.next();
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

    /// Where values stand in a text, from left to right.
    fn ranges(&self, text: &str) -> Vec<(usize, usize)> {
        let (mut ranges, mut at) = (Vec::new(), 0);
        while let Some(c) = text[at..].chars().next() {
            match self.value_at(text, at).or_else(|| self.named_value_at(text, at)) {
                Some((start, end)) => {
                    ranges.push((start, end));
                    at = end;
                }
                None => at += c.len_utf8(),
            }
        }
        ranges
    }

    /// Where a long value begins and ends that stands here: the longest, since one may begin as another.
    fn value_at(&self, text: &str, at: usize) -> Option<(usize, usize)> {
        let same = self.starts.get(text.as_bytes()[at..].first_chunk()?)?;
        let here = same.keys().filter(|value| text[at..].starts_with(*value));
        let longest = here.max_by_key(|value| value.len())?;
        let is_public = self.public.iter().any(|name| name.contains(longest.as_str()));
        (!is_public).then(|| (at, at + longest.len()))
    }

    /// Where a value begins and ends whose name, and a sign at this place, stand before it.
    fn named_value_at(&self, text: &str, at: usize) -> Option<(usize, usize)> {
        const BETWEEN: [char; 3] = ['"', '\'', ' '];
        if !text[at..].starts_with(['=', ':']) {
            return None;
        }
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

/// The parts by which a value is known: as a whole, and line by line.
fn parts(value: &str) -> BTreeSet<String> {
    let lines = value.lines().map(|line| line.trim().to_owned());
    lines.chain([value.to_owned()]).filter(|part| part.len() >= SHORTEST).collect()
}

/// A text whose escapes were undone, as JSON, Python and Rust write them: a value with a quotation mark in it comes back in many
/// forms, and all of them are the same one here.
struct Unescaped<'t> {
    text: Cow<'t, str>,
    /// For each byte, and for the end, where it was in the text at first; `None`: it is that text.
    offsets: Option<Vec<usize>>,
}

impl Unescaped<'_> {
    fn offset(&self, at: usize) -> usize {
        self.offsets.as_ref().map_or(at, |offsets| offsets[at])
    }

    /// Undoes one more level.
    fn next(&self) -> Unescaped<'static> {
        let (mut text, mut offsets) = (String::with_capacity(self.text.len()), Vec::with_capacity(self.text.len() + 1));
        let mut at = 0;
        while let Some(c) = self.text[at..].chars().next() {
            let (shown, length) = match c {
                '\\' => escape(&self.text[at..]).unwrap_or((c, 1)),
                c => (c, c.len_utf8()),
            };
            offsets.extend(std::iter::repeat_n(self.offset(at), shown.len_utf8()));
            text.push(shown);
            at += length;
        }
        offsets.push(self.offset(at));
        Unescaped { text: Cow::Owned(text), offsets: Some(offsets) }
    }
}

/// The character that an escape at the beginning of a text stands for, and the escape's length; `None` where there is none.
fn escape(text: &str) -> Option<(char, usize)> {
    let sign = text[1..].chars().next()?;
    let number = |digits: usize| {
        let number = u32::from_str_radix(text.get(2..2 + digits)?, 16).ok()?;
        Some((char::from_u32(number)?, 2 + digits))
    };
    match sign {
        'n' => Some(('\n', 2)),
        'r' => Some(('\r', 2)),
        't' => Some(('\t', 2)),
        '"' | '\'' | '\\' | '/' => Some((sign, 2)),
        'x' => number(2),
        'u' => number(4),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
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
        known.public.extend(["eu-west-1".to_owned(), "SecretsManagerThing".to_owned()]);
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
}
