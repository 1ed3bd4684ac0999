//! What was read of all places → entries, in groups by function.

use std::collections::{BTreeMap, BTreeSet};

use super::functions::{self, Use};
use super::rules::{commonest, over, over_unknown};
use super::sayable::{self, Way};
use super::varying::{Named, Varying, without_variables};
use super::{
    Draft, Field, FunctionEntry, FunctionWord, Group, LeftOut, Outcome, Place, Remark, Root, SecretEntry, Source,
    Wanted, handles,
};
use crate::config::facts;
use crate::model::RotationRules;
use crate::model::account::TaggedSecret;

/// How many secrets with one rotation are worth a default.
const SEVERAL: usize = 2;

/// The fields of a function's defaults that an adopted one may inherit: they change nothing of it.
const HARMLESS: [&str; 2] = ["labels", "verify"];

/// What a group is known by before it has a handle.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    /// A function that the root has.
    Known(String),
    /// A new one.
    New(Source),
    /// AWS rotates these itself.
    Aws,
}

/// A secret that is written.
#[derive(Debug, Default)]
struct Found {
    /// Its names, by the places that have it so.
    names: BTreeMap<usize, String>,
    remarks: BTreeSet<Remark>,
}

/// Secrets by name, as it is written, and rotation in words.
type Entries = BTreeMap<(String, String), (RotationRules, Found)>;

/// A new function, place by place: what it is there, and what is to be known of it.
type New = BTreeMap<usize, (Source, Vec<Remark>)>;

/// A secret of a place that a manifest can have.
#[derive(Debug)]
struct Rotating {
    place: usize,
    name: String,
    key: Key,
    rules: RotationRules,
    remarks: BTreeSet<Remark>,
}

/// What is gathered over the places.
#[derive(Debug, Default)]
struct Gathered {
    secrets: Vec<Rotating>,
    /// New functions, as each is in one place.
    functions: BTreeMap<(usize, Source), Vec<Remark>>,
}

/// The same, where one entry may stand for several places.
#[derive(Debug, Default)]
struct Joined {
    /// By function.
    secrets: BTreeMap<Key, Entries>,
    functions: BTreeMap<Source, New>,
}

