//! Short and unique handles, and names of files.

use std::collections::BTreeSet;

use super::varying::{has_variables, without_variables};
use crate::config::facts;
use crate::model::arn::{Arn, function_name};

/// The longest name of a file, in characters, without what comes behind it.
const LONGEST: usize = 60;

/// How long AWS makes the end of a name that it makes up itself, at least.
const MADE_UP: usize = 12;

/// What a function may be called: the shortest first. `reference`: its name or its ARN, with its version or alias.
pub(super) fn of_function(reference: &str) -> Vec<String> {
    let name = function_name(reference);
    let rest = reference.rsplit_once("function:").map_or(reference, |(_, rest)| rest);
    let qualifier = rest.split_once(':').map(|(_, qualifier)| format!("-{}", qualifier.trim_start_matches('$')));
    let qualifier = qualifier.unwrap_or_default();
    let account = reference.parse::<Arn>().map(|arn| format!("-{}", arn.account)).unwrap_or_default();
    let short = without_made_up(name);
    let mut choices = vec![format!("{short}{qualifier}"), format!("{name}{qualifier}")];
    choices.push(format!("{name}{qualifier}{account}"));
    choices.retain(|choice| facts::handle(choice, false).is_ok());
    choices.dedup();
    choices
}

/// A function's name or ARN without variables: of an ARN that has some, what stands behind its account.
pub(super) fn plain(reference: &str) -> String {
    if !has_variables(reference) {
        return reference.to_owned();
    }
    without_variables(reference.rsplit_once("function:").map_or(reference, |(_, name)| name))
}

/// A name without the end that AWS makes up: `stack-Function-1A2B3C4D5E6F`.
fn without_made_up(name: &str) -> &str {
    match name.rsplit_once('-') {
        Some((plain, end))
            if !plain.is_empty()
                && end.len() >= MADE_UP
                && end.bytes().any(|b| b.is_ascii_digit())
                && end.bytes().any(|b| b.is_ascii_alphabetic()) =>
        {
            plain
        }
        _ => name,
    }
}

/// Takes the first of some choices that isn't taken; else the last one with a number.
pub(super) fn take(choices: impl IntoIterator<Item = String>, taken: &mut BTreeSet<String>) -> String {
    let mut last = String::new();
    for choice in choices {
        if !choice.is_empty() && taken.insert(choice.clone()) {
            return choice;
        }
        last = choice;
    }
    if last.is_empty() {
        "imported".clone_into(&mut last);
    }
    for number in 2_usize.. {
        let choice = format!("{last}-{number}");
        if taken.insert(choice.clone()) {
            return choice;
        }
    }
    last
}

/// A file's name that a handle gives, without its extension: letters, digits, `-` and `_`. Two handles may give one.
pub fn file_name(handle: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '-' || c == '_' { c } else { '-' };
    let name: String = handle.chars().map(plain).take(LONGEST).collect();
    let name = name.trim_matches('-');
    if name.is_empty() { "imported".to_owned() } else { name.to_owned() }
}
