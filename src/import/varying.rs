//! What is called alike in several targets but for the target's own variables: one entry with a variable, where that is sure.
//!
//! No variable is made up: those that the root has are looked for, and AWS's own words for a place. A name gets one only where names
//! differ from target to target, and one text with variables means each of them.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::Place;

/// How many variables of one name are looked at together.
const TOGETHER: usize = 4;

/// The variables that every manifest knows, those that say most first: a target is often called by its region.
const BUILT_IN: [&str; 4] = ["region", "account", "partition", "target"];

/// What stands between the words of a name.
const SEPARATORS: [char; 5] = ['/', '-', '_', '.', ':'];

/// The variables whose values differ between the places.
#[derive(Debug)]
pub(super) struct Varying<'a> {
    /// The names, those that say most first.
    names: Vec<&'a str>,
    /// Their values, place by place.
    values: Vec<BTreeMap<&'a str, &'a str>>,
}

/// What something is called in one place.
pub(super) type Named = (usize, String);

/// A text with variables, and what it may stand for.
struct Candidate<C> {
    text: String,
    /// Which variables, by their rank.
    variables: Vec<usize>,
    class: C,
    members: BTreeSet<Named>,
}

impl<'a> Varying<'a> {
    pub fn of(places: &[Place<'a>]) -> Self {
        let mut values: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (name, value) in places.iter().flat_map(|place| place.variables) {
            values.entry(name).or_default().push(value);
        }
        let differ = |all: &[&str]| all.len() == places.len() && all.iter().any(|value| *value != all[0]);
        let is_word = |all: &[&str]| all.iter().all(|value| value.chars().any(char::is_alphanumeric));
        let useful = values.iter().filter(|(_, all)| differ(all) && is_word(all));
        let mut names: Vec<&str> = useful.map(|(name, _)| *name).collect();
        // What people named themselves they named for this.
        names.sort_by_key(|name| (BUILT_IN.iter().position(|one| one == name).map_or(0, |at| at + 1), *name));
        let of = |place: &Place<'a>| place.variables.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        Self { names, values: places.iter().map(|place| of(place).collect()).collect() }
    }

    /// The names of several places that one text with variables means, and that text. `class`: what must be the same of all that are one.
    pub fn shared<C: Ord + Clone>(&self, names: &[(Named, C)]) -> BTreeMap<Named, String> {
        let mut chosen: BTreeMap<Named, String> = BTreeMap::new();
        if self.names.is_empty() {
            return chosen;
        }
        let mut counts: BTreeMap<(&str, &C), usize> = BTreeMap::new();
        for ((_, name), class) in names {
            *counts.entry((name, class)).or_default() += 1;
        }
        let mut candidates: BTreeMap<(String, &C), Candidate<C>> = BTreeMap::new();
        for (named, class) in names {
            // What is called the same everywhere needs no variable.
            if counts[&(named.1.as_str(), class)] == self.values.len() {
                continue;
            }
            for (text, variables) in self.texts(named) {
                let new =
                    || Candidate { text: text.clone(), variables, class: class.clone(), members: BTreeSet::new() };
                candidates.entry((text.clone(), class)).or_insert_with(new).members.insert(named.clone());
            }
        }
        let mut candidates: Vec<Candidate<C>> = candidates.into_values().collect();
        candidates.sort_by(|a, b| {
            let key = |one: &Candidate<C>| (Reverse(one.members.len()), one.variables.len());
            let rest = |one: &Candidate<C>| (one.variables.clone(), one.text.clone());
            key(a).cmp(&key(b)).then_with(|| rest(a).cmp(&rest(b))).then_with(|| a.class.cmp(&b.class))
        });
        for candidate in candidates {
            let free = candidate.members.iter().filter(|named| !chosen.contains_key(*named));
            let free: Vec<&Named> = free.collect();
            if free.iter().any(|(_, name)| *name != free[0].1) {
                chosen.extend(free.into_iter().map(|named| (named.clone(), candidate.text.clone())));
            }
        }
        chosen
    }

    /// A name with some of the variables that occur in it, as whole words; each text with its variables.
    fn texts(&self, (place, name): &Named) -> Vec<(String, Vec<usize>)> {
        let values = &self.values[*place];
        let found = self.names.iter().enumerate().map(|(rank, variable)| (rank, words(name, values[variable])));
        let found: Vec<(usize, Vec<(usize, usize)>)> = found.filter(|(_, at)| !at.is_empty()).take(TOGETHER).collect();
        let mut texts: Vec<(String, Vec<usize>)> = Vec::new();
        for choice in 1_usize..1 << found.len() {
            let (mut places, mut variables) = (Vec::<(usize, usize, usize)>::new(), Vec::new());
            for (_, (rank, at)) in found.iter().enumerate().filter(|(number, _)| choice & (1 << number) != 0) {
                let is_free =
                    |(from, to): &&(usize, usize)| places.iter().all(|(start, end, _)| to <= start || end <= from);
                let free: Vec<(usize, usize, usize)> =
                    at.iter().filter(is_free).map(|(from, to)| (*from, *to, *rank)).collect();
                if !free.is_empty() {
                    variables.push(*rank);
                    places.extend(free);
                }
            }
            places.sort_unstable();
            let (mut text, mut end) = (String::new(), 0);
            for (from, to, rank) in places {
                text.push_str(&name[end..from]);
                text.push_str("${");
                text.push_str(self.names[rank]);
                text.push('}');
                end = to;
            }
            text.push_str(&name[end..]);
            if !texts.iter().any(|(other, _)| *other == text) {
                texts.push((text, variables));
            }
        }
        texts
    }
}

/// Where a word stands in a text, from and to, each time with no letter or digit beside it.
fn words(text: &str, word: &str) -> Vec<(usize, usize)> {
    let is_word = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    let found = text.match_indices(word).map(|(at, _)| (at, at + word.len()));
    found
        .filter(|(from, to)| !is_word(text[..*from].chars().next_back()) && !is_word(text[*to..].chars().next()))
        .collect()
}

/// Whether a text that a manifest would write has a variable: no name of AWS has `${`.
pub(super) fn has_variables(text: &str) -> bool {
    text.contains("${")
}

/// A text without its variables, and without what separated them from the rest.
pub(super) fn without_variables(text: &str) -> String {
    let mut out = String::new();
    for piece in text.split("${").enumerate().map(|(number, piece)| match number {
        0 => piece,
        _ => piece.split_once('}').map_or("", |(_, rest)| rest),
    }) {
        let before = out.trim_end_matches(SEPARATORS).len();
        let between = out.split_off(before);
        let rest = piece.trim_start_matches(SEPARATORS);
        if !out.is_empty() && !rest.is_empty() {
            let separator = between.chars().next().or_else(|| piece.chars().next());
            out.extend(separator.filter(|c| SEPARATORS.contains(c)));
        }
        out.push_str(if out.is_empty() && rest.is_empty() { "" } else { rest });
    }
    out.trim_end_matches(SEPARATORS).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn varying(places: &[&[(&'static str, &'static str)]]) -> Varying<'static> {
        let mut names: Vec<&str> = places[0].iter().map(|(name, _)| *name).collect();
        names.sort_by_key(|name| (BUILT_IN.iter().position(|one| one == name).map_or(0, |at| at + 1), *name));
        Varying { names, values: places.iter().map(|place| place.iter().copied().collect()).collect() }
    }

