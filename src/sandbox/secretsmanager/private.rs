//! What of a secret's value nobody but its readers may see, and a value that no service takes.

use serde_json::{Map, Value as Json};

use super::secret::Value;

/// What stands in the place of a password, a key or a token: too short and too regular for any of them.
const WRONG: &str = "rotator-wrong";

/// The shortest text that is looked for: shorter ones stand in logs by chance.
const SHORTEST: usize = 8;

/// How many characters of a longer text are looked for, where not all of it is there.
const PART: usize = 12;

/// How many letters and digits must agree where everything else may be written in another way.
const SKELETON: usize = 10;

/// Endings of the names of members that say who or where, and that logs may say too.
const PUBLIC: [&str; 24] = [
    "id", "name", "user", "login", "email", "url", "uri", "host", "hostname", "server", "endpoint", "port", "arn",
    "engine", "region", "date", "time", "at", "on", "expires", "version", "label", "scope", "type",
];

/// Words in the names of members that are private, wherever they stand.
const PRIVATE: [&str; 8] = ["pass", "pwd", "secret", "token", "private", "credential", "apikey", "signature"];

fn plain(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase()
}

fn is_public(name: &str) -> bool {
    let name = plain(name);
    PUBLIC.iter().any(|end| name.ends_with(end))
}

fn is_private(name: &str) -> bool {
    let name = plain(name);
    !is_public(&name) && (name.ends_with("key") || PRIVATE.iter().any(|word| name.contains(word)))
}

impl Value {
    /// Its members, where it is an object in JSON.
    pub(super) fn object(&self) -> Option<Map<String, Json>> {
        match self {
            Self::Text(text) => serde_json::from_str(text).ok(),
            Self::Binary(_) => None,
        }
    }
}

/// A new value made wrong: what a rotation has changed of it, but for names and ids. `None` where nothing of it is text.
pub(super) fn wrong(before: &Value, made: &Value) -> Option<Value> {
    if let Value::Binary(_) = made {
        use base64::Engine as _;
        return Some(Value::Binary(base64::engine::general_purpose::STANDARD.encode(WRONG)));
    }
    let Some(mut object) = made.object() else { return Some(Value::Text(WRONG.to_owned())) };
    let old = before.object().unwrap_or_default();
    let changed = |object: &Map<String, Json>, public: bool| -> Vec<String> {
        let all = object.iter().filter(|(name, value)| value.is_string() && old.get(*name) != Some(value));
        all.filter(|(name, _)| public || !is_public(name)).map(|(name, _)| name.clone()).collect()
    };
    let mut names = changed(&object, false);
    if names.is_empty() {
        names = changed(&object, true);
    }
    if names.is_empty() {
        names = object
            .iter()
            .filter(|(name, value)| value.is_string() && is_private(name))
            .map(|(name, _)| name.clone())
            .collect();
    }
    for name in &names {
        object.insert(name.clone(), Json::String(WRONG.to_owned()));
    }
    (!names.is_empty()).then(|| Value::Text(Json::Object(object).to_string()))
}

/// Texts that no log may hold.
#[derive(Default)]
pub(super) struct Private(Vec<String>);

impl Private {
    /// What a secret holds and held: what its rotation changes but for names and ids, and what is private by its name.
    pub(super) fn of_rotation(before: &Value, made: Option<&Value>) -> Self {
        let mut all = Self(vec![WRONG.to_owned()]);
        all.add(before);
        let Some(made) = made else { return all };
        all.add(made);
        if let (Some(old), Some(new)) = (before.object(), made.object()) {
            let changed = new.iter().filter(|(name, value)| !is_public(name) && old.get(*name) != Some(value));
            for (name, value) in changed {
                all.texts(value);
                old.get(name).into_iter().for_each(|value| all.texts(value));
            }
        }
        all
    }

    /// What is private in a value by its name; where it is no object, all of it.
    pub(super) fn add(&mut self, value: &Value) {
        match (value, value.object()) {
            (_, Some(object)) => self.named(&Json::Object(object)),
            (Value::Text(text) | Value::Binary(text), None) => self.push(text),
        }
    }

    fn named(&mut self, value: &Json) {
        match value {
            Json::Object(members) => {
                for (name, value) in members {
                    if is_private(name) { self.texts(value) } else { self.named(value) }
                }
            }
            Json::Array(items) => items.iter().for_each(|item| self.named(item)),
            _ => {}
        }
    }

    /// All texts within a value.
    fn texts(&mut self, value: &Json) {
        match value {
            Json::String(text) => self.push(text),
            Json::Array(items) => items.iter().for_each(|item| self.texts(item)),
            Json::Object(members) => members.values().for_each(|value| self.texts(value)),
            _ => {}
        }
    }

