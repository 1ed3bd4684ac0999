//! What changes in live code, as a unified diff: bounded, without what is private, packages of others as one line each.

use std::fmt::Write as _;

use similar::{ChangeTag, group_diff_ops};

use crate::model::{Content, Difference, FileDifference, Held, InstalledDifference};

use super::{ADD, BOLD, DESTROY, DIM, count, lines, paint, safe};

/// How many lines are shown of one file, and of all files of one function.
const OF_FILE: usize = 200;
const OF_FUNCTION: usize = 800;

/// How many files, and how many installed packages, are named.
const NAMED: usize = 50;

/// The longest line that is shown, in characters.
const LONGEST: usize = 300;

/// The lines around a change.
const AROUND: usize = 3;

/// A line of a difference, and which side it is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// Of neither: a file's name, a count.
    Head(String),
    /// On both sides.
    Same(String),
    /// Only before.
    Old(String),
    /// Only after.
    New(String),
    /// About what isn't shown.
    Note(String),
}

/// The lines of a difference. `hide`: makes a whole text fit to be shown, without values that are private.
pub fn difference(difference: &Difference, hide: &dyn Fn(&str) -> String) -> Vec<Line> {
    let mut all: Vec<Line> = difference.installed.iter().take(NAMED).map(|one| Line::Head(installed(one))).collect();
    if difference.installed.len() > NAMED {
        all.push(Line::Note(format!("and {} more packages", difference.installed.len() - NAMED)));
    }
    let mut left = OF_FUNCTION;
    for (index, file) in difference.files.iter().enumerate() {
        if index == NAMED || left == 0 {
            all.push(Line::Note(format!("and {} more", count(difference.files.len() - index, "file"))));
            break;
        }
        let shown = of_file(file, hide, left.min(OF_FILE));
        left = left.saturating_sub(shown.len());
        all.extend(shown);
    }
    all
}

/// An installed package in one line.
fn installed(one: &InstalledDifference) -> String {
    let name = safe(&one.name);
    let files = if one.files == 0 { String::new() } else { format!(" ({})", count(one.files, "file")) };
    match (&one.before, &one.after) {
        (Some(before), Some(after)) if before == after => {
            format!("{name} {}: {} of it differ", safe(before), count(one.files, "file"))
        }
        (Some(before), Some(after)) => format!("{name} {} → {}{files}", safe(before), safe(after)),
        (None, Some(after)) => format!("{name} {} comes{files}", safe(after)),
        (Some(before), None) => format!("{name} {} goes{files}", safe(before)),
        (None, None) => name.into_owned(),
    }
}

fn of_file(file: &FileDifference, hide: &dyn Fn(&str) -> String, most: usize) -> Vec<Line> {
    let path = safe(&file.path);
    let name =
        |side: &Option<Held>, word: &str| side.as_ref().map_or("/dev/null".to_owned(), |_| format!("{word}/{path}"));
    let mut out = vec![
        Line::Head(format!("--- {}", name(&file.before, "live"))),
        Line::Head(format!("+++ {}", name(&file.after, "new"))),
    ];
    let bit = |side: &Option<Held>| side.as_ref().map(|held| held.executable);
    match (bit(&file.before), bit(&file.after)) {
        (Some(before), Some(after)) if before != after => {
            let word = |executable: bool| if executable { "can be executed" } else { "can't be executed" };
            out.push(Line::Note(format!("{} → {}", word(before), word(after))));
        }
        (None, Some(true)) => out.push(Line::Note("can be executed".to_owned())),
        _ => {}
    }
    if let Some(why) = unshown(file) {
        out.push(Line::Note(why));
        return out;
    }
    let text = |side: &Option<Held>| match side.as_ref().map(|held| &held.content) {
        Some(Content::Text(text)) => hide(text),
        _ => String::new(),
    };
    let (before, after) = (text(&file.before), text(&file.after));
    if before != after {
        hunks(&mut out, &before, &after, most);
    } else if bit(&file.before) == bit(&file.after) {
        out.push(Line::Note("differs in what isn't shown".to_owned()));
    }
    out
}

