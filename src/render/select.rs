//! The words of rules of `select`.

use std::collections::BTreeSet;

use crate::model::LeftOut;
use crate::model::live::Unread;

use super::command::Route;
use super::words::{Words, unread_words};
use super::{count, safe, some_of};

/// How many names stand in a sentence.
const NAMES: usize = 5;

/// Rules, and what they do: `the rule a means it`. `verbs`: of one, and of several.
pub fn by_rules(rules: &BTreeSet<String>, verbs: (&str, &str)) -> String {
    let names: Vec<String> = rules.iter().map(|rule| format!("`{}`", safe(rule))).collect();
    match names.split_last() {
        Some((last, first)) if !first.is_empty() => format!("the rules {} and {last} {}", first.join(", "), verbs.1),
        _ => format!("the rule {} {}", names.concat(), verbs.0),
    }
}

/// That the list couldn't be read whole.
pub fn unread(unread: &Unread) -> Words {
    Words::new(format!("which secrets it means isn't known: {}", unread_words(unread)))
        .because(
            "a rule needs a whole list; until there is one, nothing is attached by it, and nothing counts as left over",
        )
        .hint("the reading role needs `secretsmanager:ListSecrets` on `*`: `rotator permissions` prints the policy")
}

/// That rules don't want the same.
pub fn conflict(rules: &BTreeSet<String>) -> Words {
    let words = match rules.len() {
        1 => Words::new(format!("{}, and a rule of another target of this account and region wants something else", by_rules(rules, ("means it", ""))))
            .hint("let only one of the two mean it: by `except`, by narrower `names`, or by `targets`"),
        _ => Words::new(format!("{}, and want something else of it", by_rules(rules, ("", "mean it"))))
            .hint("let only one of them mean it, by `except` or narrower `names`; or give them the same function, rotation and labels"),
    };
    words
        .because("a secret has one function and one schedule")
        .hint("or list it under `secrets`: an entry wins over every rule")
}

/// That a rule matches nothing.
pub fn matches_nothing(route: Route<'_>) -> String {
    let nothing = "matches no secret that no entry names";
    match route.sandbox {
        Some(_) => format!(
            "{nothing}: a rehearsal makes up the secrets of entries, and none for rules; `rotator sandbox secret put NAME FILE` makes one"
        ),
        None => {
            format!("{nothing}; names are compared whole, `*` stands for any characters, and tags are compared exactly")
        }
    }
}

/// That a secret may have left a rule.
pub fn left_rule(function: &str) -> String {
    format!(
        "rotates with {}, and neither a rule nor a handle means it (any more): it stays as it is; `--prune` on the command line switches its rotation off",
        safe(function)
    )
}

/// That secrets rotate with the function of a rule, and that nothing means them.
pub fn beside_rule(function: &str, secrets: &BTreeSet<String>) -> String {
    let (number, named) = (count(secrets.len(), "secret"), some_of(secrets.iter().map(String::as_str), NAMES));
    let (verb, they) = if secrets.len() == 1 { ("rotates", "it") } else { ("rotate", "they") };
    format!(
        "{number} {verb} with its function `{}`, and neither a rule nor a handle means {}: {named}; {they} may have left the rule, or be others', and stay as {they} {}",
        safe(function),
        if secrets.len() == 1 { "it" } else { "them" },
        if secrets.len() == 1 { "is" } else { "are" },
    )
}

/// That a rule leaves a secret alone.
pub fn left_out(rules: &BTreeSet<String>, why: &LeftOut) -> String {
    let reason = match why {
        LeftOut::RotatesOtherwise { function: Some(function) } => {
            format!("it rotates with {}; an entry of `secrets` would move it", safe(function))
        }
        LeftOut::RotatesOtherwise { function: None } => "it rotates otherwise, without a function".to_owned(),
        LeftOut::OwnedByService { service } => format!("it belongs to the service {}", safe(service)),
        LeftOut::HeldByPartner { partner } => format!("a partner holds it ({})", safe(partner)),
        LeftOut::Replica { primary } => format!("it is a replica, and rotates in {}", safe(primary)),
        LeftOut::ScheduledForDeletion => "it is scheduled for deletion, or gone".to_owned(),
        LeftOut::UnfinishedRotation => "a rotation of it hasn't finished".to_owned(),
        LeftOut::NoValue => "it has no value yet".to_owned(),
        LeftOut::HandleTaken => "an entry that is another secret has its name as the handle".to_owned(),
    };
    format!("{}: {reason}", by_rules(rules, ("leaves it alone", "leave it alone")))
}