/// Drafts the entries for all that isn't named yet.
pub fn draft(places: &[Place<'_>], wanted: &Wanted<'_>) -> Draft {
    let mut gathered = Gathered::default();
    let mut draft = Draft::default();
    for (number, place) in places.iter().enumerate() {
        let outcome = gathered.add(number, place, wanted);
        draft.places.push(outcome);
    }
    let Joined { secrets: groups, functions: new } = gathered.join(&Varying::of(places));
    if wanted.root == Root::Fresh {
        let of_functions = groups.iter().filter(|(key, _)| **key != Key::Aws);
        let all = of_functions.flat_map(|(_, secrets)| secrets.values().map(|(rules, _)| rules));
        draft.defaults = commonest(all).filter(|(_, count)| *count >= SEVERAL).map(|(rules, _)| rules);
    }
    let writer = Writer { places, wanted, default: draft.defaults.as_ref() };
    let [mut functions, mut secrets] = wanted.taken.clone();
    for (key, found) in groups {
        let (handle, function) = match &key {
            Key::Known(handle) => (Some(handle.clone()), None),
            Key::Aws => (None, None),
            Key::New(source) => {
                let entry = writer.function(source, new.get(source).cloned().unwrap_or_default(), &mut functions);
                (Some(entry.handle.clone()), Some(entry))
            }
        };
        draft.groups.push(writer.group(handle, function, found, &mut secrets));
    }
    draft.groups.sort_by(|a, b| (a.handle.is_none(), &a.handle).cmp(&(b.handle.is_none(), &b.handle)));
    for group in &draft.groups {
        let Some(handle) = &group.handle else { continue };
        for (place, outcome) in places.iter().zip(&mut draft.places) {
            let is_here = |entry: &SecretEntry| {
                entry.targets.is_empty() || place.target.is_some_and(|name| entry.targets.iter().any(|one| one == name))
            };
            if group.secrets.iter().any(is_here) {
                outcome.functions.insert(handle.clone());
            }
        }
    }
    draft
}

/// The secrets of a place that pass the filters and don't rotate: name, ARN, and why. By name.
pub fn unrotated(place: &Place<'_>, wanted: &Wanted<'_>) -> Vec<(String, String, LeftOut)> {
    let mut outcome = Gathered::default().add(0, place, wanted);
    outcome.left_out.retain(|(.., why)| why.is_unrotated());
    outcome.left_out
}

impl Gathered {
    /// Adds what one place has.
    fn add(&mut self, number: usize, place: &Place<'_>, wanted: &Wanted<'_>) -> Outcome {
        let mut outcome = Outcome { stacks_unread: place.account.stacks.as_ref().err().cloned(), ..Outcome::default() };
        let mut secrets: Vec<&TaggedSecret> =
            place.account.secrets.iter().filter(|secret| (wanted.passes)(secret)).collect();
        secrets.sort_by(|a, b| a.record.name.cmp(&b.record.name));
        outcome.secrets = secrets.len();
        let mut rotating = Vec::new();
        for secret in secrets {
            let record = &secret.record;
            if place.managed.has(record) {
                outcome.managed += 1;
                continue;
            }
            let way = if place.managed.releases(&record.name) { Err(LeftOut::Released) } else { sayable::way(record) };
            match way {
                Ok((way, rules)) => rotating.push((secret, way, rules)),
                Err(why) => outcome.left_out.push((record.name.clone(), record.arn.clone(), why)),
            }
        }
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for (secret, way, _) in &rotating {
            if let (Way::Function, Some(arn)) = (way, secret.record.function_arn.as_deref()) {
                *counts.entry(arn).or_default() += 1;
            }
        }
        let uses = functions::uses(place, wanted, &counts);
        for (secret, way, rules) in rotating {
            match self.take(number, secret, way, rules, &uses, wanted) {
                Ok(adopted) => {
                    outcome.written.push(secret.record.name.clone());
                    outcome.adopted.extend(adopted);
                }
                Err(why) => outcome.left_out.push((secret.record.name.clone(), secret.record.arn.clone(), why)),
            }
        }
        outcome.left_out.sort();
        outcome
    }

    /// Takes a secret. The answer is the stack of its function, where that is adopted.
    fn take(
        &mut self,
        place: usize,
        secret: &TaggedSecret,
        way: Way,
        rules: RotationRules,
        uses: &BTreeMap<String, Use>,
        wanted: &Wanted<'_>,
    ) -> Result<Option<String>, LeftOut> {
        let record = &secret.record;
        let key = match (way, record.function_arn.as_deref()) {
            (Way::Aws, _) => Key::Aws,
            (Way::Function, None) => {
                return Err(LeftOut::NoFunction);
            }
            (Way::Function, Some(arn)) => match uses.get(arn) {
                Some(Use::Known(handle)) => Key::Known(handle.clone()),
                Some(Use::New(source, remarks)) => {
                    self.functions.entry((place, source.clone())).or_insert_with(|| remarks.clone());
                    Key::New(source.clone())
                }
                Some(Use::Refused(why)) => return Err(why.clone()),
                None => return Err(LeftOut::FunctionGone { function: arn.to_owned() }),
            },
        };
        let adopted = match &key {
            Key::New(Source::Adopted { stack, .. }) => Some(stack.clone()),
            _ => None,
        };
        let mut remarks: BTreeSet<Remark> = functions::tagged_by(secret, wanted).into_iter().collect();
        remarks.extend(record.unfinished_rotation().map(|_| Remark::Unfinished));
        self.secrets.push(Rotating { place, name: record.name.clone(), key, rules, remarks });
        Ok(adopted)
    }

    /// Makes one entry of what differs from place to place in its variables alone: first of functions, then of what rotates with one.
    fn join(self, varying: &Varying<'_>) -> Joined {
        let mut joined = Joined::default();
        let names: Vec<(Named, bool)> =
            self.functions.keys().map(|(place, source)| ((*place, source.words()), source.is_adopted())).collect();
        let shared = varying.shared(&names);
        let source_in = |place: usize, source: &Source| match shared.get(&(place, source.words())) {
            Some(words) => source.with_words(words),
            None => source.clone(),
        };
        for ((place, source), remarks) in self.functions {
            let new = joined.functions.entry(source_in(place, &source)).or_default();
            new.insert(place, (source, remarks));
        }
        let mut secrets = self.secrets;
        for secret in &mut secrets {
            if let Key::New(source) = &secret.key {
                secret.key = Key::New(source_in(secret.place, source));
            }
        }
        let pair = |one: &Rotating| ((one.place, one.name.clone()), (one.key.clone(), one.rules.to_string()));
        let shared = varying.shared(&secrets.iter().map(pair).collect::<Vec<_>>());
        for Rotating { place, name, key, rules, remarks } in secrets {
            let written = shared.get(&(place, name.clone())).unwrap_or(&name).clone();
            let entries = joined.secrets.entry(key).or_default();
            let new = || (rules.clone(), Found::default());
            let (_, found) = entries.entry((written, rules.to_string())).or_insert_with(new);
            found.names.insert(place, name);
            found.remarks.extend(remarks);
        }
        joined
    }
}

/// What entries are written by.
struct Writer<'a> {
    places: &'a [Place<'a>],
    wanted: &'a Wanted<'a>,
    /// The default of a root that is written too.
    default: Option<&'a RotationRules>,
}

