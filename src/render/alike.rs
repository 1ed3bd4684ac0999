//! Problems that say the same of many resources: said once, with how many there are.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::model::Address;
use crate::model::live::Unread;
use crate::plan::{Problem, ProblemKind, Severity};

use super::command::There;
use super::plan::noun;
use super::words::{self, Words};
use super::{count, problem, rules, safe, some_of};

/// How many addresses stand beside a problem, unless all are asked for.
pub const ABOUT: usize = 5;

/// Problems that are said once.
pub struct Group {
    words: Words,
    /// The addresses, each with the place that breaks a rule.
    about: Vec<String>,
    /// What they are, where all are of one kind.
    noun: Option<&'static str>,
    /// Whether each says exactly the same: others name themselves in their words.
    is_same: bool,
}

/// Problems, those together that say the same but for the resource that they are about. `whole`: only those that say exactly the same.
pub fn groups<'a>(problems: impl Iterator<Item = (&'a Problem, There<'a>)>, whole: bool) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    for (found, there) in problems {
        let words = problem::words(found, &there);
        let key = if whole { format!("{words:?}") } else { without_names(found, &there) };
        let (about, kind) = (rules::about(found), noun(&found.address));
        let place = *places.entry(key).or_insert(groups.len());
        match groups.get_mut(place) {
            None => groups.push(Group { words, about: vec![about], noun: Some(kind), is_same: true }),
            Some(group) => {
                group.about.push(about);
                group.noun = group.noun.filter(|noun| *noun == kind);
                group.is_same &= group.words == words;
            }
        }
    }
    groups
}

impl Group {
    /// The message. At most so many addresses stand in it: of more, how many there are comes first.
    pub fn render(&self, severity: Severity, most: usize) -> String {
        let names = some_of(self.about.iter().map(String::as_str), most);
        let about = if self.about.len() > most {
            format!("{} ({names})", count(self.about.len(), self.noun.unwrap_or("resource")))
        } else {
            names
        };
        let mut text = words::render(severity, &self.words, &about);
        if let Some(first) = self.about.first().filter(|_| !self.is_same) {
            let (others, say) = match self.about.len() - 1 {
                1 => ("the other one".to_owned(), "says"),
                number => (format!("the other {number}"), "say"),
            };
            let _ = writeln!(
                text,
                "  this is of {}; {others} {say} the same by their own names, which `-v` shows",
                safe(first)
            );
        }
        text
    }
}

/// What a problem says without what it calls the resource that it is about.
fn without_names(found: &Problem, there: &There<'_>) -> String {
    let Problem { address, name, severity, kind } = found;
    let nameless = Address::new(None, address.kind, "…");
    let alike = Problem { address: nameless, name: "…".to_owned(), severity: *severity, kind: kind.clone() };
    let mut text = format!("{:?}", problem::words(&alike, there));
    let is_aws = matches!(kind, ProblemKind::Unread { .. } | ProblemKind::OwnerUnknown { .. });
    if let ProblemKind::Unread { unread, .. } | ProblemKind::OwnerUnknown { unread, .. } = kind
        && let Unread::Failed { request_id: Some(id), .. } = unread
    {
        text = text.replace(id.as_str(), "…");
    }
    // What AWS says names the resource its own way. Elsewhere, a name that is a word may be one of ours.
    let is_word = |name: &String| name.chars().all(|c| c.is_ascii_lowercase());
    let mut names = vec![&address.handle, name];
    names.retain(|name| is_aws || !is_word(name));
    // The longer one first: it may hold the other.
    names.sort_by_key(|name| std::cmp::Reverse(name.len()));
    for name in names.iter().filter(|name| !name.is_empty()) {
        text = without(&text, &safe(name));
    }
    text
}

