//! Plans as a comment on a pull request: where they go, what is dangerous on top, the same change said once for all
//! secrets and targets that it concerns, details folded, and never longer than a comment may be.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use crate::plan::{Change, Effect, NoteKind, Operation, Plan, Refusal, Severity, Shown};

use super::alike::{self, ABOUT};
use super::command::{Route, There};
use super::effect::effect_on;
use super::markdown::{cell, code_block, code_span, html_code};
use super::note::{foreign_words, note_words};
use super::plan::{Mode, Totals, action_words, counts, foreigners, operation, reason_words, value};
use super::{count, rules, safe, some_of};

/// The longest text, in characters: GitHub takes 65,536, of which a pipeline's own lines around it need some.
/// <https://docs.github.com/rest/issues/comments>
pub const LONGEST: usize = 65_536 - 1_024;

/// What is kept free for the last lines, in characters.
const RESERVE: usize = 600;

/// How many names stand in one line.
const NAMES: usize = 10;

/// How many rows a table of targets has.
const ROWS: usize = 100;

/// Effects that a reviewer must not miss.
const DANGEROUS: [Effect; 6] = [
    Effect::OverridesFreeze,
    Effect::Deletes,
    Effect::StopsRotation,
    Effect::RotatesNow,
    Effect::TakesOver,
    Effect::RotatesLessOften,
];

/// Plans, one for each target.
pub fn plan_markdown(plans: &[&Plan], mode: Mode) -> String {
    let mut out = String::new();
    title(&mut out, plans, mode);
    freezes(&mut out, plans);
    effects(&mut out, plans);
    foreign(&mut out, plans);
    problems(&mut out, plans);
    if plans.len() > 1 || plans.iter().any(|plan| !plan.is_empty()) {
        targets(&mut out, plans);
    }
    cut(&mut out);
    changes(&mut out, plans);
    notes(&mut out, plans);
    out
}

/// Shortens what must stand on top, should it alone be too long for a comment.
fn cut(out: &mut String) {
    let limit = LONGEST - 4 * RESERVE;
    if out.len() > limit {
        let end = (0..=limit).rev().find(|end| out.is_char_boundary(*end)).unwrap_or(0);
        let end = out[..end].rfind("\n\n").unwrap_or(end);
        out.truncate(end);
        // Whatever block the cut fell into ends here.
        out.push_str("\n\n*…cut: this would be longer than a comment may be.*\n\n");
    }
}

fn title(out: &mut String, plans: &[&Plan], mode: Mode) {
    let projects: BTreeSet<&str> = plans.iter().map(|plan| plan.project.as_str()).collect();
    let projects: Vec<String> = projects.into_iter().take(NAMES).map(code_span).collect();
    let word = if mode == Mode::Destroy { "destroy plan" } else { "plan" };
    let _ = writeln!(out, "### rotator {word} for {}\n", projects.join(", "));
    let errors = plans.iter().flat_map(|plan| &plan.problems).filter(|found| found.severity == Severity::Error).count();
    let also = if errors > 0 { format!(" **{} foreseen.**", count(errors, "error")) } else { String::new() };
    if plans.iter().all(|plan| plan.is_empty()) {
        // Under errors, what stands first would be read as "all is well".
        let none = if errors > 0 { "Nothing to do but for errors." } else { "No changes." };
        let _ = writeln!(out, "**{none}**{also}\n");
    } else {
        let _ = writeln!(out, "**{}.**{also}\n", Totals::all(plans.iter().copied()).words());
    }
    let refusals: BTreeSet<Refusal> = plans.iter().flat_map(|plan| plan.refusals()).collect();
    if let Some(who) = rules::refusal_words(&refusals) {
        let _ = writeln!(out, "> [!CAUTION]\n> **None of this will be applied**: {who}, as said below.\n");
    }
    if plans.iter().any(|plan| plan.partial) {
        let _ = writeln!(out, "*Partial: only what `--target` selects; orphans are not looked for.*\n");
    }
}

/// The freezes in force, and what they hold back, each once for all targets that it means the same in.
fn freezes(out: &mut String, plans: &[&Plan]) {
    let mut lines: BTreeMap<(bool, String), BTreeSet<&str>> = BTreeMap::new();
    for plan in plans {
        for line in rules::freezes(plan) {
            lines.entry(line).or_default().extend(plan.target.as_deref());
        }
    }
    for ((bad, text), places) in lines.into_iter().rev() {
        let kind = if bad { "CAUTION" } else { "NOTE" };
        let places = if places.is_empty() { String::new() } else { format!(", in {}", names_of(places.into_iter())) };
        let _ = writeln!(out, "> [!{kind}]\n> **Freeze**: {}{places}\n", code_span(&text));
    }
}

