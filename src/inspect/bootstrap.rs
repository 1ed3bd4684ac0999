//! The program that a runtime of one's own begins with: `bootstrap`, at the top of the package.

use super::Facts;
use super::machine::{HEADER, Kind, Processor, glibc, glibc_of};
use super::package::Package;
use super::text::Lines;
use crate::model::{CodeCheck, CodeFinding};

/// The largest program that is read whole, in bytes.
const MOST: usize = 12 * 1024 * 1024;

/// The largest script that is read, in bytes.
const MOST_SCRIPT: usize = 256 * 1024;

/// What AWS's images for such runtimes can run scripts with (`provided.al2`, `provided.al2023`).
const SHELLS: [&str; 6] = ["/bin/sh", "/bin/bash", "/usr/bin/sh", "/usr/bin/bash", "/usr/bin/env", "/bin/env"];

/// Looks at it.
pub(super) fn look(package: &Package<'_>, facts: &Facts) -> Vec<CodeFinding> {
    let Some(file) = package.file("bootstrap") else {
        return if facts.layers { Vec::new() } else { vec![missing(package, facts)] };
    };
    let mut found = Vec::new();
    let error = |summary: String| CodeFinding::error(CodeCheck::Bootstrap, summary).of("bootstrap");
    if !file.executable {
        let place = if facts.is_folder { format!("{}/bootstrap", facts.place) } else { "bootstrap".to_owned() };
        found.push(
            error("`bootstrap` isn't executable, and Lambda runs it".to_owned())
                .hint(format!("git update-index --chmod=+x {place} && chmod +x {place}")),
        );
    }
    let header = package.beginning("bootstrap", HEADER).unwrap_or_default();
    match Kind::of(&header) {
        Kind::Elf(processor) => found.extend(program(package, facts, processor)),
        Kind::Mach => found.push(error("`bootstrap` is a program for macOS, and Lambda is Linux".to_owned())),
        Kind::Windows => found.push(error("`bootstrap` is a program for Windows, and Lambda is Linux".to_owned())),
        Kind::Other => found.extend(script(package, facts, &header)),
    }
    found
}

fn missing(package: &Package<'_>, facts: &Facts) -> CodeFinding {
    let runtime = facts.runtime.as_deref().unwrap_or_default();
    let place = &facts.place;
    let summary = format!("`{place}` has no `bootstrap`, which {runtime} begins with");
    let finding = CodeFinding::error(CodeCheck::Bootstrap, summary);
    let paths = || package.files.iter().map(|file| file.path.as_str());
    if let Some(other) = paths().find(|path| path.eq_ignore_ascii_case("bootstrap")) {
        return finding.because("names of files are compared by case").hint(format!("rename `{other}`"));
    }
    if let Some(folder) = paths().find_map(|path| path.strip_suffix("/bootstrap")) {
        return finding.because(format!("it has one in the folder `{folder}`, and Lambda looks at the top")).hint(
            if facts.is_folder {
                format!("state the folder as the code: `{place}/{folder}`")
            } else {
                format!("pack what is in the folder: (cd {folder} && zip -r ../package.zip .)")
            },
        );
    }
    let named = ["sh", "py", "bin", "exe"].map(|ending| format!("bootstrap.{ending}"));
    if let Some(other) = paths().find(|path| named.iter().any(|name| name == path)) {
        return finding.hint(format!("rename `{other}`: the name has no ending"));
    }
    let mut programs = paths().filter(|path| {
        !path.contains('/') && matches!(Kind::of(&package.beginning(path, HEADER).unwrap_or_default()), Kind::Elf(_))
    });
    match (programs.next(), programs.next()) {
        (Some(program), None) if !program.contains(".so") => finding.hint(format!("rename `{program}`, if it is that")),
        _ => finding.hint("add it: an executable program, or a script that begins with `#!/bin/sh`"),
    }
}

