//! A secret, its versions and their staging labels.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::schedule::Rules;
use crate::clock::Time;
use crate::lambda::Ran;
use crate::runtime::source::Place;
use crate::wire::arn::{self, Arn};

/// The label of the version that clients read.
pub const CURRENT: &str = "AWSCURRENT";
/// The label of the version that a rotation is making.
pub const PENDING: &str = "AWSPENDING";
/// The label of the version before.
pub const PREVIOUS: &str = "AWSPREVIOUS";

/// Versions without labels that are kept, where they are older than a day.
const KEPT_VERSIONS: usize = 100;

/// An account's secrets in a region.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(from = "Saved")]
pub struct State {
    /// By name. Shared with what is being saved; a change copies the one secret that it touches.
    secrets: BTreeMap<String, Arc<Secret>>,
    /// When each was made, with its name: the order of lists, of which nobody wants to read all for each page.
    #[serde(skip)]
    by_age: BTreeSet<(Time, Arc<str>)>,
}

/// What is saved of [`State`].
#[derive(Deserialize)]
struct Saved {
    #[serde(default)]
    secrets: BTreeMap<String, Arc<Secret>>,
}

impl From<Saved> for State {
    fn from(Saved { secrets }: Saved) -> Self {
        let by_age = secrets.values().map(|secret| (secret.created, secret.name.as_str().into())).collect();
        Self { secrets, by_age }
    }
}

impl State {
    /// The secret of a name, an ARN or a partial ARN (one without the hyphen and six characters at its end).
    pub fn find(&self, id: &str) -> Option<&Arc<Secret>> {
        if !id.starts_with("arn:") {
            return self.secrets.get(id);
        }
        let resource = Arn::parse(id)?.resource.strip_prefix("secret:")?;
        let stem = resource.len().checked_sub(7).and_then(|at| resource.split_at_checked(at));
        // A whole ARN first: a partial one of a name that ends like this is the ambiguous one.
        if let Some((name, _)) = stem.filter(|(_, end)| end.starts_with('-'))
            && let Some(secret) = self.secrets.get(name).filter(|secret| secret.arn == id)
        {
            return Some(secret);
        }
        self.secrets.get(resource).filter(|secret| secret.arn.starts_with(id))
    }

    /// The same, to change it.
    pub fn edit(&mut self, id: &str) -> Option<&mut Secret> {
        let name = self.find(id)?.name.clone();
        self.secrets.get_mut(&name).map(Arc::make_mut)
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Secret>> {
        self.secrets.values()
    }

    /// All of them, oldest first; those behind one of this age and name.
    pub fn from_oldest(&self, after: Option<(Time, Arc<str>)>) -> impl Iterator<Item = &Arc<Secret>> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        self.by_age.range((from, Bound::Unbounded)).filter_map(|(_, name)| self.secrets.get(&**name))
    }

    /// All of them, newest first; those before one of this age and name.
    pub fn from_newest(&self, before: Option<(Time, Arc<str>)>) -> impl Iterator<Item = &Arc<Secret>> {
        let to = before.map_or(Bound::Unbounded, Bound::Excluded);
        self.by_age.range((Bound::Unbounded, to)).rev().filter_map(|(_, name)| self.secrets.get(&**name))
    }

    /// Adds one, in place of another of its name.
    pub fn insert(&mut self, secret: Secret) {
        self.remove(&secret.name);
        self.by_age.insert((secret.created, secret.name.as_str().into()));
        self.secrets.insert(secret.name.clone(), Arc::new(secret));
    }

    /// Takes one away at once.
    pub fn remove(&mut self, name: &str) {
        if let Some(secret) = self.secrets.remove(name) {
            self.by_age.remove(&(secret.created, name.into()));
        }
    }
}

