//! What a change of the manifests means, as text, Markdown and JSON.

mod checkout;
mod json;
mod markdown;
#[cfg(test)]
mod tests;
mod words;

use std::collections::{BTreeSet, HashMap};
use std::fmt::Write as _;

use crate::plan::Shown;
use crate::plan::diff::{Consequence, Finding, Group, Guard, GuardKind, Subject, Turn};

use super::plan::value;
use super::{ADD, BOLD, CHANGE, DESTROY, DIM, count, paint, safe};

use checkout::conversion_lines;
pub use checkout::{Ambiguous, Conversion};
pub use json::comparison as json;
pub use markdown::comparison as markdown;
use words::{Style, and, change_words, consequence_words, finding_lines, name_line, own_lines};

/// How many names of a group are shown.
const MOST_NAMES: usize = 10;

/// Two revisions of some manifests, compared.
#[derive(Debug, Clone, Default)]
pub struct Comparison {
    /// The earlier side, as the user would call it: a revision.
    pub before: String,
    /// The later side: a revision, or `working tree`.
    pub after: String,
    /// The files of the manifests whose text differs.
    pub files: Vec<ChangedFile>,
    /// The manifests that differ in meaning.
    pub manifests: Vec<ComparedManifest>,
    /// What a checkout makes of the files, as `.gitattributes` has it.
    pub conversions: Vec<Conversion>,
    /// Names of revisions that mean more than one thing.
    pub ambiguous: Vec<Ambiguous>,
    /// What stands for a region and an account that only AWS's environment knows, where one plays a part.
    pub placeholders: Option<(String, String)>,
}

/// A file whose text differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangedFile {
    /// Relative to the repository's root.
    pub path: String,
    /// How many lines differ: of replaced ones, the greater number of both sides.
    pub lines: usize,
}

/// One manifest, compared.
#[derive(Debug, Clone)]
pub struct ComparedManifest {
    /// The root file, relative to the repository's root; the later one of two.
    pub path: String,
    /// The project; the later one of two.
    pub project: String,
    /// Whether it is there on both sides.
    pub presence: Presence,
    /// Its own rules, limits and freezes that differ.
    pub guards: Vec<Guard>,
    /// What differs.
    pub groups: Vec<Group>,
}

/// On which sides a manifest is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Presence {
    /// On both.
    Both,
    /// On both, in another file before.
    Moved {
        /// The earlier file, relative to the repository's root.
        from: String,
    },
    /// On the later side only.
    New,
    /// On the earlier side only.
    Gone,
}

impl Comparison {
    /// Whether the manifests mean the same on both sides.
    pub fn is_empty(&self) -> bool {
        self.manifests.is_empty() && !self.conversions.iter().any(Conversion::is_new)
    }
}

impl ComparedManifest {
    /// How many of a kind differ, each counted once in each target.
    fn concerned(&self, subject: Subject) -> usize {
        let groups = self.groups.iter().filter(|group| group.subject == subject);
        let members = groups.flat_map(|group| &group.members);
        members.map(|member| (&member.target, &member.handle)).collect::<BTreeSet<_>>().len()
    }

    /// `80 secrets and 1 function`.
    fn totals(&self) -> String {
        let guards = Some(self.guards.len()).filter(|number| *number > 0).map(|number| count(number, "guard"));
        let counts: Vec<String> = [Subject::Secret, Subject::Function, Subject::Rule, Subject::Target]
            .into_iter()
            .map(|subject| (self.concerned(subject), subject))
            .filter(|(number, _)| *number > 0)
            .map(|(number, subject)| count(number, subject.word()))
            .chain(guards)
            .collect();
        and(&counts)
    }

    fn targets(&self) -> Vec<&str> {
        let mut targets = Vec::new();
        for (target, _) in self.groups.iter().flat_map(Group::targets) {
            if let Some(target) = target.filter(|target| !targets.contains(target)) {
                targets.push(target);
            }
        }
        targets
    }
}

/// The whole comparison as text.
pub fn text(comparison: &Comparison) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "{}", paint(BOLD, &heading(comparison, |text| safe(text).into_owned())));
    for line in conversion_lines(comparison, true, |text| safe(text).into_owned()) {
        let _ = writeln!(out, "\n  {} {line}", paint(DESTROY, "!"));
    }
    let quiet = conversion_lines(comparison, false, |text| safe(text).into_owned());
    if comparison.is_empty() {
        let _ = writeln!(out, "\n{} {}", paint(ADD.bold(), "No difference."), SAME);
        for line in quiet {
            let _ = writeln!(out, "{} {line}", paint(BOLD, "note:"));
        }
        return out;
    }
    if comparison.manifests.is_empty() {
        let _ = writeln!(out, "\n{SAME_STORED}");
    }
    for manifest in &comparison.manifests {
        let _ = writeln!(out, "\n{}", paint(BOLD, &title(manifest, |text| safe(text).into_owned())));
        if let Some(note) = presence_words(&manifest.presence, |text| safe(text).into_owned()) {
            let _ = writeln!(out, "  {note}");
        }
        for guard in &manifest.guards {
            out.push('\n');
            guard_text(&mut out, guard);
        }
        for block in blocks(&manifest.groups) {
            out.push('\n');
            block_text(&mut out, &block);
        }
    }
    for note in quiet.into_iter().chain(notes(comparison, |text| safe(text).into_owned())) {
        let _ = write!(out, "\n{} {note}", paint(BOLD, "note:"));
    }
    out.push('\n');
    out
}