/// What keeps a program from running.
fn program(package: &Package<'_>, facts: &Facts, processor: Processor) -> Option<CodeFinding> {
    let wanted = Processor::of(facts.architecture.as_deref());
    if processor != wanted && wanted != Processor::Other {
        let summary =
            format!("`bootstrap` is made for {}, and the function runs on {}", processor.word(), wanted.word());
        let finding = CodeFinding::new(CodeCheck::Bootstrap, facts.architecture.is_some(), summary).of("bootstrap");
        return Some(finding.hint(match processor {
            Processor::Arm => "state `architecture: arm64`, or build it for x86_64",
            Processor::X86 => "state `architecture: x86_64`, or build it for arm64",
            Processor::Other => "build it for 64 bits",
        }));
    }
    let has = facts.runtime.as_deref().and_then(glibc_of)?;
    let asks = package.read("bootstrap", MOST).as_deref().and_then(glibc).filter(|asks| *asks > has)?;
    let summary = format!("`bootstrap` asks for version 2.{asks} of the C library, and the runtime has 2.{has}");
    Some(
        CodeFinding::error(CodeCheck::Bootstrap, summary)
            .of("bootstrap")
            .hint("build it without the system's C library (musl; in Go, `CGO_ENABLED=0`), or on an older system"),
    )
}

/// What keeps a script from running.
fn script(package: &Package<'_>, facts: &Facts, header: &[u8]) -> Vec<CodeFinding> {
    let content = package.read("bootstrap", MOST_SCRIPT).unwrap_or_default();
    let text = String::from_utf8_lossy(&content);
    let lines = Lines::new(&text);
    let first = text.lines().next().unwrap_or_default();
    let finding = |is_error: bool, summary: String| {
        CodeFinding::new(CodeCheck::Bootstrap, is_error, summary).of("bootstrap").at(lines.spot(0, first.len()))
    };
    if content.starts_with(b"\xef\xbb\xbf") {
        let problem = finding(true, "`bootstrap` begins with a byte order mark, which hides its `#!`".to_owned());
        return vec![problem.hint("save it as UTF-8 without a byte order mark")];
    }
    if !header.starts_with(b"#!") {
        let problem = finding(true, "`bootstrap` is neither a program for Linux nor a script with `#!`".to_owned());
        return vec![problem.hint("begin the script with `#!/bin/sh`")];
    }
    if text.contains("\r\n") {
        let problem = finding(first_ends_in_return(&content), "`bootstrap` has Windows's ends of lines".to_owned());
        let problem = problem.because("Linux looks for an interpreter whose name ends in a carriage return");
        return vec![problem.hint("save it with Unix's, and keep them in `.gitattributes`: `bootstrap text eol=lf`")];
    }
    let mut found = Vec::new();
    let interpreter = first.trim_start_matches("#!").trim();
    let mut words = interpreter.split_whitespace();
    let program = words.next().unwrap_or_default();
    let ran = if program.ends_with("/env") { words.next().unwrap_or_default() } else { program };
    let packaged = ran.strip_prefix("/var/task/").or_else(|| ran.strip_prefix("./"));
    let is_there = SHELLS.contains(&program) && (!program.ends_with("/env") || matches!(ran, "sh" | "bash"));
    if !is_there && !facts.layers && packaged.is_none_or(|path| !package.has(path)) {
        let runtime = facts.runtime.as_deref().unwrap_or_default();
        let problem =
            finding(packaged.is_some(), format!("`bootstrap` is run by `{ran}`, which {runtime} doesn't have"));
        found.push(
            problem.hint("AWS's image has `/bin/sh` and `/bin/bash`; package the interpreter, or choose its runtime"),
        );
    }
    let lower = text.to_lowercase();
    if package.files.len() == 1 && !facts.layers && !lower.contains("secretsmanager") {
        let summary =
            "`bootstrap` never speaks to Secrets Manager, and is alone in the package: it can't rotate anything";
        let problem = CodeFinding::warning(CodeCheck::Step, summary).of("bootstrap");
        found.push(problem.hint("a rotation makes a version, tells the service, tries it, and moves AWSCURRENT to it"));
    }
    found
}

fn first_ends_in_return(content: &[u8]) -> bool {
    content.split(|byte| *byte == b'\n').next().is_some_and(|first| first.ends_with(b"\r"))
}
