//! The commands and options that pages name: each is one that the program, or Cargo, knows.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use super::options::{commands, help};
use super::pages::{Page, pages, repository};

/// A command's words, without quotation marks, placeholders for more, and all but the first of alternatives.
fn words(command: &str) -> Vec<String> {
    let words = command.split_whitespace().map(|word| word.trim_matches(['\'', '"']));
    let stands = |word: &&str| !word.starts_with('[') && !word.contains('…');
    words
        .filter(stands)
        .map(|word| match word {
            "SHELL" => "bash".to_owned(),
            "N" => "1".to_owned(),
            word => word.split(['|', '[']).next().unwrap_or_default().to_owned(),
        })
        .collect()
}

/// Commands of a page, each with its line: between backticks, and in blocks for a shell.
fn named<'a>(page: &'a Page, program: &str) -> Vec<(usize, &'a str)> {
    let spans = page.spans.iter().map(|(line, span)| (*line, span.as_str()));
    let lines = page
        .blocks
        .iter()
        .filter(|block| block.language == "sh")
        .flat_map(|block| block.text.lines().enumerate().map(|(index, line)| (block.line + 1 + index, line)));
    let is_it = |(_, text): &(usize, &str)| text.split_whitespace().find(|word| !word.contains('=')) == Some(program);
    spans.chain(lines).filter(is_it).collect()
}

/// The names that the workflows of the example have, which look like commands.
fn workflows() -> BTreeSet<String> {
    let folder = repository().join("examples/gitops/.github/workflows");
    let files = std::fs::read_dir(folder).expect("the workflows").map(|entry| entry.expect("a workflow").path());
    let texts = files.map(|path| std::fs::read_to_string(path).expect("UTF-8"));
    texts.filter_map(|text| Some(text.lines().find_map(|line| line.strip_prefix("name: "))?.to_owned())).collect()
}

