//! Inputs far larger than any manifest: time and memory stay in bounds, and what is said can be read.
//!
//! The tests try a hundredth of the size; the whole size belongs to the documented run.

use std::fmt::Write as _;
use std::path::Path;

use super::support::{Ended, rotator, run};

/// Sizes of manifests in kilobytes, and how many megabytes of address space each may take.
const SMALL: (usize, u64) = (512, 1024);
const WHOLE: (usize, u64) = (50 * 1024, 6 * 1024);

/// How much may be printed, in bytes, however much is wrong.
const MOST_SAID: usize = 2 * 1024 * 1024;

fn head(more: &str) -> String {
    format!("version: 1\nproject: p\nfunctions: {{f: {{existing: f}}}}\n{more}")
}

/// Repeats lines up to a size.
fn filled(size: usize, start: &str, mut line: impl FnMut(&mut String, usize) -> std::fmt::Result) -> String {
    let mut text = start.to_owned();
    let mut number = 0;
    while text.len() < size {
        line(&mut text, number).expect("writing to memory never fails");
        number += 1;
    }
    text
}

/// What is written, with what must be said about it; `None`: it is accepted.
#[expect(clippy::too_many_lines, reason = "a table of cases")]
fn cases(size: usize) -> Vec<(&'static str, String, Option<&'static str>)> {
    let secret = "function: f, rotation: {automatically_after_days: 30}";
    vec![
        (
            "many secrets",
            filled(size, &head("secrets:\n"), |text, n| {
                writeln!(text, "  team-{n}/key: {{{secret}, labels: {{owner: team-{n}}}}}")
            }),
            None,
        ),
        (
            "many secrets in one line",
            filled(size, &head("secrets: {a: {}"), |text, n| write!(text, ", s{n}: {{{secret}}}")),
            Some("expected"),
        ),
        (
            "one line of text",
            head(&format!("secrets: {{s: {{{secret}, labels: {{a: {}}}}}}}\n", "x".repeat(size))),
            Some("label"),
        ),
        ("a huge key", head(&format!("{}: 1\n", "k".repeat(size))), Some("")),
        (
            "a huge quoted text",
            head(&format!("secrets: {{s: {{function: \"{}\"}}}}\n", "\\u0041".repeat(size / 6))),
            Some("function"),
        ),
        (
            "a huge block",
            filled(size, &head("secrets:\n  s:\n    function: |\n"), |text, _| {
                text.write_str("      xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n")
            }),
            Some("function"),
        ),
        ("deep lists", head(&format!("secrets: {}", "[".repeat(size))), Some("deep")),
        ("deep maps", head(&format!("secrets: {}", "{a: ".repeat(size / 4))), Some("deep")),
        (
            "deep blocks",
            filled(size, &head("secrets:\n"), |text, n| writeln!(text, "{}a:", " ".repeat(n + 1))),
            Some("deep"),
        ),
        ("deep sequences", head(&format!("secrets:\n  {}x\n", "- ".repeat(size / 2))), Some("deep")),
        ("open quotes", head(&format!("secrets: \"{}", "x\n".repeat(size / 2))), Some("quote")),
        ("only comments", head(&"# nothing here\n".repeat(size / 15)), None),
        ("only spaces", head(&" ".repeat(size)), None),
        ("only line ends", head(&"\n".repeat(size)), None),
        ("tabs", head(&"\t".repeat(size)), Some("")),
        ("nothing but zeros", "\0".repeat(size), Some("")),
        ("documents", head(&"---\n".repeat(size / 4)), Some("")),
        ("directives", format!("{}---\n", "%YAML 1.2\n".repeat(size / 10)), Some("")),
        ("anchors", filled(size, &head("secrets:\n"), |text, n| writeln!(text, "  s{n}: &a{n} {{{secret}}}")), None),
        (
            "an alias bomb",
            filled(size, &head("x0: &x0 [a, a, a, a, a, a, a, a, a, a]\n"), |text, n| {
                writeln!(
                    text,
                    "x{}: &x{} [*x{n}, *x{n}, *x{n}, *x{n}, *x{n}, *x{n}, *x{n}, *x{n}, *x{n}, *x{n}]",
                    n + 1,
                    n + 1
                )
            }),
            Some("alias"),
        ),
        (
            "a merge bomb",
            filled(size, &head("x0: &x0 {a: 1, b: 2, c: 3}\n"), |text, n| {
                writeln!(text, "x{}: &x{} {{<<: *x{n}, k{n}: 1}}", n + 1, n + 1)
            }),
            Some("alias"),
        ),
        (
            "problems",
            filled(size, &head("secrets:\n"), |text, n| writeln!(text, "  a-secret-{n}: {{functoin: f}}")),
            Some("more"),
        ),
        ("wrong types", filled(size, &head("secrets:\n"), |text, n| writeln!(text, "  s{n}: [{n}]")), Some("more")),
        (
            "duplicate keys",
            filled(size, &head("secrets:\n"), |text, _| writeln!(text, "  s: {{{secret}}}")),
            Some("twice"),
        ),
        ("unknown fields", filled(size, &head(""), |text, n| writeln!(text, "field{n}: 1")), Some("unknown field")),
        (
            "dates",
            filled(size, &head("secrets:\n"), |text, n| writeln!(text, "  s{n}: {{name: 2026-01-31}}")),
            Some("quoted"),
        ),
        (
            "a default that everything inherits",
            {
                let labels = (0..size / 400).fold(String::new(), |mut text, n| {
                    let _ = write!(text, "l{n}: {}, ", "v".repeat(100));
                    text
                });
                let start = format!(
                    "version: 1\nproject: p\nfunctions: {{f: {{existing: f}}}}\ndefaults: {{secrets: {{{secret}, labels: {{{labels}}}}}}}\nsecrets:\n"
                );
                filled(size, &start, |text, n| writeln!(text, "  s{n}: {{}}"))
            },
            Some(""),
        ),
        (
            "a variable that everything uses",
            {
                let start = head(&format!(
                    "targets: {{dev: {{region: eu-west-1, vars: {{v: {}}}}}}}\nsecrets:\n",
                    "v".repeat(size / 4)
                ));
                filled(size, &start, |text, n| {
                    writeln!(text, "  s{n}: {{{secret}, labels: {{a: \"${{v}}${{v}}${{v}}${{v}}\"}}}}")
                })
            },
            Some(""),
        ),
        (
            "many targets and many secrets",
            {
                let start = filled(size / 8, &head("targets:\n"), |text, n| {
                    writeln!(text, "  t{n}: {{region: eu-west-1, account: \"{n:012}\"}}")
                });
                filled(size / 2, &format!("{start}secrets:\n"), |text, n| writeln!(text, "  s{n}: {{{secret}}}"))
            },
            Some(""),
        ),
        (
            "many patterns",
            filled(size, &head("include:\n"), |text, n| writeln!(text, "  - \"**/{{a,b,c}}{n}*.yaml\"")),
            Some(""),
        ),
        ("removed", filled(size, &head("removed:\n"), |text, n| writeln!(text, "  - secret.s{n}")), None),
    ]
}

