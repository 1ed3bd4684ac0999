//! Problems of manifests for the tools that show them at the lines of a change: SARIF 2.1.0, and GitHub's workflow commands.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde_json::{Value, json};

use crate::diagnostic::{Diagnostic, Position, Severity};

use super::runner::without_marks;
use super::{safe, safe_json};

/// What a path may not hold in a URI reference. <https://www.rfc-editor.org/rfc/rfc3986#section-3.3>
const NOT_IN_PATHS: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}')
    .add(b':');

/// A log in SARIF 2.1.0, with a final newline. Its few types are written here: generated ones cost more build time than the
/// whole module, and a published validator reads the result in the tests.
/// <https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html>
///
/// GitHub takes a log only where every result has a place: what has none of its own stands at the beginning of `manifest`.
/// <https://docs.github.com/code-security/code-scanning/integrating-with-code-scanning/sarif-support-for-code-scanning>
pub fn sarif(diagnostics: &[Diagnostic], manifest: &Path) -> String {
    let checks: BTreeSet<&str> = diagnostics.iter().map(|diagnostic| diagnostic.check).collect();
    let rules: Vec<Value> = checks.iter().map(|check| rule(check)).collect();
    let log = json!({
        "$schema": "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {"name": "rotator", "version": env!("CARGO_PKG_VERSION"), "rules": rules}},
            "columnKind": "unicodeCodePoints",
            "results": diagnostics.iter().map(|diagnostic| result(diagnostic, manifest)).collect::<Vec<_>>(),
        }],
    });
    safe_json(format!("{log:#}\n"))
}

/// A check, with the members that GitHub asks for. Each result has its own words; here stands what they have in common.
fn rule(check: &str) -> Value {
    let words = format!("The manifest doesn't pass the check `{check}`.");
    let help = "The result says what is wrong, and what to do. `rotator validate` shows it with its line; it needs neither AWS nor credentials.";
    json!({
        "id": check,
        "shortDescription": {"text": words},
        "fullDescription": {"text": words},
        "help": {"text": help},
    })
}

fn result(diagnostic: &Diagnostic, manifest: &Path) -> Value {
    let beginning = || json!({"artifactLocation": {"uri": uri(manifest)}, "region": {"startLine": 1}});
    let place = diagnostic.position.as_ref().map_or_else(beginning, location);
    let level = match diagnostic.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    let mut result = json!({
        "ruleId": diagnostic.check,
        "level": level,
        "message": {"text": message(diagnostic)},
        "locations": [{"physicalLocation": place}],
    });
    if !diagnostic.related.is_empty() {
        let related = diagnostic.related.iter().enumerate().map(|(index, (position, word))| {
            json!({"id": index + 1, "physicalLocation": location(position), "message": {"text": safe(word)}})
        });
        result["relatedLocations"] = related.collect();
    }
    result
}

fn location(position: &Position) -> Value {
    json!({
        "artifactLocation": {"uri": uri(&position.file)},
        "region": {
            "startLine": position.line,
            "startColumn": position.column,
            "endColumn": position.column + position.length,
        },
    })
}

/// A path as a relative reference: what can't be one is percent-encoded.
fn uri(path: &Path) -> String {
    let path = path.to_string_lossy();
    let path = path.strip_prefix("./").unwrap_or(&path);
    utf8_percent_encode(path, NOT_IN_PATHS).to_string()
}

/// GitHub's workflow commands, one line each.
/// <https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands>
pub fn github(diagnostics: &[Diagnostic]) -> String {
    let mut out = String::new();
    for diagnostic in diagnostics {
        let word = match diagnostic.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        let mut properties = Vec::new();
        if let Some(position) = &diagnostic.position {
            let path = position.file.to_string_lossy();
            properties.push(format!("file={}", property(path.strip_prefix("./").unwrap_or(&path))));
            properties.push(format!("line={},col={}", position.line, position.column));
            properties.push(format!("endColumn={}", position.column + position.length));
        }
        properties.push(format!("title={}", property(&format!("rotator: {}", diagnostic.check))));
        let _ = writeln!(out, "::{word} {}::{}", properties.join(","), data(&message(diagnostic)));
    }
    out
}

/// A command's message: what would end it, or begin another, is escaped.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(&without_marks(&safe(text), "\\u{23}")).replace(':', "%3A").replace(',', "%2C")
}

/// What is wrong, where it holds, why, and what to do: lines of text.
fn message(diagnostic: &Diagnostic) -> String {
    let mut lines: Vec<Cow<'_, str>> = vec![safe(&diagnostic.summary)];
    let targets = diagnostic.targets.join(", ");
    let targets = (!targets.is_empty()).then(|| format!("in {targets}"));
    lines.extend(targets.iter().map(|targets| safe(targets)));
    lines.extend(diagnostic.detail.iter().map(|detail| safe(detail)));
    for hint in &diagnostic.hints {
        for (index, line) in hint.lines().enumerate() {
            let before = if index == 0 { "hint: " } else { "  " };
            lines.push(format!("{before}{}", safe(line)).into());
        }
    }
    without_marks(&lines.join("\n"), "\\u{23}").into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem() -> Diagnostic {
        let position = |line, text: &str| Position {
            file: "./teams/a b/rotator.yaml".into(),
            line,
            column: 5,
            length: 4,
            text: Some(text.to_owned()),
        };
        let mut problem = Diagnostic::error("schedule", "`rate(1 hour)` is too often\n::error::forged")
            .at(position(7, "    rate"))
            .because("100 % of windows overlap")
            .hint("write it as `rate(4 hours)`");
        problem.related.push((position(2, "    base"), "the default comes from here".to_owned()));
        problem.targets.push("prod-eu".to_owned());
        problem
    }

    /// Without it, a name in a manifest could forge commands of the pipeline that checks it.
    #[test]
    fn commands_of_github_hold_one_line_each() {
        assert_eq!(
            github(&[problem()]),
            "::error file=teams/a b/rotator.yaml,line=7,col=5,endColumn=9,title=rotator%3A schedule::`rate(1 hour)` is too often\\u{a}::error::forged%0Ain prod-eu%0A100 %25 of windows overlap%0Ahint: write it as `rate(4 hours)`\n"
        );
    }

    /// Without it, code scanning would show a problem at another line, or refuse the whole log.
    #[test]
    fn a_result_says_where_it_is() {
        let log: Value = serde_json::from_str(&sarif(
            &[problem(), Diagnostic::error("code", "it is gone")],
            Path::new("./a/rotator.yaml"),
        ))
        .expect("JSON");
        let result = &log["runs"][0]["results"][0];
        assert_eq!(result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"], "teams/a%20b/rotator.yaml");
        let region = json!({"startLine": 7, "startColumn": 5, "endColumn": 9});
        assert_eq!(result["locations"][0]["physicalLocation"]["region"], region);
        assert_eq!(result["relatedLocations"][0]["message"]["text"], "the default comes from here");
        let elsewhere = &log["runs"][0]["results"][1]["locations"][0]["physicalLocation"];
        assert_eq!(*elsewhere, json!({"artifactLocation": {"uri": "a/rotator.yaml"}, "region": {"startLine": 1}}));
        assert_eq!((&result["ruleId"], &result["level"]), (&json!("schedule"), &json!("error")));
    }
}