/// Without it, people would type what a page says, and be told that there is no such command or option.
#[test]
fn every_command_is_one_that_the_program_knows() {
    let workflows = workflows();
    let mut wrong = Vec::new();
    let mut seen: BTreeMap<Vec<String>, bool> = BTreeMap::new();
    for page in pages() {
        for (line, text) in named(&page, "rotator") {
            if workflows.contains(text) && page.path.starts_with("examples/gitops") {
                continue;
            }
            // One command of several: what comes after it is the shell's.
            let one = text.split(" && ").next().unwrap_or_default().split(" > ").next().unwrap_or_default();
            let mut arguments: Vec<String> = words(one.trim_end_matches('&').split(" #").next().unwrap_or_default());
            arguments.retain(|word| !word.contains('=') || word.starts_with('-'));
            arguments.remove(0);
            // Asked for help, the program says nothing else; but it reads what stands before.
            arguments.push("--help".to_owned());
            let is_known = *seen.entry(arguments.clone()).or_insert_with(|| {
                let mut command = Command::new(env!("CARGO_BIN_EXE_rotator"));
                command.args(&arguments).env_clear().output().expect("the binary runs").status.success()
            });
            if !is_known {
                wrong.push(format!("{}:{line}: {text}", page.path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "commands that the program doesn't know:\n{}", wrong.join("\n"));
    assert!(seen.len() >= 15, "only {} commands were found", seen.len());
}

/// Without it, an option could go or get another name, and pages go on naming it.
#[test]
fn every_option_is_one_that_the_program_knows() {
    let main = help(&[]);
    let mut known: BTreeSet<String> = BTreeSet::new();
    let mut texts = vec![main.clone()];
    for name in commands(&main) {
        let text = help(&[&name]);
        texts.extend(commands(&text).iter().map(|inner| help(&[&name, inner])));
        texts.push(text);
    }
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '-';
    for text in &texts {
        known.extend(text.split(|c| !is_part(c)).filter(|word| word.starts_with("--")).map(str::to_owned));
    }
    let (mut wrong, mut count) = (Vec::new(), 0);
    for page in pages() {
        // The benchmark and the live check have options of their own.
        if page.path.starts_with("tests/performance") || page.path.starts_with("tests/live") {
            continue;
        }
        for (line, span) in page.spans.iter().filter(|(_, span)| span.starts_with("--")) {
            count += 1;
            let option = span.split(|c| !is_part(c)).next().unwrap_or_default();
            if !known.contains(option) {
                wrong.push(format!("{}:{line}: {span}", page.path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "options that the program doesn't know:\n{}", wrong.join("\n"));
    assert!(count >= 20, "only {count} options were found");
}

/// Without it, a pipeline would be written for exit codes that mean something else, or for fewer than there are.
#[test]
fn every_exit_code_stands_in_the_readme() {
    let source = std::fs::read_to_string(repository().join("src/exit.rs")).expect("the exit codes");
    let codes = source.lines().filter(|line| line.starts_with("pub const ") && line.contains(": u8 = "));
    let codes: Vec<&str> = codes.filter_map(|line| line.split(" = ").nth(1)?.strip_suffix(';')).collect();
    assert!(codes.len() >= 7, "{codes:?}");
    let page = Page::read(Path::new("README.md"));
    let rows: Vec<&str> = page.text.lines().skip_while(|line| !line.starts_with("| exit code |")).skip(2).collect();
    let shown: Vec<&str> =
        rows.into_iter().map_while(|line| line.strip_prefix("| ")?.split_once(" |").map(|(code, _)| code)).collect();
    assert_eq!(shown, codes);
}

/// The names in a suite of tests: those of its functions and modules.
fn names_in(path: &Path, found: &mut String) {
    if path.is_dir() {
        for entry in std::fs::read_dir(path).expect("a suite is readable") {
            names_in(&entry.expect("a suite is readable").path(), found);
        }
    } else if path.extension().is_some_and(|extension| extension == "rs") {
        found.push_str(&path.file_stem().unwrap_or_default().to_string_lossy());
        found.push('\n');
        found.push_str(&std::fs::read_to_string(path).expect("sources are UTF-8"));
    }
}

/// Without it, the commands that repeat a suite's whole would run nothing, and end well.
#[test]
fn every_suite_that_a_page_names_exists() {
    let (mut wrong, mut count) = (Vec::new(), 0);
    for page in pages() {
        for (line, text) in named(&page, "cargo") {
            let words = words(text);
            let Some(suite) = words.iter().position(|word| word == "--test").and_then(|at| words.get(at + 1)) else {
                continue;
            };
            count += 1;
            let tests = repository().join("tests");
            let paths = [tests.join(format!("{suite}.rs")), tests.join(suite)];
            let mut sources = String::new();
            paths.iter().filter(|path| path.exists()).for_each(|path| names_in(path, &mut sources));
            // A filter is any word that is neither an option nor an option's value.
            let takes_value = ["--test", "--test-threads", "-p", "--profile"];
            let at = words.iter().position(|word| word == "test").unwrap_or_default() + 1;
            let filters = words.iter().enumerate().skip(at).filter(|(index, word)| {
                !word.starts_with('-') && !takes_value.contains(&words[index - 1].as_str()) && *word != "NAME"
            });
            let missing: Vec<&String> = filters.map(|(_, word)| word).filter(|word| !sources.contains(*word)).collect();
            if sources.is_empty() || !missing.is_empty() {
                wrong.push(format!("{}:{line}: {text}", page.path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "suites or tests that aren't there:\n{}", wrong.join("\n"));
    assert!(count >= 8, "only {count} suites were found");
}

/// Without it, a suite could come of which no page says what it is for, or how long it takes.
#[test]
fn every_suite_stands_in_the_table() {
    let page = Page::read(Path::new("tests/README.md"));
    let mut count = 0;
    for entry in std::fs::read_dir(repository().join("tests")).expect("the suites") {
        let path = entry.expect("a suite").path();
        let is_suite = path.join("main.rs").exists() || path.extension().is_some_and(|extension| extension == "rs");
        if is_suite {
            count += 1;
            let name = path.file_stem().unwrap_or_default().to_string_lossy();
            let row = format!("\n| `cargo test --test {name}` |");
            assert!(page.text.contains(&row), "tests/README.md has no row for {name}");
        }
    }
    assert!(count >= 12, "only {count} suites were found");
}