    fn shared(varying: &Varying<'_>, names: &[&[&str]]) -> Vec<String> {
        let of = |(place, names): (usize, &&[&str])| -> Vec<(Named, ())> {
            names.iter().map(|name| ((place, (*name).to_owned()), ())).collect()
        };
        let names: Vec<(Named, ())> = names.iter().enumerate().flat_map(of).collect();
        let texts = varying.shared(&names);
        texts.into_iter().map(|((place, name), text)| format!("{place} {name} = {text}")).collect()
    }

    /// Without it, two accounts would need an entry each for what a person writes once; or a word in a name be taken for a variable that it
    /// only looks like.
    #[test]
    fn names_that_differ_by_a_variable_become_one() {
        let two = varying(&[&[("target", "prod")], &[("target", "staging")]]);
        assert_eq!(
            shared(
                &two,
                &[
                    &["prod/app/db", "both", "production/key", "prod/only"],
                    &["staging/app/db", "both", "staging/other"]
                ]
            ),
            ["0 prod/app/db = ${target}/app/db", "1 staging/app/db = ${target}/app/db"]
        );
        assert_eq!(
            shared(&two, &[&["app-prod.db_prod"], &["app-staging.db_staging"]]),
            [
                "0 app-prod.db_prod = app-${target}.db_${target}",
                "1 app-staging.db_staging = app-${target}.db_${target}"
            ]
        );
        // The same name in both, though it has a target's name in it.
        assert!(shared(&two, &[&["prod/key"], &["prod/key"]]).is_empty());
        // One place has both: each place's own is the one with the variable.
        assert_eq!(
            shared(&two, &[&["prod/key"], &["prod/key", "staging/key"]]).len(),
            0,
            "what is the same everywhere stays"
        );
        assert!(shared(&two, &[&["product", "xprod/a"], &["stagingx", "xstaging/a"]]).is_empty());
        // Words that people chose come before AWS's own.
        let regions = varying(&[
            &[("env", "p"), ("region", "eu-west-1"), ("target", "eu-west-1")],
            &[("env", "s"), ("region", "us-east-1"), ("target", "us-east-1")],
        ]);
        assert_eq!(
            shared(&regions, &[&["p/eu-west-1/a", "eu-west-1-b"], &["s/us-east-1/a", "us-east-1-b"]]),
            [
                "0 eu-west-1-b = ${region}-b",
                "0 p/eu-west-1/a = ${env}/${region}/a",
                "1 s/us-east-1/a = ${env}/${region}/a",
                "1 us-east-1-b = ${region}-b",
            ]
        );
        // What holds for most is chosen: one target's variable has another word than its names.
        let odd = varying(&[
            &[("env", "prod"), ("target", "prod")],
            &[("env", "stg"), ("target", "staging")],
            &[("env", "dev"), ("target", "dev")],
        ]);
        let all = shared(&odd, &[&["prod/a"], &["staging/a"], &["dev/a"]]);
        assert!(all.len() == 3 && all.iter().all(|one| one.ends_with("= ${target}/a")), "{all:?}");
    }

    /// Without it, handles would hold what no handle may hold, or the name of one target.
    #[test]
    fn handles_come_without_variables() {
        for (text, plain) in [
            ("${env}/app/db", "app/db"),
            ("app-${env}", "app"),
            ("app-${env}-db", "app-db"),
            ("app/${env}${region}/db", "app/db"),
            ("${env}", ""),
            ("a-${env}-", "a"),
            ("plain/name", "plain/name"),
        ] {
            assert_eq!(without_variables(text), plain, "{text}");
        }
    }
}