/// What people fear, with the names that it concerns.
fn effects(out: &mut String, plans: &[&Plan]) {
    let mut lines: BTreeMap<bool, Vec<String>> = BTreeMap::new();
    for effect in Effect::ALL {
        let mut names: BTreeSet<&str> = BTreeSet::new();
        let mut places: BTreeSet<String> = BTreeSet::new();
        let mut addresses = Vec::new();
        for plan in plans {
            for (address, name) in plan.affected(effect) {
                addresses.push(address);
                names.insert(name);
                places.extend(plan.target.clone());
            }
        }
        if addresses.is_empty() {
            continue;
        }
        let names = names_of(names.iter().copied());
        let places = if places.is_empty() {
            String::new()
        } else {
            format!(", in {}", names_of(places.iter().map(String::as_str)))
        };
        let words = effect_on(effect, addresses.into_iter());
        let line = format!("> **{words}** ({}): {names}{places}", effect.word());
        lines.entry(DANGEROUS.contains(&effect)).or_default().push(line);
    }
    for (dangerous, lines) in lines.into_iter().rev() {
        let kind = if dangerous { "CAUTION" } else { "NOTE" };
        let _ = writeln!(out, "> [!{kind}]\n{}\n", lines.join("\n>\n"));
    }
}

/// What functions use of accounts that no target names, each once for all targets.
fn foreign(out: &mut String, plans: &[&Plan]) {
    let mut lines: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for plan in plans {
        for (foreign, address) in foreigners(plan) {
            lines.entry(foreign_words(foreign)).or_default().extend(address.map(ToString::to_string));
        }
    }
    if lines.is_empty() {
        return;
    }
    let more = lines.len().saturating_sub(NAMES);
    let mut shown: Vec<String> = lines
        .iter()
        .take(NAMES)
        .map(|(words, about)| format!("> {}: {}", code_span(words), names_of(about.iter().map(String::as_str))))
        .collect();
    if more > 0 {
        shown.push(format!("> and {more} more"));
    }
    let _ = writeln!(out, "> [!CAUTION]\n> **Of others**\n>\n{}\n", shown.join("\n>\n"));
}

/// Some names of many, as code.
fn names_of<'a>(names: impl ExactSizeIterator<Item = &'a str>) -> String {
    let more = names.len().saturating_sub(NAMES);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let shown: Vec<String> = names.take(NAMES).map(code_span).collect();
    format!("{}{more}", shown.join(", "))
}

/// Errors and warnings, each kind once.
fn problems(out: &mut String, plans: &[&Plan]) {
    let mut text = String::new();
    for severity in [Severity::Error, Severity::Warning] {
        let all = plans.iter().flat_map(|plan| plan.problems.iter().map(|found| (found, There::of(plan))));
        for group in alike::groups(all.filter(|(found, _)| found.severity == severity), false) {
            text.push_str(&anstream::adapter::strip_str(&group.render(severity, ABOUT)).to_string());
        }
    }
    if !text.is_empty() {
        let _ = writeln!(out, "{}", code_block("text", &text));
    }
}

fn targets(out: &mut String, plans: &[&Plan]) {
    out.push_str("| target | account | region | functions | secrets | add | change | destroy |\n|---|---|---|--:|--:|--:|--:|--:|\n");
    for plan in plans.iter().take(ROWS) {
        let counts = counts(plan);
        let number = |operation| counts.get(&operation).copied().unwrap_or(0);
        let replaced = number(Operation::Replace);
        let target = plan.target.as_deref().map_or_else(|| "–".to_owned(), cell);
        let _ = writeln!(
            out,
            "| {target} | {} | {} | {} | {} | {} | {} | {} |",
            cell(&plan.account),
            cell(&plan.region),
            plan.functions,
            plan.secrets,
            number(Operation::Add) + replaced,
            number(Operation::Change),
            number(Operation::Destroy) + replaced,
        );
    }
    if plans.len() > ROWS {
        let _ = writeln!(out, "\n*{} more targets are not in this table.*", plans.len() - ROWS);
    }
    out.push('\n');
}

/// Changes that say the same, whatever they concern.
#[derive(Default)]
struct Group {
    addresses: BTreeSet<String>,
    targets: BTreeSet<String>,
    number: usize,
    blocked: bool,
}