impl Writer<'_> {
    /// The names of the targets that an entry says it is in: none where it is in all of them, and nothing else is inherited.
    fn targets(&self, places: &BTreeSet<usize>, may_inherit: bool) -> Vec<String> {
        let names: Vec<String> =
            places.iter().filter_map(|number| self.places[*number].target.map(str::to_owned)).collect();
        if names.len() >= self.wanted.targets && !may_inherit { Vec::new() } else { names }
    }

    fn function(&self, source: &Source, new: New, taken: &mut BTreeSet<String>) -> FunctionEntry {
        let places: BTreeSet<usize> = new.keys().copied().collect();
        let inherited = match (&self.wanted.root, source) {
            (Root::Standing { functions, .. }, Source::Adopted { .. }) => functions.clone(),
            _ => BTreeSet::new(),
        };
        let reference = match source {
            Source::Existing(reference) => handles::plain(reference),
            Source::Adopted { name, .. } => handles::plain(name),
        };
        let mut choices = handles::of_function(&reference);
        if matches!(source, Source::Adopted { .. }) {
            // What is deployed is best called what it is.
            choices.insert(0, reference);
        }
        let plain = choices.first().cloned().unwrap_or_default();
        choices.extend(self.suffixed(&places, &plain));
        let handle = handles::take(choices, taken);
        let targets = self.targets(&places, inherited.contains("targets"));
        let stated = ["name", "stack", "targets"];
        let is_null = |field: &&String| !stated.contains(&field.as_str()) && !HARMLESS.contains(&field.as_str());
        let nulls = inherited.iter().filter(is_null).cloned().collect();
        let remarks = self.remarks(&new);
        let live = new.into_iter().map(|(place, (source, _))| (place, source)).collect();
        let states_name = inherited.contains("name") || inherited.contains("stack");
        FunctionEntry { handle, source: source.clone(), targets, states_name, nulls, remarks, live }
    }

    /// What is to be known of a function: what holds in all of its places once, else with the target.
    fn remarks(&self, new: &New) -> Vec<(Option<String>, Remark)> {
        let all: BTreeSet<&Remark> = new.values().flat_map(|(_, remarks)| remarks).collect();
        let mut said = Vec::new();
        for remark in all {
            let holds: Vec<usize> =
                new.iter().filter(|(_, (_, some))| some.contains(remark)).map(|(number, _)| *number).collect();
            if holds.len() == new.len() {
                said.push((None, remark.clone()));
            } else {
                let names = holds.iter().filter_map(|number| self.places[*number].target);
                said.extend(names.map(|name| (Some(name.to_owned()), remark.clone())));
            }
        }
        said
    }

    /// A name with the targets behind it.
    fn suffixed(&self, places: &BTreeSet<usize>, name: &str) -> Option<String> {
        let names: Vec<&str> = places.iter().filter_map(|number| self.places[*number].target).collect();
        (!names.is_empty() && !name.is_empty()).then(|| format!("{name}-{}", names.join("-")))
    }

    fn group(
        &self,
        handle: Option<String>,
        function: Option<FunctionEntry>,
        found: Entries,
        taken: &mut BTreeSet<String>,
    ) -> Group {
        let own = commonest(found.values().map(|(rules, _)| rules)).filter(|(_, count)| *count >= SEVERAL);
        let of_default = found.values().filter(|(rules, _)| Some(rules) == self.default).count();
        // AWS's own have nothing in common but that.
        let own = own.filter(|(rules, count)| handle.is_some() && Some(rules) != self.default && *count > of_default);
        let own = own.map(|(rules, _)| rules);
        let inherited = match &self.wanted.root {
            Root::Fresh => {
                let duration = self.default.and_then(|default| default.duration_hours);
                duration.map(|_| "rotation.duration".to_owned()).into_iter().collect()
            }
            Root::Standing { secrets, .. } => secrets.clone(),
        };
        // A part says the whole, also what the root says too: it is read by itself.
        let defaults = own.as_ref().map(|own| over_unknown(&inherited, own));
        let mut entries = Vec::with_capacity(found.len());
        for ((name, _), (rules, found)) in found {
            let rotation = match (&own, &self.wanted.root, &handle) {
                (Some(own), ..) => over(Some(own), &rules),
                (None, Root::Fresh, Some(_)) => over(self.default, &rules),
                // Where an entry says nothing else, or what it inherits isn't known, it says all of it.
                (None, ..) => over_unknown(&inherited, &rules),
            };
            entries.push(self.secret(&name, rules, found, handle.as_ref(), rotation, taken));
        }
        entries.sort_by(|a, b| a.handle.cmp(&b.handle));
        Group { handle, function, defaults: defaults.unwrap_or_default(), secrets: entries, select: Vec::new() }
    }

    fn secret(
        &self,
        name: &str,
        rules: RotationRules,
        found: Found,
        function: Option<&String>,
        rotation: Vec<Field>,
        taken: &mut BTreeSet<String>,
    ) -> SecretEntry {
        let inherits = |field: &str| match &self.wanted.root {
            Root::Fresh => false,
            Root::Standing { secrets, .. } => secrets.contains(field),
        };
        let places: BTreeSet<usize> = found.names.keys().copied().collect();
        let plain = |c: char| if facts::handle(c.encode_utf8(&mut [0; 4]), true).is_ok() { c } else { '-' };
        let clean: String = without_variables(name).chars().map(plain).collect();
        let choices = [Some(clean.clone()), self.suffixed(&places, &clean)];
        let handle = handles::take(choices.into_iter().flatten(), taken);
        SecretEntry {
            name: (handle != name || inherits("name")).then(|| name.to_owned()),
            function: match function {
                Some(handle) => FunctionWord::Handle(handle.clone()),
                None if inherits("function") => FunctionWord::Null,
                None => FunctionWord::Absent,
            },
            targets: self.targets(&places, inherits("targets")),
            rotation,
            remarks: found.remarks.into_iter().collect(),
            means: (found.names, rules),
            handle,
        }
    }
}