/// Why the content of a file isn't shown.
fn unshown(file: &FileDifference) -> Option<String> {
    let contents = [&file.before, &file.after].map(|side| side.as_ref().map(|held| &held.content));
    if contents.contains(&Some(&Content::Private)) {
        return Some("it may hold credentials, and isn't shown".to_owned());
    }
    let size = |content: Option<&Content>| match content {
        None => "nothing".to_owned(),
        Some(Content::Data(size)) => format!("{size} bytes"),
        Some(Content::Text(text)) => format!("{} bytes", text.len()),
        Some(Content::Private) => String::new(),
    };
    let is_data = contents.iter().any(|content| matches!(content, Some(Content::Data(_))));
    is_data.then(|| format!("it isn't text, or too large to be shown: {} → {}", size(contents[0]), size(contents[1])))
}

fn hunks(out: &mut Vec<Line>, before: &str, after: &str, most: usize) {
    let (old, new): (Vec<&str>, Vec<&str>) = (before.lines().collect(), after.lines().collect());
    let mut shown = Vec::new();
    for group in group_diff_ops(lines::differences(&old, &new), AROUND) {
        let (Some(first), Some(last)) = (group.first(), group.last()) else { continue };
        let span = |from: usize, to: usize| match to - from {
            0 => format!("{from},0"),
            1 => (from + 1).to_string(),
            length => format!("{},{length}", from + 1),
        };
        let (old_span, new_span) =
            (span(first.old_range().start, last.old_range().end), span(first.new_range().start, last.new_range().end));
        shown.push(Line::Head(format!("@@ -{old_span} +{new_span} @@")));
        for (tag, lines) in group.iter().flat_map(|part| part.iter_slices(&old, &new)) {
            shown.extend(lines.iter().map(|line| match tag {
                ChangeTag::Equal => Line::Same(short(line)),
                ChangeTag::Delete => Line::Old(short(line)),
                ChangeTag::Insert => Line::New(short(line)),
            }));
        }
    }
    let more = shown.len().saturating_sub(most);
    shown.truncate(most);
    out.extend(shown);
    if more > 0 {
        out.push(Line::Note(format!("and {} more", count(more, "line"))));
    }
}

fn short(line: &str) -> String {
    let line = safe(line);
    if line.chars().count() <= LONGEST {
        line.into_owned()
    } else {
        format!("{}…", line.chars().take(LONGEST).collect::<String>())
    }
}

/// Lines for a terminal, below the function's address.
pub fn text(address: &str, lines: &[Line]) -> String {
    let mut out = format!("\n{}\n", paint(BOLD, &format!("Code of {}:", safe(address))));
    for line in lines {
        let _ = match line {
            Line::Head(text) => writeln!(out, "  {}", paint(BOLD, text)),
            Line::Same(text) => writeln!(out, "   {text}"),
            Line::Old(text) => writeln!(out, "  {}", paint(DESTROY, &format!("-{text}"))),
            Line::New(text) => writeln!(out, "  {}", paint(ADD, &format!("+{text}"))),
            Line::Note(text) => writeln!(out, "  {}", paint(DIM, &format!("({text})"))),
        };
    }
    out
}

/// Lines as they stand in a block of code in Markdown.
pub fn plain(lines: &[Line]) -> String {
    let mut out = String::new();
    for line in lines {
        let _ = match line {
            Line::Head(text) => writeln!(out, "{text}"),
            Line::Same(text) => writeln!(out, " {text}"),
            Line::Old(text) => writeln!(out, "-{text}"),
            Line::New(text) => writeln!(out, "+{text}"),
            Line::Note(text) => writeln!(out, "({text})"),
        };
    }
    out
}

/// The same in Markdown, folded, as far as it fits into a comment with what stands there already.
pub fn markdown(address: &str, lines: &[Line], room: usize) -> String {
    let block = super::markdown::code_block("diff", &plain(lines));
    let summary = super::markdown::html_code(address);
    let whole = format!("\n<details><summary>Code of {summary}</summary>\n\n{block}\n</details>\n");
    if whole.len() <= room {
        return whole;
    }
    let short =
        format!("\nThe code of {summary} differs by more than fits here: `rotator plan --show-code` shows it.\n");
    if short.len() <= room { short } else { String::new() }
}