    /// A text as it is, and as logs quote it: in JSON, in JSON within JSON, and as Python shows it.
    fn push(&mut self, text: &str) {
        let in_json = |text: &str| {
            let quoted = Json::String(text.to_owned()).to_string();
            quoted.get(1..quoted.len() - 1).unwrap_or_default().to_owned()
        };
        let (json, python) = (in_json(text), text.replace('\\', "\\\\"));
        let quoted = python.replace('\'', "\\'");
        for form in [text.to_owned(), in_json(&json), json, python, quoted] {
            if text.chars().count() >= SHORTEST && !self.0.contains(&form) {
                self.0.push(form);
            }
        }
    }

    /// The same and what others hold.
    pub(super) fn extend(&mut self, others: Self) {
        for text in others.0 {
            if !self.0.contains(&text) {
                self.0.push(text);
            }
        }
    }

    /// Where a log line holds a private text, also in another writing, or most of one.
    pub(super) fn found_in(&self, line: &str) -> Option<Found> {
        if let Some(words) = self.words_before(line) {
            return Some(Found { words, written: None });
        }
        let begins = |at: usize| Found { words: words_of(&line[..at]), written: None };
        for (at, run) in runs(line) {
            for (written, text) in decoded(run) {
                if self.0.iter().any(|private| text.contains(private.as_str())) {
                    return Some(Found { written: Some(written), ..begins(at) });
                }
            }
        }
        let reversed: String = line.chars().rev().collect();
        if self.0.iter().any(|private| reversed.contains(private.as_str())) {
            return Some(Found { written: Some("backwards"), ..begins(0) });
        }
        let part = self.0.iter().flat_map(|private| windows(private)).find_map(|part| line.find(part))?;
        Some(Found { written: Some("in part"), ..begins(part) })
    }

    /// Where a log line holds a private text: the words before it, which its author's code holds too.
    pub(super) fn words_before(&self, line: &str) -> Option<String> {
        let at = self.0.iter().filter_map(|text| line.find(text.as_str())).min();
        let at = at.or_else(|| {
            // Escaped in some way: as JSON in JSON, in Python's or a URL's.
            let bare = skeleton(line);
            let holds = |text: &String| {
                let text = skeleton(text);
                text.len() >= SKELETON && bare.contains(&text)
            };
            self.0.iter().any(holds).then_some(line.len())
        })?;
        Some(words_of(&line[..at]))
    }
}

/// A private text in a log line.
pub(super) struct Found {
    /// The words before it, which its author's code holds too.
    pub words: String,
    /// How it is written, where it isn't as it is.
    pub written: Option<&'static str>,
}

/// The words of a line's author, of what stands before a private text.
fn words_of(before: &str) -> String {
    // A logger's own head ends with a tab.
    let words = before.rsplit('\t').next().unwrap_or(before);
    let end = words.find(['{', '[', '\'', '"', '=']).unwrap_or(words.len());
    words[..end].trim().to_owned()
}

/// The runs of letters and digits in a line that may be a text in another writing, with their places.
fn runs(line: &str) -> impl Iterator<Item = (usize, &str)> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "+/-_".contains(c);
    let mut at = 0;
    line.split(move |c: char| !is_part(c)).filter_map(move |run| {
        let begins = at;
        // What separates is one character, of any length.
        at += run.len() + line[at + run.len()..].chars().next().map_or(0, char::len_utf8);
        (run.len() >= SHORTEST).then_some((begins, run))
    })
}

/// What a run of letters and digits may stand for. A value within a longer text is found too, since the whole is decoded.
fn decoded(run: &str) -> Vec<(&'static str, String)> {
    use base64::Engine as _;
    use base64::engine::GeneralPurpose;
    use base64::engine::general_purpose::{GeneralPurposeConfig, NO_PAD};
    let lenient: GeneralPurposeConfig = NO_PAD.with_decode_allow_trailing_bits(true);
    let mut found = Vec::new();
    let is_hexadecimal = run.len().is_multiple_of(2) && run.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_hexadecimal {
        let bytes: Vec<u8> =
            (0..run.len()).step_by(2).filter_map(|at| u8::from_str_radix(&run[at..at + 2], 16).ok()).collect();
        found.push(("in hexadecimal", String::from_utf8_lossy(&bytes).into_owned()));
    }
    for alphabet in [base64::alphabet::STANDARD, base64::alphabet::URL_SAFE] {
        // One letter more than whole bytes is no base64: what stands before it may be.
        let whole = if run.len() % 4 == 1 { &run[..run.len() - 1] } else { run };
        if let Ok(bytes) = GeneralPurpose::new(&alphabet, lenient).decode(whole) {
            found.push(("in base64", String::from_utf8_lossy(&bytes).into_owned()));
        }
    }
    found
}

