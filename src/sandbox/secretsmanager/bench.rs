//! Functions that are tested, step by step: one function, one secret, and what each call of a step left of both.
//!
//! A test asks here for a step to be run, ended at one of its calls, or shown another value than the secret's; and is told what differs.
//! Values stay here: what goes out says whether two are the same, have the same form, or stand in a log.

use std::collections::BTreeMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value as Json, json};

use super::private::{Private, wrong};
use super::runner::{self, Job};
use super::secret::{CURRENT, PENDING, Rotation, Run, Secret, Value, Version};
use super::seeds::seed;
use crate::cloudformation::{Placed, place};
use crate::lambda;
pub use crate::lambda::Ended;
use crate::probe::{Asked, Made as Call, Passwords, Probe, Side};
use crate::runtime::source::Place;
use crate::service::Shared;
use crate::state::Scope;
use crate::wire::arn::Arn;

/// A function that is tested, with its secret.
pub struct Bench {
    shared: Arc<Shared>,
    scope: Scope,
    /// The function's ARN.
    function: String,
    /// The secret's name.
    secret: String,
    probe: Arc<Probe>,
    hasher: RandomState,
    known_application: bool,
}

/// What the pending version is answered with in a call.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Answers {
    /// Its own value.
    #[default]
    Own,
    /// One that no service takes.
    Wrong,
    /// The value of the version that is current.
    Current,
}

/// How a step is called.
#[derive(Debug, Clone, Default)]
pub struct Order {
    /// At which of its calls, from 0, its process ends, and on which side of it.
    pub end_at: Option<(usize, Side)>,
    /// What the pending version is answered with.
    pub answers: Answers,
    /// Which passwords it gets.
    pub passwords: Passwords,
}

/// What came of a call of a step.
#[derive(Debug, Clone)]
pub struct Called {
    /// How it ended.
    pub ended: Ended,
    /// How long it ran.
    pub took: Duration,
    /// What it logged: when, in milliseconds since 1970, and the line. It may hold what is private: see `leak`.
    pub log: Vec<(i64, String)>,
    /// Where its log holds what only secrets may hold.
    pub leak: Option<Leak>,
    /// The calls that it made.
    pub calls: Vec<Call>,
    /// The password that it asked for.
    pub asked: Option<Asked>,
}

impl Called {
    /// Whether the function returned.
    pub fn passed(&self) -> bool {
        self.ended == Ended::Passed
    }
}

/// That a log holds what only a secret may hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leak {
    /// Where the line is logged, as far as the code tells.
    pub place: Option<Place>,
    /// In what way the value is written there, where it isn't as it is.
    pub written: Option<&'static str>,
}

/// A secret at a moment: its versions with their labels, and marks that are the same where values are. Of values, nothing else can be
/// known from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen(BTreeMap<String, (Vec<String>, Option<u64>)>);

impl Seen {
    /// The version with a label.
    pub fn version_with(&self, label: &str) -> Option<&str> {
        self.0.iter().find(|(_, (labels, _))| labels.iter().any(|one| one == label)).map(|(id, _)| id.as_str())
    }

    /// The version that clients read.
    pub fn current(&self) -> Option<&str> {
        self.version_with(CURRENT)
    }

    /// The version that clients read, with the mark of its value.
    pub fn readers_see(&self) -> Option<(&str, Option<u64>)> {
        let id = self.current()?;
        Some((id, self.0.get(id)?.1))
    }

    /// The version that a rotation is making.
    pub fn pending(&self) -> Option<&str> {
        self.version_with(PENDING)
    }

    /// The mark of a version's value, where it has one.
    pub fn mark(&self, version: &str) -> Option<u64> {
        self.0.get(version)?.1
    }

    /// The versions that weren't there before.
    pub fn newer_than<'a>(&'a self, before: &'a Self) -> impl Iterator<Item = &'a str> {
        self.0.keys().filter(|id| !before.0.contains_key(*id)).map(String::as_str)
    }
}

/// The value that a rotation has made, beside the current one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// Whether it is another one.
    pub differs: bool,
    /// What its form lacks of the current one's.
    pub form: Option<FormFault>,
}

/// How a value's form differs from the one that its readers know. Names of members alone, never values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FormFault {
    /// The current one is an object in JSON, and this one isn't.
    NoObject,
    /// The current one is plain text, and this one is an object in JSON.
    NoText,
    /// One of both is binary.
    Binary,
    /// Members are missing.
    Lost(Vec<String>),
    /// A member is of another kind.
    Kind {
        /// Its name.
        member: String,
        /// The current one's.
        was: &'static str,
        /// This one's.
        is: &'static str,
    },
}

