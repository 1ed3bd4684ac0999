//! Rules of `select` in place of entries, where all secrets of a folder rotate with one function and by the same rules.
//!
//! Nothing else may be in such a folder that the rule would attach or speak of: the plan of what is written stays empty, and quiet.

use std::collections::{BTreeMap, BTreeSet};

use super::rules::over_unknown;
use super::{Draft, Field, Group, Place, Root, SecretEntry, Wanted};
use crate::config::facts;
use crate::model::RotationRules;
use crate::model::account::TaggedSecret;

/// How many secrets are worth a rule.
const WORTH: usize = 3;

/// A rule's entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleEntry {
    /// Its handle.
    pub handle: String,
    /// How the names of its secrets begin, with `/` at the end.
    pub prefix: String,
    /// The handle of its function.
    pub function: String,
    /// The targets that it is for; empty: all.
    pub targets: Vec<String>,
    /// What it says of its rotation.
    pub rotation: Vec<Field>,
    /// What that must mean.
    pub means: RotationRules,
    /// The names of the secrets that it holds in each place, by the place's number.
    pub secrets: BTreeMap<usize, BTreeSet<String>>,
}

impl RuleEntry {
    /// How many secrets it holds.
    pub fn count(&self) -> usize {
        self.secrets.values().map(BTreeSet::len).sum()
    }

    /// Its pattern of names.
    pub fn pattern(&self) -> String {
        format!("{}*", self.prefix)
    }
}