/// A secret.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Secret {
    /// Its name.
    pub name: String,
    /// With six made-up characters at its end.
    pub arn: String,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The key that encrypts it; `None`: AWS's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kms_key: Option<String>,
    /// The partner that holds a managed external secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partner: Option<String>,
    /// The service that made it and alone may configure it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owning_service: Option<String>,
    /// Keys and values, in the order that they were added.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<(String, String)>,
    /// Whether it ever had tags: one that had some and has none is shown with an empty list.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub tagged: bool,
    /// The resource policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// When it was made.
    pub created: Time,
    /// When anything of it changed last.
    pub changed: Time,
    /// The day on which its value was read last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accessed: Option<Time>,
    /// When it goes, where it is scheduled for deletion.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted: Option<Time>,
    /// By id.
    #[serde(default)]
    pub versions: BTreeMap<String, Version>,
    /// `None`: never configured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotation: Option<Rotation>,
    /// Where it is, or is replicated from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub primary_region: Option<String>,
    /// The regions that it is replicated to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub replicas: Vec<Replica>,
}

/// A region that a secret is replicated to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replica {
    /// The region.
    pub region: String,
    /// The key that encrypts the secret there; `None`: AWS's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kms_key: Option<String>,
    /// Why there is no replica, where the region couldn't have one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
}

/// A version of a secret.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Version {
    /// Its staging labels; none: deprecated.
    pub stages: Vec<String>,
    /// `None`: made by a rotation that has not set one yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
    /// When it was made.
    pub created: Time,
    /// The day on which it was read last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accessed: Option<Time>,
    /// Whether a rotation made it, whose token is its id.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub rotated: bool,
    /// Whether its value is one that the sandbox made up, so that its form says nothing of what clients read.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub made_up: bool,
    /// What stood in for the function that made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stand_in: Option<StandIn>,
    /// The steps of the rotation that made it, as far as this process ran them, and what each took.
    #[serde(skip)]
    pub steps: Vec<(&'static str, Ran)>,
}

/// A version's value. It has no `Debug` that shows it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Value {
    /// `SecretString`.
    #[serde(rename = "string")]
    Text(String),
    /// `SecretBinary`, in base64 as it came.
    #[serde(rename = "binary")]
    Binary(String),
}

impl std::fmt::Debug for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Value(…)")
    }
}

/// How a secret rotates.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Rotation {
    /// Whether schedules fire.
    pub enabled: bool,
    /// The rotation function, as it was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub function: Option<String>,
    /// The role and metadata of a managed external secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external: Option<External>,
    /// When it rotates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rules: Option<Rules>,
    /// When a rotation succeeded last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<Time>,
    /// When the next window opens; `None` while a scheduled rotation is under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<Time>,
    /// The end of the window that `DescribeSecret` shows. It stays in the past where rotations failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latest: Option<Time>,
    /// The rotation that is under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<Run>,
    /// The edition of the function with which it failed last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<u64>,
}

/// What a managed external secret rotates with.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct External {
    /// The role that lets Secrets Manager rotate it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// What the partner wants to know.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub metadata: Vec<(String, String)>,
}

/// A rotation, or a test of one, that is under way.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Run {
    /// The version that it makes.
    pub token: String,
    /// Runs `testSecret` alone.
    #[serde(default)]
    pub test: bool,
    /// How often it was tried.
    #[serde(default)]
    pub tries: u32,
    /// When it is tried next.
    pub at: Time,
    /// Whether this process is trying it now.
    #[serde(skip)]
    pub active: bool,
    /// What the function proves with that it acts for this try: the event's `RotationToken`.
    #[serde(skip)]
    pub proof: Option<String>,
    /// The edition of the function that this process tries it with.
    #[serde(skip)]
    pub edition: Option<u64>,
    /// What the version is answered with, in place of its value.
    #[serde(skip)]
    pub instead: Option<Value>,
}

impl Run {
    /// One that is due at a time.
    pub fn new(token: String, test: bool, at: Time) -> Self {
        Self { token, test, tries: 0, at, active: false, proof: None, edition: None, instead: None }
    }
}

/// What a rehearsal found of a function.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rehearsal {
    /// The edition of the function.
    pub edition: u64,
    /// The secret that was rotated for it, by name.
    pub secret: String,
    /// What is wrong with it; none: nothing.
    #[serde(default)]
    pub findings: Vec<Finding>,
}