impl Bench {
    /// Puts a function in its place, to be tested with a secret of this name. An error says why it can't be.
    pub fn new(shared: &Arc<Shared>, scope: Scope, function: &Placed<'_>, secret: &str) -> Result<Self, String> {
        let (arn, known_application) = place(shared, &scope.account, &scope.region, function)?;
        let probe = shared.probes().watch(&scope.account, function.name);
        Ok(Self {
            shared: Arc::clone(shared),
            scope,
            function: arn,
            secret: secret.to_owned(),
            probe,
            hasher: RandomState::new(),
            known_application,
        })
    }

    /// Makes another secret, with a made-up value for now. Its ARN.
    pub fn make_other(shared: &Shared, scope: &Scope, name: &str) -> String {
        let Scope { account, region } = scope;
        // An ARN names one that is to have it.
        let parsed = Arn::parse(name).and_then(|arn| arn.resource.strip_prefix("secret:"));
        let stem = parsed.and_then(|resource| resource.split_at_checked(resource.len().checked_sub(7)?));
        let own = stem.map_or(name, |(stem, _)| stem);
        seed(shared, account, region, own, None);
        shared.write(account, region, |region| {
            let Some(secret) = region.secrets.edit(own) else { return String::new() };
            if stem.is_some() {
                name.clone_into(&mut secret.arn);
            }
            secret.arn.clone()
        })
    }

    /// Whether the function's role is the one that its application makes, and not a guess.
    pub fn knows_role(&self) -> bool {
        self.known_application
    }

    /// Begins anew: the secret has this value alone, and is rotated by the function. `None`: a made-up one.
    pub fn give(&self, value: Option<&str>) {
        let rotation = Rotation { enabled: true, function: Some(self.function.clone()), ..Rotation::default() };
        self.make(&self.secret, value, Some(rotation));
    }

    /// Gives another secret a value, or a made-up one. Its ARN.
    pub fn give_other(&self, name: &str, value: Option<&str>) -> String {
        self.make(name, value, None)
    }

    fn make(&self, name: &str, value: Option<&str>, rotation: Option<Rotation>) -> String {
        let Scope { account, region } = &self.scope;
        let arn = Self::make_other(&self.shared, &self.scope, name);
        let now = self.shared.now();
        self.shared.write(account, region, |region| {
            let Some(secret) = region.secrets.edit(&arn) else { return String::new() };
            let made_up = secret.version_with(CURRENT).and_then(|id| secret.versions.get(id)?.value.clone());
            let text = value.map(|text| Value::Text(text.to_owned())).or(made_up);
            let version = Version { made_up: value.is_none(), ..Version::new(text, &[CURRENT], now) };
            secret.versions = BTreeMap::from([(uuid::Uuid::new_v4().to_string(), version)]);
            secret.rotation = rotation;
            secret.accessed = None;
            secret.arn.clone()
        })
    }

    /// Begins a rotation: a version without a value that is pending. Its id, which is the rotation's token.
    pub fn begin(&self) -> String {
        let token = uuid::Uuid::new_v4().to_string();
        let now = self.shared.now();
        self.edit(|secret| {
            if let Some(rotation) = &mut secret.rotation {
                // It is tried by tests, and by nothing else.
                let run = Run { active: true, tries: runner::LAST_TRY, ..Run::new(token.clone(), false, now) };
                rotation.run = Some(run);
            }
        });
        runner::begin(&self.shared, &self.job(&token));
        token
    }

    /// Ends a rotation, however far it has come: nothing is under way any more. Where it is current, it isn't pending any more.
    pub fn end(&self, token: &str) {
        self.edit(|secret| {
            if let Some(rotation) = &mut secret.rotation {
                rotation.run = None;
            }
            if secret.version_with(CURRENT) == Some(token) {
                secret.drop_stage(PENDING);
            }
        });
    }

    /// Switches rotation off, or on again.
    pub fn switch(&self, on: bool) {
        self.edit(|secret| {
            if let Some(rotation) = &mut secret.rotation {
                rotation.enabled = on;
            }
        });
    }