/// The parts of a private text that are long and irregular enough to be known again.
fn windows(text: &str) -> impl Iterator<Item = &str> {
    let starts: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
    let parts = starts.len().saturating_sub(PART);
    (0..parts).map(move |first| &text[starts[first]..starts[first + PART]]).filter(|part| {
        let bytes: std::collections::BTreeSet<u8> = part.bytes().collect();
        bytes.len() > PART / 2 && !part.contains("---") && !part.contains("://")
    })
}

fn skeleton(text: &str) -> String {
    text.chars().filter(char::is_ascii_alphanumeric).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(value: &str) -> Value {
        Value::Text(value.to_owned())
    }

    /// Without it, ids that logs are meant to hold would be taken for leaks, or a leak that is written in another way for none.
    #[test]
    fn private_is_what_the_secret_alone_may_hold() {
        let before =
            text(r#"{"url": "http://127.0.0.1:1/keys", "key_id": "k_11111111", "api_key": "vk_111111111111"}"#);
        let made =
            text(r#"{"url": "http://127.0.0.1:1/keys", "key_id": "k_22222222", "api_key": "a\"b\\c1234567890xyz"}"#);
        let private = Private::of_rotation(&before, Some(&made));
        for fine in ["created k_22222222", "GET http://127.0.0.1:1/keys", "revoked k_11111111"] {
            assert_eq!(private.words_before(fine), None, "{fine}");
        }
        for (line, words) in [
            ("[INFO]\tt\tr\tcreated {'key': 'vk_111111111111'}", "created"),
            (r#"DEBUG new {"api_key": "a\"b\\c1234567890xyz"}"#, "DEBUG new"),
            (r#"{"message": "new {\"api_key\": \"a\\\"b\\\\c1234567890xyz\"}"}"#, ""),
            ("wrong: rotator-wrong", "wrong:"),
        ] {
            assert_eq!(private.words_before(line).as_deref(), Some(words), "{line}");
        }
        let mut admin = Private::default();
        admin.add(&text(r#"{"username": "administrator", "password": "correct horse"}"#));
        assert_eq!(admin.words_before("as administrator"), None);
        assert_eq!(admin.words_before("with correct horse").as_deref(), Some("with"));
    }

    /// Without it, a value would be safe from notice in the writing in which headers carry it, or with its last letters left out.
    #[test]
    fn a_value_in_another_writing_is_found() {
        use base64::Engine as _;
        use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
        let mut private = Private::default();
        private.add(&text(r#"{"username": "app", "password": "Gx7!kq~Lm2pW\\zT9?"}"#));
        let value = "Gx7!kq~Lm2pW\\zT9?";
        let hexadecimal = value.bytes().fold(String::new(), |all, byte| format!("{all}{byte:02x}"));
        let backwards: String = value.chars().rev().collect();
        for (line, written) in [
            (format!("new: {value}"), None),
            (format!("header: Basic {}", STANDARD.encode(format!("app:{value}"))), Some("in base64")),
            (format!("h=x{}.y", URL_SAFE_NO_PAD.encode(format!("??{value}"))).replace("h=x", "h="), Some("in base64")),
            (format!("as {hexadecimal}"), Some("in hexadecimal")),
            (format!("begins with {}…", &value[..13]), Some("in part")),
            (backwards, Some("backwards")),
        ] {
            let found = private.found_in(&line).unwrap_or_else(|| panic!("{line}"));
            assert_eq!(found.written, written, "{line}");
        }
        let id = uuid::Uuid::new_v4();
        for fine in [
            format!("START RequestId: {id} Version: $LATEST"),
            format!("created {}", "0123456789abcdef".repeat(3)),
            "Traceback (most recent call last):".to_owned(),
            "é lambda_function.lambda_handler/ééé".to_owned(),
        ] {
            assert!(private.found_in(&fine).is_none(), "{fine}");
        }
    }

    /// Without it, a login would be refused for its name, and a test that looks at no password would seem to work.
    #[test]
    fn a_wrong_value_keeps_who_and_where() {
        let before = text(r#"{"url": "u", "username": "app", "password": "first"}"#);
        let of = |made: &str| match wrong(&before, &text(made)) {
            Some(Value::Text(text)) => text,
            _ => String::new(),
        };
        let made = of(r#"{"url": "u", "username": "app_clone", "password": "second"}"#);
        assert_eq!(made, r#"{"password":"rotator-wrong","url":"u","username":"app_clone"}"#);
        assert_eq!(of("plain"), WRONG);
        assert_eq!(
            of(r#"{"url": "u", "username": "app", "password": "first"}"#),
            r#"{"password":"rotator-wrong","url":"u","username":"app"}"#
        );
        assert_eq!(of(r#"{"number": 1}"#), "");
    }
}