/// Something that is wrong with a function.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The step, such as `createSecret`.
    pub step: String,
    /// What is wrong.
    pub flaw: Flaw,
    /// Where in its code, where the log doesn't say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// What the invocation logged that failed: when, in milliseconds since 1970, and the line.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub log: Vec<(i64, String)>,
}

/// What is wrong with a function.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Flaw {
    /// The first rotation ended well, and the second one doesn't.
    FailsOnceMore,
    /// A step that was done fails when it is called again.
    FailsAgain,
    /// A step that was done changes the new value when it is called again.
    ChangesAgain,
    /// The version that clients read was changed before the last step.
    TouchesCurrent,
    /// The new version has no value.
    NoValue,
    /// The new value is the old one.
    SameValue,
    /// The new value lacks members of the old one.
    LosesMembers {
        /// Their names.
        names: Vec<String>,
    },
    /// testSecret passes with a value that no service takes.
    TestsNothing,
    /// The last step didn't make the new version the current one.
    NotMoved,
    /// The log holds what only the secret may hold.
    LogsValue,
}

/// What stood in, on this machine, for what AWS would have run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StandIn {
    /// Nothing of the function ran.
    Simulated {
        /// Why.
        reason: String,
    },
    /// Another version of its language.
    Version {
        /// The function's runtime, such as `python3.12`.
        runtime: String,
        /// What ran, such as `3.11.2`.
        version: String,
    },
}

impl Secret {
    /// A secret without a value.
    pub fn new(account: &str, region: &str, name: &str, now: Time) -> Self {
        let suffix: String = (0..6).map(|_| fastrand::alphanumeric()).collect();
        let partition = arn::partition(region);
        Self {
            name: name.to_owned(),
            arn: format!("arn:{partition}:secretsmanager:{region}:{account}:secret:{name}-{suffix}"),
            description: None,
            kms_key: None,
            partner: None,
            owning_service: None,
            tags: Vec::new(),
            tagged: false,
            policy: None,
            created: now,
            changed: now,
            accessed: None,
            deleted: None,
            versions: BTreeMap::new(),
            rotation: None,
            primary_region: None,
            replicas: Vec::new(),
        }
    }

    /// Whether it is no replica of another region's secret.
    pub fn is_primary(&self) -> bool {
        self.primary_region.is_none() || !self.replicas.is_empty()
    }

    /// Whether the service that made it rotates it, without a function.
    pub fn is_managed(&self) -> bool {
        self.owning_service.is_some() || self.partner.is_some()
    }

    /// The id of the version with a label.
    pub fn version_with(&self, stage: &str) -> Option<&str> {
        self.versions.iter().find(|(_, version)| version.has(stage)).map(|(id, _)| id.as_str())
    }

    /// The version that a rotation has not finished: it is `AWSPENDING`, and not `AWSCURRENT` as well.
    pub fn unfinished(&self) -> Option<&str> {
        self.version_with(PENDING).filter(|id| self.versions.get(*id).is_some_and(|version| !version.has(CURRENT)))
    }

    /// Puts a label on a version, and takes it from any other. With `AWSCURRENT` goes `AWSPREVIOUS`, to where it came from.
    pub fn move_stage(&mut self, stage: &str, to: &str) {
        let from = self.version_with(stage).map(str::to_owned);
        if from.as_deref() == Some(to) || !self.versions.contains_key(to) {
            return;
        }
        for version in self.versions.values_mut() {
            version.stages.retain(|label| label != stage);
        }
        if let Some(version) = self.versions.get_mut(to) {
            version.stages.push(stage.to_owned());
        }
        if stage == CURRENT
            && let Some(from) = from
        {
            // What was made by a rotation that somebody finished by hand isn't pending any more.
            if let Some(version) = self.versions.get_mut(&from) {
                version.stages.retain(|label| label != PENDING);
            }
            self.move_stage(PREVIOUS, &from);
        }
    }