/// A text without a name, where that stands by itself; with the characters that AWS puts behind a secret's name in ARNs.
fn without(text: &str, name: &str) -> String {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(name) {
        let (before, behind) = (&rest[..at], &rest[at + name.len()..]);
        out.push_str(before);
        let starts = before.chars().next_back().or_else(|| out.chars().next_back()).is_none_or(|c| !is_part(c));
        let suffix = suffix(behind);
        let ends = suffix > 0 || behind.chars().next().is_none_or(|c| !is_part(c));
        out.push_str(if starts && ends { "…" } else { name });
        rest = if starts && ends { &behind[suffix..] } else { behind };
    }
    out.push_str(rest);
    out
}

/// How long the random end of a secret's ARN is that a text begins with: a hyphen and six characters.
fn suffix(text: &str) -> usize {
    let mut characters = text.chars();
    let is_suffix = characters.next() == Some('-')
        && characters.by_ref().take(6).filter(char::is_ascii_alphanumeric).count() == 6
        && characters.next().is_none_or(|c| !c.is_alphanumeric() && c != '-');
    if is_suffix { 7 } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Kind;

    fn problem(handle: &str, kind: ProblemKind) -> Problem {
        let address = Address::new(None, Kind::Secret, handle);
        Problem { address, name: handle.to_owned(), severity: Severity::Error, kind }
    }

    fn said(problems: &[Problem], whole: bool, most: usize) -> String {
        let all = problems.iter().map(|found| (found, There::new("eu-west-1", None)));
        let text: String = groups(all, whole).iter().map(|group| group.render(Severity::Error, most)).collect();
        anstream::adapter::strip_str(&text).to_string()
    }

    /// Without it, a right that is missing for a fleet would be said page by page; or what differs be taken for the same.
    #[test]
    fn what_says_the_same_of_many_is_said_once_with_how_many() {
        let denied = |handle: &str| {
            let (name, resource) = (handle.to_owned(), format!("arn:aws:secretsmanager:r:1:secret:{handle}-AbCdE1"));
            let message = format!("User: u is not authorized to perform: x on resource: {resource} because of {name}");
            let unread =
                Unread::Denied { action: "x".to_owned(), resource: name, code: Some("Denied".to_owned()), message };
            problem(handle, ProblemKind::Unread { what: "secret".into(), unread })
        };
        let many: Vec<Problem> = (1..=7).map(|number| denied(&format!("app/{number}"))).collect();
        let text = said(&many, false, ABOUT);
        assert_eq!(text.matches("error:").count(), 1, "{text}");
        assert!(text.starts_with("error: 7 secrets (secret.app/1, secret.app/2, "), "{text}");
        assert!(text.contains(" and 2 more): the secret can't be read"), "{text}");
        assert!(text.contains("this is of secret.app/1; the other 6 say the same"), "{text}");
        let whole = said(&many, true, usize::MAX);
        assert_eq!(whole.matches("error: secret.app/").count(), 7, "{whole}");
        // Another reason is another message.
        let stuck = |handle: &str, version: &str| {
            problem(handle, ProblemKind::UnfinishedRotation { version: version.to_owned() })
        };
        let text = said(&[stuck("a", "v1"), stuck("b", "v2"), stuck("c", "v1")], false, ABOUT);
        assert_eq!(text.matches("error:").count(), 2, "{text}");
        assert!(text.contains("error: secret.a, secret.c: ") && text.contains("the other one says the same"), "{text}");
        let same = [problem("a", ProblemKind::NoValue), problem("b", ProblemKind::NoValue)];
        let text = said(&same, false, ABOUT);
        assert!(text.starts_with("error: secret.a, secret.b: the secret has no value") && !text.contains("this is of"));
        assert_eq!(said(&same, true, usize::MAX), text);
    }

    /// Without it, a secret called `a` would make all texts alike that have an `a` somewhere.
    #[test]
    fn only_whole_names_are_left_out() {
        assert_eq!(without("a banana of a: a_b, -a-, a-b", "a"), "… banana of …: a_b, -…-, …-b");
        assert_eq!(without("secret:app/x-AbCdE1 app/x", "app/x"), "secret:… …");
        assert_eq!(without("app/x-AbCdE12", "app/x"), "…-AbCdE12");
        assert_eq!(without("ää ä", "ä"), "ää …");
    }
}