fn attempt(
    (name, text, expected): (&str, String, Option<&str>),
    folder: &Path,
    (_, megabytes): (usize, u64),
) -> Result<Ended, String> {
    std::fs::write(folder.join("rotator.yaml"), &text).expect("a manifest");
    let ended = run(rotator(folder, megabytes).arg("validate"));
    let failed = |what: String| Err(format!("{name} ({} bytes): {what}\n{}", text.len(), ended.shortened()));
    if let Some(breach) = ended.breach() {
        return failed(breach);
    }
    if ended.all().len() > MOST_SAID {
        return failed(format!("it says {} bytes", ended.all().len()));
    }
    match expected {
        None if ended.code != Some(0) => failed("it is refused".to_owned()),
        Some(words) if !words.is_empty() && (ended.code != Some(1) || !ended.all().contains(words)) => {
            failed(format!("it doesn't say {words:?}"))
        }
        _ => Ok(ended),
    }
}

fn all(measure: (usize, u64)) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut wrong = Vec::new();
    let wanted = std::env::var("ROTATOR_BIG").unwrap_or_default();
    for case in cases(measure.0 * 1024).into_iter().filter(|(name, ..)| name.contains(&wanted)) {
        let name = case.0;
        match attempt(case, folder.path(), measure) {
            Ok(ended) => {
                println!("{name}: code {:?} after {:.1?}, {} bytes said", ended.code, ended.took, ended.all().len());
            }
            Err(what) => {
                println!("{what}\n");
                wrong.push(name);
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:?} (ROTATOR_BIG=NAME runs one of them)");
}

/// Without it, a file of some megabytes could take minutes, or all of the machine's memory.
#[test]
fn large_manifests_stay_in_bounds() {
    all(SMALL);
}

/// Without it, only a hundredth of what a pull request can hold would ever have been tried.
#[test]
#[ignore = "takes long: cargo test --test hostile -- --ignored --nocapture --test-threads 1"]
fn manifests_of_fifty_megabytes_stay_in_bounds() {
    all(WHOLE);
}

/// Without it, a part could be what a root must not be.
#[test]
fn a_large_part_stays_in_bounds() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let root = folder.path();
    std::fs::write(root.join("rotator.yaml"), head("include: [part.yaml]\n")).expect("a manifest");
    let part = filled(1024 * 1024, "secrets:\n", |text, n| {
        writeln!(text, "  s{n}: {{function: f, rotation: {{automatically_after_days: 30}}}}")
    });
    std::fs::write(root.join("part.yaml"), part).expect("a part");
    run(rotator(root, 1024).arg("validate")).sound().exits(0);
    // Larger than anything that is read, without taking a disk.
    let file = std::fs::File::create(root.join("part.yaml")).expect("a part");
    file.set_len(1 << 40).expect("a file with a hole");
    run(rotator(root, 1024).arg("validate")).sound().exits(1).says("larger than 64 MB");
}
