//! The file itself: its lines, and what is said of those that aren't understood.

use pep440_rs::Version;

use super::specifier::Requirement;
use super::{MAX_PINS, Pin, Platform, Wrong};

/// How many problems of a file are said.
const MAX_WRONG: usize = 20;

/// What stands before the command that makes the file.
const COMPILE: &str = "an installer makes such a file of the names in another one:";

/// The length of a SHA-256 in hex.
const SHA256_DIGITS: usize = 64;

/// Reads a file; else says all that is wrong with it, with the lines.
///
/// `platform`: for which a hint has the file made; `None` where that isn't known.
pub fn read(text: &str, platform: Option<Platform>) -> Result<Vec<Pin>, Vec<Wrong>> {
    let (mut pins, mut wrong) = (Vec::new(), Vec::new());
    for line in lines(text.strip_prefix('\u{feff}').unwrap_or(text)) {
        match line.read() {
            Ok(pin) => pins.push(pin),
            Err((summary, advice)) => {
                let hints = match advice {
                    Advice::Compile => vec![COMPILE.to_owned(), compiled_by(platform)],
                    Advice::Say(hint) => vec![hint.to_owned()],
                };
                let length = u32::try_from(line.shown.chars().count()).unwrap_or(u32::MAX);
                wrong.push(Wrong { line: line.number, length, summary, hints });
            }
        }
        if wrong.len() == MAX_WRONG {
            break;
        }
    }
    if let Some(pin) = pins.get(MAX_PINS) {
        wrong.push(Wrong {
            line: pin.line,
            length: 1,
            summary: format!("a function has at most {MAX_PINS} requirements"),
            hints: vec!["put what is large into a layer".to_owned()],
        });
    }
    if wrong.is_empty() { Ok(pins) } else { Err(wrong) }
}

/// The command that makes a file of requirements which is understood.
pub fn compiled_by(platform: Option<Platform>) -> String {
    let target = match platform {
        Some(platform) => {
            // The least of the glibc versions that installers have a name for, and all that Lambda has runs.
            let glibc = if platform.glibc() < 28 { 17 } else { 28 };
            format!(
                " --python-version 3.{} --python-platform {}-manylinux_2_{glibc}",
                platform.minor,
                platform.machine.word()
            )
        }
        None => String::new(),
    };
    format!("uv pip compile --generate-hashes --only-binary :all:{target} requirements.in -o requirements.txt")
}

/// What to do about a line.
enum Advice {
    /// Have the file made.
    Compile,
    Say(&'static str),
}

/// A line, with those that go on from it, without comments.
struct Line<'a> {
    number: u32,
    /// Its first line as it stands in the file, without spaces around it.
    shown: &'a str,
    text: String,
}

fn lines(text: &str) -> Vec<Line<'_>> {
    let mut found: Vec<Line<'_>> = Vec::new();
    let mut goes_on = false;
    for (number, raw) in (1..).zip(text.lines()) {
        let is_comment = raw.trim_start().starts_with('#');
        let line = if is_comment { "" } else { without_comment(raw) };
        let (line, next) = match line.trim_end().strip_suffix('\\') {
            Some(line) => (line, true),
            None => (line, false),
        };
        match found.last_mut().filter(|_| goes_on) {
            Some(last) => {
                last.text.push(' ');
                last.text.push_str(line.trim());
            }
            None => found.push(Line { number, shown: line.trim(), text: line.trim().to_owned() }),
        }
        // A comment ends what goes on, as installers have it.
        goes_on = next;
    }
    found.retain(|line| !line.text.trim().is_empty());
    found
}

/// A comment begins with `#` after a space: `#` within an address is part of it.
fn without_comment(line: &str) -> &str {
    let begins = |(at, _): &(usize, &str)| line[..*at].ends_with(char::is_whitespace);
    line.match_indices('#').find(begins).map_or(line, |(at, _)| &line[..at])
}