    /// Calls a step for a version, for as long as `most` at most.
    pub async fn call(&self, step: &str, token: &str, order: Order, most: Duration) -> Called {
        let Scope { account, region } = &self.scope;
        let instead = self.instead(token, order.answers);
        self.edit(|secret| {
            if let Some(run) = secret.rotation.as_mut().and_then(|rotation| rotation.run.as_mut()) {
                run.instead = instead;
            }
        });
        let before = self.private();
        self.probe.begin(order.end_at, order.passwords);
        let event = json!({
            "Step": step, "SecretId": self.arn(), "ClientRequestToken": token, "RotationToken": self.proof(),
        });
        let payload = event.to_string().into_bytes();
        let (ended, log, took) =
            lambda::invoke_watched(&self.shared, (account, region), &self.function, payload, &self.probe, most).await;
        let (calls, asked) = self.probe.take();
        let mut private = self.private();
        private.extend(before);
        let leak = self.leak(step, &log, &private);
        self.edit(|secret| {
            if let Some(run) = secret.rotation.as_mut().and_then(|rotation| rotation.run.as_mut()) {
                run.instead = None;
            }
        });
        Called { ended, took, log, leak, calls, asked }
    }

    /// The secret at this moment.
    pub fn see(&self) -> Seen {
        self.read(|secret| {
            let of = |version: &Version| {
                let mut labels = version.stages.clone();
                labels.sort();
                (labels, version.value.as_ref().map(|value| self.mark(value)))
            };
            Seen(secret.versions.iter().map(|(id, version)| (id.clone(), of(version))).collect())
        })
        .unwrap_or(Seen(BTreeMap::new()))
    }

    /// What a version has for a value, beside that of another one; `None` where it has none.
    pub fn compare(&self, version: &str, with: &str) -> Option<Made> {
        self.read(|secret| {
            let made = secret.versions.get(version)?.value.as_ref()?;
            let old = secret.versions.get(with)?;
            let before = old.value.as_ref()?;
            // The form of a value that was made up says nothing of what readers know.
            let form = if old.made_up { None } else { form(before, made) };
            // JSON that is written in another way is no other value.
            let same = made == before || before.object().is_some_and(|before| made.object() == Some(before));
            Some(Made { differs: !same, form })
        })?
    }

    /// Whether a value of the pending version can be made wrong.
    pub fn can_be_wrong(&self, token: &str) -> bool {
        self.instead(token, Answers::Wrong).is_some()
    }

    /// Whether the secret begins with a value that was made up.
    pub fn is_made_up(&self) -> bool {
        self.read(|secret| secret.versions.values().any(|version| version.made_up)).unwrap_or(true)
    }

    /// Where the code of a step stands.
    pub fn place_of(&self, step: &str) -> Option<Place> {
        let Scope { account, region } = &self.scope;
        self.shared.read(account, region, |region| lambda::source(region, &self.function))?.step(step)
    }

    /// The function's runtime, and the version that runs it here, where that is another one.
    pub fn runs_otherwise(&self) -> Option<(String, String)> {
        lambda::runs_otherwise(&self.shared, &self.scope.account, &self.scope.region, &self.function)
    }

    /// The name of a secret that a call named, by its name or ARN.
    pub fn name_of(&self, id: &str) -> String {
        let Scope { account, region } = &self.scope;
        let found = self.shared.read(account, region, |region| region.secrets.find(id).map(|one| one.name.clone()));
        found.unwrap_or_else(|| id.to_owned())
    }

    /// The secret's own name.
    pub fn secret(&self) -> &str {
        &self.secret
    }

    fn arn(&self) -> String {
        self.read(|secret| secret.arn.clone()).unwrap_or_default()
    }

    fn proof(&self) -> Option<String> {
        self.read(|secret| secret.rotation.as_ref()?.run.as_ref()?.proof.clone())?
    }

    fn job(&self, token: &str) -> Job {
        let Scope { account, region } = &self.scope;
        Job { account: account.clone(), region: region.clone(), name: self.secret.clone(), token: token.to_owned() }
    }

    fn instead(&self, token: &str, answers: Answers) -> Option<Value> {
        self.read(|secret| {
            let current = secret.versions.get(secret.version_with(CURRENT)?)?.value.clone()?;
            match answers {
                Answers::Own => None,
                Answers::Current => Some(current),
                Answers::Wrong => wrong(&current, secret.versions.get(token)?.value.as_ref()?),
            }
        })?
    }