fn changes(out: &mut String, plans: &[&Plan]) {
    let mut order: Vec<(String, String)> = Vec::new();
    let mut groups: BTreeMap<(String, String), Group> = BTreeMap::new();
    for plan in plans {
        for change in &plan.changes {
            let key = (headline(change), details(plan, change));
            if !groups.contains_key(&key) {
                order.push(key.clone());
            }
            let group = groups.entry(key).or_default();
            let mut address = change.address.clone();
            group.targets.extend(address.target.take());
            group.addresses.insert(address.to_string());
            group.number += 1;
            group.blocked |= change.blocked;
        }
    }
    let total = order.len();
    for (index, key) in order.iter().enumerate() {
        let Some(group) = groups.get(key) else { continue };
        let text = group_text(key, group);
        if out.len() + text.len() + RESERVE > LONGEST {
            let left: usize = order[index..].iter().filter_map(|key| groups.get(key)).map(|group| group.number).sum();
            let _ = writeln!(
                out,
                "**{} not shown here** ({index} of {total} groups are): this would be longer than a comment may be. The counts and the effects above hold for all; `rotator plan` and `rotator show` print everything.\n",
                count(left, "change"),
            );
            return;
        }
        out.push_str(&text);
    }
}

fn group_text((headline, details): &(String, String), group: &Group) -> String {
    let mut out = String::new();
    let first = group.addresses.first().map(String::as_str).unwrap_or_default();
    let who = match group.addresses.len() {
        1 => html_code(first),
        number => format!("{} and {} more", html_code(first), number - 1),
    };
    let where_to = match group.targets.len() {
        0 => String::new(),
        1 => format!(" in {}", html_code(group.targets.first().map(String::as_str).unwrap_or_default())),
        number => format!(", the same in {number} targets"),
    };
    let blocked = if group.blocked { " <b>(left out of an apply: see the errors)</b>" } else { "" };
    let _ = writeln!(out, "<details><summary>{who}{where_to}: {headline}{blocked}</summary>\n");
    if group.targets.len() > 1 {
        let _ = writeln!(out, "Targets: {}\n", names_of(group.targets.iter().map(String::as_str)));
    }
    if group.addresses.len() > 1 {
        let names: Vec<String> = group.addresses.iter().take(ROWS).map(|address| code_span(address)).collect();
        let more = group.addresses.len().saturating_sub(ROWS);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let _ = writeln!(out, "{}{more}\n", names.join(", "));
    }
    if !details.is_empty() {
        out.push_str(&code_block("diff", details));
    }
    out.push_str("\n</details>\n\n");
    out
}

/// What is done, in words of our own; it may stand in HTML.
fn headline(change: &Change) -> String {
    let symbol = match operation(&[change]) {
        Operation::Add => "+",
        Operation::Change => "~",
        Operation::Replace => "-/+",
        Operation::Destroy => "-",
    };
    let words = format!("{}{}", action_words(change), reason_words(change));
    format!("{symbol} {}", words.replace('&', "&amp;").replace('<', "&lt;"))
}

/// The attributes, as lines of a diff. What is the plan's own account and region is left out of ARNs, so that the same change
/// reads the same in every target.
fn details(plan: &Plan, change: &Change) -> String {
    let mut out = String::new();
    let own = format!(":lambda:{}:{}:function:", plan.region, plan.account);
    let shown = |shown: &Shown| match shown {
        Shown::Text(text) => match text.split_once(&own) {
            Some((partition, name)) if partition.starts_with("arn:") => value(&Shown::text(name)),
            _ => value(&Shown::text(text)),
        },
        other => value(other),
    };
    for field in &change.fields {
        let path = field.attribute.path();
        let path = safe(&path);
        match (&field.before, &field.after) {
            (Shown::Absent, after) => drop(writeln!(out, "+ {path} = {}", shown(after))),
            (before, Shown::Absent) => drop(writeln!(out, "- {path} = {}", shown(before))),
            (Shown::Sensitive, Shown::Sensitive) => drop(writeln!(out, "! {path} = (another sensitive value)")),
            (before, after) => {
                let _ = writeln!(out, "- {path} = {}\n+ {path} = {}", shown(before), shown(after));
            }
        }
    }
    out
}

