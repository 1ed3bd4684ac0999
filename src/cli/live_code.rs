//! What a plan changes in live code, for `plan --show-code`.

use crate::aws::{self, covered};
use crate::config::credential_kind;
use crate::model::{Address, Difference, Kind};
use crate::package;
use crate::plan::{Action, Change};
use crate::render::code;
use crate::render::safe;

use super::options::Format;
use super::prepared::Prepared;
use super::session::Session;

/// The longest comment of a pull request, with room for what stands around it.
const COMMENT: usize = crate::render::plan_markdown::LONGEST;

/// What changes in live code, by the functions' addresses; or why that can't be shown.
pub async fn differences(session: &Session, prepared: &[Prepared]) -> Vec<(Address, Result<Difference, String>)> {
    let mut all = Vec::new();
    for one in prepared {
        let replaces = |change: &&Change| matches!(change.action, Action::UpdateCode);
        let changes: Vec<&Change> = one.plan.changes.iter().filter(replaces).collect();
        if changes.is_empty() {
            continue;
        }
        let connection = aws::connect(&session.settings, &one.desired.target).await;
        for change in changes {
            let is_live =
                one.live.functions.get(&change.address.handle).is_some_and(|live| live.configuration.found().is_some());
            if !is_live {
                continue;
            }
            let found = match &connection {
                Ok(connection) => difference(&connection.reader(), one, change).await,
                Err(error) => Err(error.to_string()),
            };
            all.push((change.address.clone(), found));
        }
    }
    all
}

/// The difference of one function's live code and its package.
async fn difference(reader: &aws::Reader, one: &Prepared, change: &Change) -> Result<Difference, String> {
    let Some(zip) = one.packages.get(&change.address.handle).cloned() else {
        return Err("its new code is an object in S3, which isn't read".to_owned());
    };
    let (hash, live) = reader.live_package(&change.name).await.map_err(|error| error.to_string())?;
    let live = live.ok_or("its live package can't be downloaded")?;
    package::check_named(&live, &hash)?;
    let compared = tokio::task::spawn_blocking(move || package::difference(&live, &zip)).await;
    compared.map_err(|error| error.to_string())?.map_err(|error| format!("its live package can't be read: {error}"))
}

/// Code as it may be shown: without values that this run knows to be private, nor lines that look like credentials.
fn hidden(text: &str) -> String {
    let line = |line: &str| match credential_kind(line) {
        Some(kind) => format!("(a line that holds what looks like {kind})"),
        None => line.to_owned(),
    };
    covered(text).lines().map(line).collect::<Vec<_>>().join("\n")
}

/// All differences behind a plan of so many bytes, in a format for people.
pub fn shown(all: &[(Address, Result<Difference, String>)], format: Format, plan: usize) -> String {
    let mut out = String::new();
    for (address, found) in all {
        debug_assert_eq!(address.kind, Kind::Function);
        let address = address.to_string();
        let lines = match found {
            Ok(difference) => code::difference(difference, &hidden),
            Err(why) => vec![code::Line::Note(format!("the live code isn't shown: {}", safe(why)))],
        };
        let text = match format {
            Format::Markdown => code::markdown(&address, &lines, COMMENT.saturating_sub(plan + out.len())),
            Format::Text | Format::Json => code::text(&address, &lines),
        };
        out.push_str(&text);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::package::tests::zip_of;
    use crate::render::code::{Line, markdown, plain};

    fn shown(before: &[(&str, &str)], after: &[(&str, &str)]) -> String {
        let difference = package::difference(&zip_of(before), &zip_of(after)).expect("both can be read");
        plain(&code::difference(&difference, &|text| text.replace("hunter2", "***")))
    }

    /// Without it, reviewers would approve code that they haven't seen, or see a dependency's thousand lines in its place.
    #[test]
    fn code_is_shown_as_people_read_diffs() {
        let before = [
            ("f.py", "import a\n\n\ndef f():\n    return 1\n"),
            ("old.py", "x = 1\n"),
            ("psycopg2/__init__.py", "one"),
            ("psycopg2_binary.libs/libpq.so", "one"),
            ("psycopg2_binary-2.9.9.dist-info/METADATA", "one"),
            ("psycopg2_binary-2.9.9.dist-info/top_level.txt", "psycopg2\n"),
            ("six.py", "x"),
            ("six-1.16.0.dist-info/METADATA", "x"),
        ];
        let after = [
            ("f.py", "import a\n\n\ndef f():\n    return 2\n"),
            ("new.py", "y = 1\n"),
            ("psycopg2/__init__.py", "two"),
            ("psycopg2_binary.libs/libpq.so", "two"),
            ("psycopg2_binary-2.9.10.dist-info/METADATA", "two"),
            ("psycopg2_binary-2.9.10.dist-info/top_level.txt", "psycopg2\n"),
        ];
        assert_eq!(
            shown(&before, &after),
            "psycopg2_binary 2.9.9 → 2.9.10 (6 files)\nsix 1.16.0 goes (2 files)\n\
             --- live/f.py\n+++ new/f.py\n@@ -2,4 +2,4 @@\n \n \n def f():\n-    return 1\n+    return 2\n\
             --- /dev/null\n+++ new/new.py\n@@ -0,0 +1 @@\n+y = 1\n\
             --- live/old.py\n+++ /dev/null\n@@ -1 +0,0 @@\n-x = 1\n"
        );
    }

    /// Without it, a value that stands in live code would reach a pull request's comment, or a file fill it.
    #[test]
    fn what_is_private_or_too_much_is_not_shown() {
        let long = (0..5_000).map(|line| format!("line {line}")).collect::<Vec<_>>().join("\n");
        let text = shown(
            &[("f.py", "KEY = 'hunter2'\n"), (".env", "A=hunter2"), ("a.bin", "\0"), ("long.py", "")],
            &[("f.py", "KEY = 'hunter2'\n\u{1b}[2J"), (".env", "A=other"), ("a.bin", "\0\0"), ("long.py", &long)],
        );
        assert!(!text.contains("hunter2") && !text.contains("A=other") && !text.contains('\u{1b}'), "{text}");
        assert!(
            text.contains("it may hold credentials") && text.contains("too large to be shown: 1 bytes → 2 bytes"),
            "{text}"
        );
        assert!(text.contains("(and 4801 lines more)") && text.lines().count() < 300, "{text}");
        let lines = vec![Line::New("x".repeat(1_000))];
        assert!(markdown("function.f", &lines, 500).contains("more than fits here"));
        assert!(markdown("function.f", &lines, 2_000).contains("<details>"));
    }
}