    /// Takes a label away.
    pub fn drop_stage(&mut self, stage: &str) {
        for version in self.versions.values_mut() {
            version.stages.retain(|label| label != stage);
        }
    }

    /// Forgets versions that nothing refers to: empty ones, and old ones beyond the hundred that are kept.
    pub fn tidy(&mut self, now: Time) {
        self.versions.retain(|_, version| !version.stages.is_empty() || version.value.is_some());
        let day_ago = |version: &Version| now.since(version.created) > Duration::from_hours(24);
        while self.versions.len() > KEPT_VERSIONS {
            let oldest = self
                .versions
                .iter()
                .filter(|(_, version)| version.stages.is_empty() && day_ago(version))
                .min_by_key(|(_, version)| version.created)
                .map(|(id, _)| id.clone());
            let Some(oldest) = oldest else { return };
            self.versions.remove(&oldest);
        }
    }

    /// Computes the next window anew, from a moment that counts as the last rotation.
    pub fn plan_next(&mut self, from: Time, now: Time) {
        if let Some(rotation) = &mut self.rotation {
            let window = rotation.rules.as_ref().filter(|_| rotation.enabled).and_then(|rules| rules.next(from, now));
            (rotation.next, rotation.latest) = window.unzip();
        }
    }
}

impl Version {
    /// A version.
    pub fn new(value: Option<Value>, stages: &[&str], now: Time) -> Self {
        Self {
            stages: stages.iter().map(|&stage| stage.to_owned()).collect(),
            value,
            created: now,
            accessed: None,
            rotated: false,
            made_up: false,
            stand_in: None,
            steps: Vec::new(),
        }
    }

    /// Whether nothing of a function's code made it.
    pub fn is_simulated(&self) -> bool {
        matches!(self.stand_in, Some(StandIn::Simulated { .. }))
    }

    /// Whether it has a label.
    pub fn has(&self, stage: &str) -> bool {
        self.stages.iter().any(|label| label == stage)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time(1_800_000_000_000);

    /// Without it, a partial ARN could lead to another secret, or a whole one to a secret made anew under its name.
    #[test]
    fn secrets_are_found_by_name_arn_and_partial_arn() {
        let mut state = State::default();
        for name in ["payments/api", "payments/api-abcdef"] {
            state.insert(Secret::new("111111111111", "eu-west-1", name, NOW));
        }
        let arn = state.find("payments/api").map(|secret| secret.arn.clone()).expect("by name");
        let name = |id: &str| state.find(id).map(|secret| secret.name.as_str());
        assert_eq!(name(&arn), Some("payments/api"));
        assert_eq!(name(&arn[..arn.len() - 7]), Some("payments/api"));
        assert_eq!(
            name("arn:aws:secretsmanager:eu-west-1:111111111111:secret:payments/api-abcdef"),
            Some("payments/api-abcdef")
        );
        assert_eq!(name("arn:aws:secretsmanager:eu-west-1:111111111111:secret:payments/api-zzzzzz"), None);
        assert_eq!(name("arn:aws:secretsmanager:eu-west-1:222222222222:secret:payments/api"), None);
        assert_eq!(name("arn:aws:secretsmanager:eu-west-1:111111111111:secret:é"), None);
    }

    /// Without it, clients would lose the previous version, which they fall back to.
    #[test]
    fn the_previous_label_follows_the_current_one() {
        let mut secret = Secret::new("111111111111", "eu-west-1", "a", NOW);
        for id in ["1", "2", "3"] {
            secret.versions.insert(id.to_owned(), Version::new(None, &[], NOW));
            secret.move_stage(CURRENT, id);
        }
        assert_eq!(secret.version_with(CURRENT), Some("3"));
        assert_eq!(secret.version_with(PREVIOUS), Some("2"));
        assert!(secret.versions["1"].stages.is_empty());
        secret.move_stage(CURRENT, "2");
        assert_eq!((secret.version_with(CURRENT), secret.version_with(PREVIOUS)), (Some("2"), Some("3")));
    }
}