    /// What no log may hold, of this secret and of all others here.
    fn private(&self) -> Private {
        let Scope { account, region } = &self.scope;
        self.shared.read(account, region, |region| {
            let mut private = Private::default();
            for secret in region.secrets.iter() {
                let current = secret.version_with(CURRENT).and_then(|id| secret.versions.get(id)?.value.as_ref());
                let others = secret.versions.values().filter_map(|version| version.value.as_ref());
                for value in others {
                    match current {
                        Some(current) if secret.name == self.secret => {
                            private.extend(Private::of_rotation(current, Some(value)));
                        }
                        _ => private.add(value),
                    }
                }
            }
            private
        })
    }

    fn leak(&self, step: &str, log: &[(i64, String)], private: &Private) -> Option<Leak> {
        let found = log.iter().find_map(|(_, line)| private.found_in(line))?;
        let Scope { account, region } = &self.scope;
        let source = self.shared.read(account, region, |region| lambda::source(region, &self.function));
        let place = source.and_then(|source| source.prints(&found.words).or_else(|| source.step(step)));
        Some(Leak { place, written: found.written })
    }

    fn mark(&self, value: &Value) -> u64 {
        match value {
            Value::Text(text) => self.hasher.hash_one((0, text)),
            Value::Binary(text) => self.hasher.hash_one((1, text)),
        }
    }

    fn read<T>(&self, look: impl FnOnce(&Secret) -> T) -> Option<T> {
        let Scope { account, region } = &self.scope;
        self.shared.read(account, region, |region| region.secrets.find(&self.secret).map(|secret| look(secret)))
    }

    fn edit(&self, change: impl FnOnce(&mut Secret)) {
        let Scope { account, region } = &self.scope;
        self.shared.write(account, region, |region| region.secrets.edit(&self.secret).map(change));
    }
}

/// What a value's form lacks of an earlier one's. New members are no fault: readers don't ask for them.
fn form(before: &Value, made: &Value) -> Option<FormFault> {
    match (before, made) {
        (Value::Binary(_), Value::Binary(_)) => None,
        (Value::Binary(_), _) | (_, Value::Binary(_)) => Some(FormFault::Binary),
        _ => match (before.object(), made.object()) {
            (Some(before), Some(made)) => members(&Json::Object(before), &Json::Object(made), ""),
            (Some(_), None) => Some(FormFault::NoObject),
            (None, Some(_)) => Some(FormFault::NoText),
            (None, None) => None,
        },
    }
}

fn members(before: &Json, made: &Json, path: &str) -> Option<FormFault> {
    let (Json::Object(before), Json::Object(made)) = (before, made) else { return None };
    let full = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    let lost: Vec<String> = before.keys().filter(|name| !made.contains_key(*name)).map(|name| full(name)).collect();
    if !lost.is_empty() {
        return Some(FormFault::Lost(lost));
    }
    before.iter().find_map(|(name, old)| {
        let new = made.get(name)?;
        let (was, is) = (kind(old), kind(new));
        if was != is && !old.is_null() {
            return Some(FormFault::Kind { member: full(name), was, is });
        }
        members(old, new, &full(name))
    })
}

fn kind(value: &Json) -> &'static str {
    match value {
        Json::Null => "null",
        Json::Bool(_) => "true or false",
        Json::Number(_) => "a number",
        Json::String(_) => "text",
        Json::Array(_) => "a list",
        Json::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(value: &str) -> Value {
        Value::Text(value.to_owned())
    }

    /// Without it, a value that its readers can't read would pass, or one that has grown be refused.
    #[test]
    fn the_form_is_what_readers_know() {
        let of = |before: &str, made: &str| form(&text(before), &text(made));
        let object = r#"{"user": "app", "port": 5432, "tls": {"on": true}, "spare": null}"#;
        assert_eq!(of(object, r#"{"port": 1, "user": "b", "tls": {"on": false}, "spare": 1, "more": 2}"#), None);
        assert_eq!(of(object, "plain"), Some(FormFault::NoObject));
        assert_eq!(of("plain", object), Some(FormFault::NoText));
        assert_eq!(of("plain", "other"), None);
        let lost = FormFault::Lost(vec!["tls.on".to_owned()]);
        assert_eq!(of(object, r#"{"user": "b", "port": 1, "tls": {}, "spare": null}"#), Some(lost));
        let kind = FormFault::Kind { member: "port".to_owned(), was: "a number", is: "text" };
        assert_eq!(of(object, r#"{"user": "b", "port": "1", "tls": {"on": true}, "spare": null}"#), Some(kind));
        assert_eq!(form(&text("plain"), &Value::Binary("AA==".to_owned())), Some(FormFault::Binary));
    }
}