/// Takes entries of a draft together as rules, the widest folders first.
pub fn propose(draft: &mut Draft, places: &[Place<'_>], wanted: &Wanted<'_>) {
    let duration = draft.defaults.as_ref().and_then(|defaults| defaults.duration_hours).is_some();
    let mut taken = BTreeSet::new();
    for group in &mut draft.groups {
        let Some(function) = group.handle.clone() else { continue };
        let mut inherited = match &wanted.root {
            Root::Fresh => BTreeSet::new(),
            Root::Standing { secrets, .. } => secrets.clone(),
        };
        if duration || group.defaults.iter().any(|field| matches!(field, Field::Duration(Some(_)))) {
            inherited.insert("rotation.duration".to_owned());
        }
        for prefix in folders(group) {
            let Some((targets, rules)) = common(group, &prefix) else { continue };
            let mut secrets: BTreeMap<usize, BTreeSet<String>> = BTreeMap::new();
            for entry in group.secrets.iter().filter(|entry| is_inside(entry, &prefix)) {
                for (number, name) in &entry.means.0 {
                    secrets.entry(*number).or_default().insert(name.clone());
                }
            }
            let is_alone = |(number, secrets): (&usize, &BTreeSet<String>)| {
                places.get(*number).is_some_and(|place| is_alone(place, &prefix, secrets))
            };
            if !secrets.iter().all(is_alone) {
                continue;
            }
            let plain = |c: char| if facts::handle(c.encode_utf8(&mut [0; 4]), false).is_ok() { c } else { '-' };
            let clean: String = prefix.trim_end_matches('/').chars().map(plain).collect();
            let handle = super::handles::take([clean], &mut taken);
            let rotation = over_unknown(&inherited, &rules);
            group.secrets.retain(|entry| !is_inside(entry, &prefix));
            let function = function.clone();
            group.select.push(RuleEntry { handle, prefix, function, targets, rotation, means: rules, secrets });
        }
    }
}

/// The folders of a group's secrets, the widest first.
fn folders(group: &Group) -> Vec<String> {
    let names = group.secrets.iter().flat_map(|entry| entry.means.0.values());
    let ends = names.flat_map(|name| name.match_indices('/').map(|(at, _)| name[..=at].to_owned()));
    let all: BTreeSet<String> = ends.collect();
    let mut all: Vec<String> = all.into_iter().collect();
    all.sort_by_key(|folder| (folder.matches('/').count(), folder.clone()));
    all
}

/// What all entries of a folder have in common, where there are several and nothing needs to be said of one of them alone.
fn common(group: &Group, prefix: &str) -> Option<(Vec<String>, RotationRules)> {
    let inside: Vec<&SecretEntry> = group.secrets.iter().filter(|entry| is_inside(entry, prefix)).collect();
    let first = inside.first().filter(|_| inside.len() >= WORTH)?;
    let alike = |entry: &&SecretEntry| {
        entry.targets == first.targets && entry.means.1 == first.means.1 && entry.remarks.is_empty()
    };
    inside.iter().all(alike).then(|| (first.targets.clone(), first.means.1.clone()))
}

/// Whether an entry is in a folder, whatever it is called in each place.
fn is_inside(entry: &SecretEntry, prefix: &str) -> bool {
    entry.means.0.values().all(|name| name.starts_with(prefix))
}

/// Whether a folder has nothing in a place but these secrets, what the root names already, and what no rule takes.
fn is_alone(place: &Place<'_>, prefix: &str, secrets: &BTreeSet<String>) -> bool {
    let is_out_of_reach = |secret: &TaggedSecret| {
        let record = &secret.record;
        record.deletion.is_some() || record.is_anothers() || record.partner_type.is_some()
    };
    let mut inside = place.account.secrets.iter().filter(|secret| secret.record.name.starts_with(prefix));
    inside.all(|secret| {
        secrets.contains(&secret.record.name) || place.managed.has(&secret.record) || is_out_of_reach(secret)
    })
}

/// How many secrets each rule of a draft holds, by its handle and its pattern.
pub fn held(draft: &Draft) -> BTreeMap<(String, String), usize> {
    let rules = draft.groups.iter().flat_map(|group| &group.select);
    rules.map(|rule| ((rule.handle.clone(), rule.pattern()), rule.count())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::import::{FunctionWord, Here, Managed};
    use crate::model::Schedule;
    use crate::model::account::Account;
    use crate::model::record::SecretRecord;

    fn days(days: u16) -> RotationRules {
        RotationRules::new(Schedule::AutomaticallyAfterDays(days), None)
    }

    fn entry(name: &str, every: u16) -> SecretEntry {
        SecretEntry {
            handle: name.to_owned(),
            name: None,
            function: FunctionWord::Handle("f".to_owned()),
            targets: Vec::new(),
            rotation: Vec::new(),
            remarks: Vec::new(),
            means: (BTreeMap::from([(0, name.to_owned())]), days(every)),
        }
    }

    /// The rules of entries, beside other secrets that are there: the folder, and how many secrets it holds.
    fn proposed(entries: &[(&str, u16)], beside: Vec<SecretRecord>) -> (Vec<(String, usize)>, usize) {
        let of_entries =
            entries.iter().map(|(name, _)| SecretRecord { name: (*name).to_owned(), ..SecretRecord::default() });
        let tagged = |record| TaggedSecret { record, tags: BTreeMap::new() };
        let account = Account {
            account: "111111111111".to_owned(),
            region: "eu-west-1".to_owned(),
            partition: "aws".to_owned(),
            secrets: of_entries.chain(beside).map(tagged).collect(),
            functions: BTreeMap::new(),
            stacks: Ok(Vec::new()),
        };
        let here = Here { partition: "aws", region: "eu-west-1", account: "111111111111" };
        let managed = Managed::of([], here);
        let variables = BTreeMap::new();
        let places = [Place { target: None, account: &account, managed: &managed, variables: &variables }];
        let secrets = entries.iter().map(|(name, every)| entry(name, *every)).collect();
        let group = Group { handle: Some("f".to_owned()), secrets, ..Group::default() };
        let mut draft = Draft { groups: vec![group], ..Draft::default() };
        let wanted = Wanted {
            project: "p",
            adopts: false,
            targets: 0,
            root: Root::Fresh,
            taken: Default::default(),
            passes: &|_| true,
            terraform: None,
        };
        propose(&mut draft, &places, &wanted);
        let group = &draft.groups[0];
        (group.select.iter().map(|rule| (rule.pattern(), rule.count())).collect(), group.secrets.len())
    }

    /// Without it, a rule could attach what doesn't rotate today, or leave half of a folder without an entry.
    #[test]
    fn a_folder_is_a_rule_where_nothing_else_is_in_it() {
        let all = [("v/a", 30), ("v/b", 30), ("v/c/d", 30), ("w/a", 30), ("x", 30)];
        assert_eq!(proposed(&all, Vec::new()), (vec![("v/*".to_owned(), 3)], 2));
        // One that doesn't rotate would be attached by the rule.
        let idle = SecretRecord { name: "v/idle".to_owned(), ..SecretRecord::default() };
        assert_eq!(proposed(&all, vec![idle]), (Vec::new(), 5));
        // What no rule takes is in the way of nothing.
        let owned = SecretRecord { name: "v/o".into(), owning_service: Some("rds".into()), ..SecretRecord::default() };
        assert_eq!(proposed(&all, vec![owned]).0.len(), 1);
        // Another schedule in the folder leaves the folders below it.
        let mixed = [("v/a", 7), ("v/k/1", 30), ("v/k/2", 30), ("v/k/3", 30)];
        assert_eq!(proposed(&mixed, Vec::new()), (vec![("v/k/*".to_owned(), 3)], 1));
        assert_eq!(proposed(&[("v/a", 30), ("v/b", 30)], Vec::new()), (Vec::new(), 2));
    }
}