impl Line<'_> {
    fn read(&self) -> Result<Pin, (String, Advice)> {
        self.refuse_other()?;
        let (requirement, options) = match self.text.find(" --") {
            Some(at) => self.text.split_at(at),
            None => (self.text.as_str(), ""),
        };
        let shown = requirement.trim();
        let hashes = hashes(options)?;
        let parsed = Requirement::parse(shown)
            .map_err(|reason| (format!("`{}` is no requirement: {reason}", brief(shown)), Advice::Compile))?;
        if parsed.has_url {
            return Err((format!("`{}` comes from an address, not from the index", parsed.name), Advice::Compile));
        }
        let version = pinned(&parsed)?;
        if hashes.is_empty() {
            return Err((format!("`{}` has no hash: `--hash=sha256:…`", parsed.name), Advice::Compile));
        }
        Ok(Pin { name: parsed.name, extras: parsed.extras, version, hashes, line: self.number, marker: parsed.marker })
    }

    /// Refuses what isn't a requirement by name.
    fn refuse_other(&self) -> Result<(), (String, Advice)> {
        let text = self.text.as_str();
        let word = text.split([' ', '=']).next().unwrap_or_default();
        if word.starts_with('-') {
            let say = |what: &str, advice| Err((format!("`{}` {what}", brief(word)), advice));
            return match word {
                "-r" | "--requirement" | "-c" | "--constraint" => {
                    say("can't bring another file: all that is installed stands in this one", Advice::Compile)
                }
                "-e" | "--editable" => say(
                    "can't be packaged: it leads to a folder of one machine",
                    Advice::Say("put that code into the folder of code itself"),
                ),
                "-i" | "--index-url" | "--extra-index-url" | "-f" | "--find-links" | "--no-index"
                | "--trusted-host" => say(
                    "can't choose where packages come from: that is said by who runs this, not by the repository",
                    Advice::Say("remove the line; `PIP_INDEX_URL`, or pip's own configuration, names the index"),
                ),
                "--hash" => say("stands alone: a line before it lacks its `\\`", Advice::Compile),
                "--require-hashes" | "--only-binary" | "--prefer-binary" => {
                    say("is an option, and always so here", Advice::Say("remove the line"))
                }
                _ if word.starts_with("-r") || word.starts_with("-c") || word.starts_with("-e") => {
                    say("can't bring another file: all that is installed stands in this one", Advice::Compile)
                }
                _ => say("is an installer's option, and none is understood", Advice::Say("remove the line")),
            };
        }
        let is_place = text.contains("://") && !text.contains(" @ ") || text.starts_with(['.', '/', '~']);
        let is_archive = [".whl", ".tar.gz", ".zip"].iter().any(|ending| word.ends_with(ending));
        if is_place || is_archive {
            let summary = format!("`{}` is a place, not the name of a package", brief(word));
            return Err((summary, Advice::Compile));
        }
        Ok(())
    }
}

/// The only version that serves.
fn pinned(parsed: &Requirement) -> Result<Version, (String, Advice)> {
    let (name, written) = (&parsed.name, parsed.written.as_str());
    if written.is_empty() {
        return Err((format!("`{name}` has no version: write `{name}==…`"), Advice::Compile));
    }
    let exact = written.strip_prefix("==").filter(|rest| !rest.starts_with('=') && !written.contains(','));
    let Some(exact) = exact.map(str::trim).filter(|exact| !exact.ends_with('*')) else {
        let summary =
            format!("`{name}{}` leaves the version open: only `{name}==…` is the same every day", brief(written));
        return Err((summary, Advice::Compile));
    };
    let version = exact.parse().map_err(|_| (format!("`{}` is no version", brief(exact)), Advice::Compile))?;
    Ok(version)
}

/// The SHA-256 of the options behind a requirement, which are nothing but hashes.
fn hashes(options: &str) -> Result<Vec<String>, (String, Advice)> {
    let mut hashes = Vec::new();
    let mut words = options.split_whitespace();
    while let Some(word) = words.next() {
        let hash = match word.strip_prefix("--hash") {
            Some("") => words.next().unwrap_or_default(),
            Some(rest) if rest.starts_with('=') => &rest[1..],
            _ => {
                let summary = format!("`{}` can't stand behind a requirement: only `--hash` can", brief(word));
                return Err((summary, Advice::Say("remove it")));
            }
        };
        let digest = hash.strip_prefix("sha256:").ok_or_else(|| {
            (format!("`{}` is no hash that is taken: only `sha256:…` is", brief(hash)), Advice::Compile)
        })?;
        if digest.len() != SHA256_DIGITS || !digest.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err((format!("`{}` is no SHA-256: it has 64 digits, 0-9 and a-f", brief(digest)), Advice::Compile));
        }
        hashes.push(digest.to_ascii_lowercase());
    }
    hashes.sort();
    hashes.dedup();
    Ok(hashes)
}

/// A text that may be long, for a message. An address may hold a password.
fn brief(text: &str) -> String {
    let text = match text.split_once("://") {
        Some((scheme, rest)) => match rest.split_once('@') {
            Some((login, place)) if !login.contains('/') => format!("{scheme}://…@{place}"),
            _ => text.to_owned(),
        },
        None => text.to_owned(),
    };
    let short: String = text.chars().filter(|c| !c.is_control()).take(60).collect();
    if text.chars().count() > 60 { format!("{short}…") } else { short }
}