const SAME: &str = "The manifests mean the same.";

/// Where a checkout may make other files of what was compared.
const SAME_STORED: &str = "The manifests mean the same as Git stores them.";

/// Where, and how much text: `HEAD -> working tree: 1 line in rotator.yaml`.
fn heading(comparison: &Comparison, name: impl Fn(&str) -> String) -> String {
    let files: Vec<String> = comparison
        .files
        .iter()
        .take(MOST_NAMES)
        .map(|file| format!("{} in {}", count(file.lines, "line"), name(&file.path)))
        .collect();
    let more = comparison.files.len().saturating_sub(MOST_NAMES);
    let files = match (files.is_empty(), more) {
        (true, _) => "no line of the manifests differs".to_owned(),
        (false, 0) => and(&files),
        (false, more) => format!("{} and {}", files.join(", "), count(more, "more file")),
    };
    format!("{} -> {}: {files}", name(&comparison.before), name(&comparison.after))
}

/// `Project fleet in rotator.yaml: 80 secrets in prod-eu and prod-us`.
fn title(manifest: &ComparedManifest, name: impl Fn(&str) -> String) -> String {
    let targets: Vec<String> = manifest.targets().into_iter().map(&name).collect();
    let targets = match targets.len() {
        0 => String::new(),
        1..=4 => format!(" in {}", and(&targets)),
        many => format!(" in {}", count(many, "target")),
    };
    format!("Project {} in {}: {}{targets}", name(&manifest.project), name(&manifest.path), manifest.totals())
}

fn presence_words(presence: &Presence, name: impl Fn(&str) -> String) -> Option<String> {
    match presence {
        Presence::Both => None,
        Presence::Moved { from } => Some(format!("The manifest was {} before; that changes nothing.", name(from))),
        Presence::New => Some("The manifest is new.".to_owned()),
        Presence::Gone => Some(
            "The manifest is gone: everything stays on AWS as it is, and no plan looks at it any more. To remove it, run \
             `rotator destroy` where the manifest still is."
                .to_owned(),
        ),
    }
}

fn notes(comparison: &Comparison, name: impl Fn(&str) -> String) -> Vec<String> {
    let mut notes = vec![
        "effects hold where AWS is as the earlier manifest says; `rotator plan` looks, and says what an apply would do"
            .to_owned(),
    ];
    if let Some((region, account)) = &comparison.placeholders {
        notes.push(format!(
            "{} and {} stand for the region and the account that AWS's environment will say",
            name(region),
            name(account)
        ));
    }
    notes
}

/// A rule, a limit or the freezes that differ, before everything else: it decides what the next change may do.
fn guard_text(out: &mut String, guard: &Guard) {
    let (style, symbol) = match guard.turn {
        Turn::Neutral => (DIM, "~"),
        Turn::Tightened => (ADD, "+"),
        Turn::Changed | Turn::Weakened => (DESTROY, "!"),
    };
    let _ = writeln!(
        out,
        "  {} {} {}",
        paint(style, symbol),
        paint(BOLD, &safe(&guard.address)),
        paint(style, guard_words(guard))
    );
    for change in &guard.fields {
        let _ = writeln!(out, "      {}: {}", safe(&change.attribute.path()), change_words(change, &Plain));
    }
}

fn guard_words(guard: &Guard) -> &'static str {
    match (guard.kind, guard.turn) {
        (GuardKind::Added, Turn::Neutral) => "added: it is over",
        (GuardKind::Removed, Turn::Neutral) => "removed: it was over",
        (GuardKind::Changed, Turn::Neutral) => "changed: it forbids the same",
        (GuardKind::Added, _) => "added: a guard more",
        (GuardKind::Removed, _) => "removed: a guard less",
        (GuardKind::Changed, Turn::Tightened) => "tightened",
        (GuardKind::Changed, Turn::Changed) => "changed: it may forbid less",
        (GuardKind::Changed, Turn::Weakened) => "weakened: it forbids less",
    }
}

