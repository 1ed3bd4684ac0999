//! What of a secret's value nobody but its readers may see, and a value that no service takes.

use serde_json::{Map, Value as Json};

use super::secret::Value;

/// What stands in the place of a password, a key or a token: too short and too regular for any of them.
const WRONG: &str = "rotator-wrong";

/// The shortest text that is looked for: shorter ones stand in logs by chance.
const SHORTEST: usize = 8;

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
    let Value::Text(_) = made else { return None };
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
        let before = &line[..at];
        // A logger's own head ends with a tab.
        let words = before.rsplit('\t').next().unwrap_or(before);
        let end = words.find(['{', '[', '\'', '"', '=']).unwrap_or(words.len());
        Some(words[..end].trim().to_owned())
    }
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