fn notes(out: &mut String, plans: &[&Plan]) {
    let mut lines: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let all = plans.iter().flat_map(|plan| plan.notes.iter().map(|note| (note, Route::of(plan))));
    for (note, route) in all.filter(|(note, _)| !matches!(note.kind, NoteKind::Foreign(_))) {
        lines.entry(note_words(note, route)).or_default().extend(note.address.as_ref().map(ToString::to_string));
    }
    if lines.is_empty() {
        return;
    }
    let mut text = String::new();
    for (words, about) in &lines {
        let about = some_of(about.iter().map(String::as_str), 5);
        let about = if about.is_empty() { about } else { format!("{about}: ") };
        let _ = writeln!(text, "{about}{words}");
    }
    let block = format!(
        "<details><summary>{}</summary>\n\n{}\n</details>\n",
        count(lines.len(), "note"),
        code_block("text", &text)
    );
    if out.len() + block.len() < LONGEST {
        out.push_str(&block);
    } else {
        let _ = writeln!(out, "*{} not shown here.*", count(lines.len(), "note"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Desired, Live};
    use crate::plan::fixtures::{days, desired, empty_live, live, wanted};
    use crate::plan::{PlanOptions, Purpose, make_plan};

    fn plan(target: &str, desired: &Desired, live: &Live) -> Plan {
        let mut desired = desired.clone();
        desired.target.name = Some(target.to_owned());
        make_plan(&desired, live, PlanOptions { purpose: Purpose::Converge { prune: false }, partial: false })
    }

    /// Without it, five targets would be five times as long to read, and the sixth, which differs, be overlooked.
    #[test]
    fn the_same_change_is_said_once() {
        let mut changed = desired();
        wanted(&mut changed).settings.timeout = Some(60);
        changed.secrets.get_mut("s").expect("built above").rotation.rules = Some(days(7));
        let plans: Vec<Plan> = ["dev", "prod-eu", "prod-us"].map(|target| plan(target, &changed, &live())).into();
        let text = plan_markdown(&plans.iter().collect::<Vec<_>>(), Mode::Plan);
        assert_eq!(text.matches("<details>").count(), 2, "{text}");
        assert_eq!(text.matches("the same in 3 targets").count(), 2, "{text}");
        insta::assert_snapshot!(text);
    }

    /// Without it, what stops, rotates or goes would stand below a long table, unread.
    #[test]
    fn what_is_dangerous_stands_on_top() {
        let one = plan("dev", &desired(), &empty_live());
        let text = plan_markdown(&[&one], Mode::Plan);
        let (danger, table) = (text.find("[!CAUTION]"), text.find("| target |"));
        assert!(danger.is_some() && danger < table, "{text}");
        insta::assert_snapshot!(text);
    }

    /// Without it, a comment would be refused by GitHub, or be cut in the middle of a block without a word.
    #[test]
    fn a_long_plan_is_cut_honestly() {
        let (mut wanted, mut have) = (desired(), live());
        for number in 0..2000_u16 {
            let mut secret = wanted.secrets["s"].clone();
            secret.rotation.rules = Some(days(number % 900 + 40));
            wanted.secrets.insert(format!("s{number:04}"), secret);
            have.secrets.insert(format!("s{number:04}"), have.secrets["s"].clone());
        }
        let text = plan_markdown(&[&plan("dev", &wanted, &have)], Mode::Plan);
        assert!(text.len() <= LONGEST && text.len() > LONGEST / 2, "{}", text.len());
        assert!(text.contains("changes not shown here"), "{}", &text[text.len() - 500..]);
        assert_eq!(text.matches("<details>").count(), text.matches("</details>").count());
    }

    /// Without it, a name in a pull request could mention people or close the details that it stands in.
    #[test]
    fn names_are_never_markup() {
        let (mut wanted, mut have) = (desired(), live());
        let evil = "</summary></details>@everyone `x` [l](http://e)|";
        let mut secret = wanted.secrets["s"].clone();
        evil.clone_into(&mut secret.name);
        secret.rotation.rules = Some(days(3));
        wanted.secrets.insert(evil.to_owned(), secret);
        have.secrets.insert(evil.to_owned(), have.secrets["s"].clone());
        let text = plan_markdown(&[&plan("dev", &wanted, &have)], Mode::Plan);
        let outside: String = text.lines().filter(|line| !line.starts_with(['`', '-', '+'])).collect();
        assert_eq!(outside.matches("</summary>").count(), outside.matches("<summary>").count(), "{text}");
        assert!(text.contains("&lt;/summary&gt;"), "{text}");
    }
}