/// Groups of the same members stand together, as one entry's changes do.
fn blocks(groups: &[Group]) -> Vec<Vec<&Group>> {
    let is_change = |group: &Group| {
        matches!(group.finding, Finding::Changed(_) | Finding::Code { .. } | Finding::CodeUnknown { .. })
    };
    let mut blocks: Vec<Vec<&Group>> = Vec::new();
    let mut places = HashMap::new();
    for group in groups {
        let members: Vec<_> = group.members.iter().map(|member| (&member.handle, &member.target)).collect();
        let place = *places.entry((group.subject, members)).or_insert(blocks.len());
        match blocks.get_mut(place).filter(|block| is_change(group) && block.iter().all(|other| is_change(other))) {
            Some(block) => block.push(group),
            None => blocks.push(vec![group]),
        }
    }
    blocks
}

/// How a block is introduced.
fn verb(finding: &Finding) -> &'static str {
    match finding {
        Finding::Added { .. } => " added",
        Finding::Removed { .. } => " removed from the manifest",
        Finding::Renamed { .. } => " renamed: the same on AWS",
        _ => "",
    }
}

fn block_text(out: &mut String, block: &[&Group]) {
    let Some(first) = block.first() else { return };
    let (style, symbol) = match &first.finding {
        Finding::Added { .. } => (ADD, "+"),
        Finding::Removed { .. } => (DESTROY, "-"),
        Finding::Renamed { .. } => (CHANGE, ">"),
        _ => (CHANGE, "~"),
    };
    let who = who(first, |text| safe(text).into_owned());
    let _ = writeln!(out, "  {} {}{}", paint(style, symbol), paint(BOLD, &who), verb(&first.finding));
    for group in block {
        for line in finding_lines(&group.finding, &Plain) {
            let _ = writeln!(out, "      {line}");
        }
        for line in own_lines(group, &Plain) {
            let _ = writeln!(out, "        {line}");
        }
        for consequence in &group.consequences {
            let Some(words) = counted_words(consequence, group.members.len()) else { continue };
            if is_feared(&consequence.0) {
                let _ = writeln!(out, "      {} {}", paint(CHANGE.bold(), "!"), paint(CHANGE.bold(), &words));
            } else {
                let _ = writeln!(out, "      {} {words}", paint(DIM, "="));
            }
        }
    }
    if let Some(line) = name_line(first, &Plain) {
        let _ = writeln!(out, "      {}", paint(DIM, &line));
    }
}

/// A consequence, with for how many it holds where that isn't all.
fn counted_words((consequence, number): &(Consequence, usize), of: usize) -> Option<String> {
    let words = consequence_words(consequence)?;
    Some(if *number < of { format!("{words} ({number} of {of})") } else { words })
}

/// `80 secrets, 40 in each of prod-eu and prod-us`; a single one by its name.
fn who(group: &Group, name: impl Fn(&str) -> String) -> String {
    let targets: Vec<(Option<&str>, usize)> = group.targets();
    let named: Vec<String> = targets.iter().filter_map(|(target, _)| target.map(&name)).collect();
    let handles = group.handles();
    let everywhere = handles.values().all(|members| members.len() == targets.len());
    let number = group.members.len();
    if group.subject == Subject::Target {
        return match named.len() {
            0 => "the manifest".to_owned(),
            1..=4 => and(&named),
            many => count(many, "target"),
        };
    }
    let what = match (handles.len(), handles.keys().next()) {
        (1, Some(handle)) => format!("{} {}", group.subject.word(), name(handle)),
        _ => count(number, group.subject.word()),
    };
    match (named.len(), everywhere && handles.len() > 1) {
        (0, _) => what,
        (1, _) => format!("{what} in {}", named[0]),
        (2..=4, true) => format!("{what}, the same {} in {}", handles.len(), and(&named)),
        (many, true) => format!("{what}, the same {} in {}", handles.len(), count(many, "target")),
        (2..=4, false) => format!("{what} in {}", and(&named)),
        (many, false) => format!("{what} in {}", count(many, "target")),
    }
}

/// For terminals.
struct Plain;

impl Style for Plain {
    fn name(&self, text: &str) -> String {
        safe(text).into_owned()
    }

    fn value(&self, shown: &Shown) -> String {
        match shown {
            // Rules read better without quotes.
            Shown::Text(text) if !text.is_empty() && !text.contains('"') && !text.ends_with(' ') => {
                safe(text).into_owned()
            }
            other => value(other),
        }
    }

    fn arrow(&self) -> &'static str {
        "->"
    }
}

/// What a reviewer must not overlook.
fn is_feared(consequence: &Consequence) -> bool {
    matches!(
        consequence,
        Consequence::SwitchesOn { .. }
            | Consequence::StopsRotation
            | Consequence::RotatesNow
            | Consequence::ReplacesCode
            | Consequence::AnotherFunction
            | Consequence::AnotherSecret(_)
            | Consequence::AnotherStack(_)
            | Consequence::LeavesStack(_)
            | Consequence::NameRefused
            | Consequence::DeletesVariable
            | Consequence::AnotherProject
            | Consequence::PrunesOrphans
    )
}
