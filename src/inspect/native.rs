//! Libraries in machine code that a function in Python imports: for its platform, its version of Python, its processor.

use std::collections::{BTreeMap, BTreeSet};

use super::Facts;
use super::machine::{HEADER, Kind, Processor, glibc, glibc_of};
use super::package::Package;
use crate::model::{CodeCheck, CodeFinding};

/// The largest library in which versions of the C library are looked for, in bytes.
const MOST: usize = 8 * 1024 * 1024;

/// How many findings are told.
const MOST_TOLD: usize = 10;

/// What is wrong with a library.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Wrong {
    /// It is made for another system.
    System(&'static str),
    /// It is made for another Python, such as `3.9`.
    Version(String),
    /// It is made for another processor.
    Processor(&'static str),
    /// It asks for a newer C library.
    Library(u8),
}

/// Looks at all libraries. `reached`: the modules that are surely imported, by their paths without ending.
pub(super) fn look(
    package: &Package<'_>,
    facts: &Facts,
    minor: Option<u8>,
    reached: &BTreeSet<String>,
) -> Vec<CodeFinding> {
    // What one module has in several forms is right where one of them is.
    let mut modules: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for file in package.files {
        let name = file.path.rsplit('/').next().unwrap_or_default();
        let Some((stem, ending)) = name.split_once('.') else { continue };
        if ending.split('.').any(|part| matches!(part, "so" | "pyd")) {
            let path = &file.path[..file.path.len() - name.len() + stem.len()];
            modules.entry(path).or_default().push(&file.path);
        }
    }
    let mut told: BTreeMap<(bool, &str, Wrong), Vec<&str>> = BTreeMap::new();
    for (module, files) in modules {
        // Written in Python too, it is only slower.
        if package.has(&format!("{module}.py")) {
            continue;
        }
        let is_reached = reached.contains(module);
        let judged: Vec<Option<Wrong>> =
            files.iter().map(|file| judge(package, file, facts, minor, is_reached)).collect();
        let Some(wrong) = judged.iter().flatten().next().filter(|_| judged.iter().all(Option::is_some)) else {
            continue;
        };
        let top = module.split('/').next().unwrap_or_default();
        told.entry((!is_reached, top, wrong.clone())).or_default().extend(files);
    }
    let mut seen = BTreeSet::new();
    let first = |((is_unsure, top, wrong), files): ((bool, &str, Wrong), Vec<&str>)| {
        seen.insert((top.to_owned(), wrong.clone()))
            .then(|| finding(!is_unsure, &wrong, &files, facts, minor))
            .flatten()
    };
    let mut found: Vec<CodeFinding> = told.into_iter().filter_map(first).collect();
    if found.is_empty() {
        found.extend(wheels(package));
    }
    found.truncate(MOST_TOLD);
    found
}

/// What keeps a library from being loaded.
fn judge(package: &Package<'_>, path: &str, facts: &Facts, minor: Option<u8>, is_reached: bool) -> Option<Wrong> {
    let name = path.rsplit('/').next().unwrap_or_default();
    if name.strip_suffix(".pyd").is_some() || name.contains("-win_") {
        return Some(Wrong::System("Windows"));
    }
    if name.contains("-darwin") {
        return Some(Wrong::System("macOS"));
    }
    if name.contains("-linux-musl") {
        return Some(Wrong::System("Alpine Linux"));
    }
    if let (Some(of), Some(minor)) = (version(name), minor)
        && of != minor
    {
        return Some(Wrong::Version(format!("3.{of}")));
    }
    let wanted = Processor::of(facts.architecture.as_deref());
    match Kind::of(&package.beginning(path, HEADER)?) {
        Kind::Mach => return Some(Wrong::System("macOS")),
        Kind::Windows => return Some(Wrong::System("Windows")),
        Kind::Elf(processor) if processor != wanted && wanted != Processor::Other => {
            return Some(Wrong::Processor(processor.word()));
        }
        Kind::Elf(_) => {}
        // An empty file, or a linker's script: whatever it is, it says nothing.
        Kind::Other => return None,
    }
    // A whole file is read only where it counts.
    let has = glibc_of(facts.runtime.as_deref().filter(|_| is_reached)?)?;
    let asks = package.read(path, MOST).as_deref().and_then(glibc)?;
    (asks > has).then_some(Wrong::Library(asks))
}

/// The minor version of Python that a module is made for: of `_x.cpython-313-x86_64-linux-gnu.so`, 13. One for `abi3` fits all.
fn version(name: &str) -> Option<u8> {
    let rest = name.split_once(".cpython-3").map(|(_, rest)| rest)?;
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

fn finding(is_error: bool, wrong: &Wrong, files: &[&str], facts: &Facts, minor: Option<u8>) -> Option<CodeFinding> {
    let first = files.first()?;
    let more = match files.len() {
        1 => String::new(),
        count => format!(" and {} more", count - 1),
    };
    let runtime = facts.runtime.as_deref().unwrap_or("the runtime");
    let wanted = Processor::of(facts.architecture.as_deref()).word();
    let words = match wrong {
        Wrong::System(system) => format!("is made for {system}, and Lambda is Linux"),
        Wrong::Version(version) => format!("is made for Python {version}, and the function runs {runtime}"),
        Wrong::Processor(processor) => format!("is made for {processor}, and the function runs on {wanted}"),
        Wrong::Library(minor) => format!("asks for version 2.{minor} of the C library, which {runtime} doesn't have"),
    };
    // Which processor a function has that states none is only likely.
    let is_sure = !matches!(wrong, Wrong::Processor(_)) || facts.architecture.is_some();
    let finding =
        CodeFinding::new(CodeCheck::Native, is_error && is_sure, format!("`{first}`{more} {words}")).of(*first);
    let platform = match (wanted, facts.runtime.as_deref().and_then(glibc_of)) {
        ("arm64", Some(34)) => "manylinux_2_34_aarch64 --platform manylinux2014_aarch64",
        ("arm64", _) => "manylinux2014_aarch64",
        (_, Some(34)) => "manylinux_2_34_x86_64 --platform manylinux2014_x86_64",
        _ => "manylinux2014_x86_64",
    };
    let version = minor.map(|minor| format!(" --python-version 3.{minor}")).unwrap_or_default();
    let target = if facts.is_folder { facts.place.as_str() } else { "FOLDER" };
    let command = format!(
        "pip install --upgrade --target {target} --platform {platform} --implementation cp{version} --only-binary=:all: PACKAGE"
    );
    Some(finding.hint("install its package for Lambda:").hint(command))
}

/// Wheels that are made for another system alone, by their own notes.
fn wheels(package: &Package<'_>) -> Vec<CodeFinding> {
    let mut found = Vec::new();
    for file in package
        .files
        .iter()
        .filter(|file| file.path.strip_suffix(".dist-info/WHEEL").is_some() && !file.path.starts_with('/'))
    {
        let content = package.read(&file.path, 64 * 1024).unwrap_or_default();
        let text = String::from_utf8_lossy(&content);
        let tags: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("Tag: ")).collect();
        let platforms = tags.iter().filter_map(|tag| tag.trim().rsplit('-').next());
        let system = |platform: &str| match platform {
            _ if platform.starts_with("macosx") => Some("macOS"),
            _ if platform.starts_with("win") => Some("Windows"),
            _ => None,
        };
        let systems: Vec<Option<&str>> = platforms.map(system).collect();
        let Some(system) = systems.first().copied().flatten().filter(|_| systems.iter().all(Option::is_some)) else {
            continue;
        };
        let name = file.path.split('-').next().unwrap_or_default();
        let summary = format!("the package `{name}` is made for {system}, and Lambda is Linux");
        found.push(
            CodeFinding::warning(CodeCheck::Native, summary)
                .of(&file.path)
                .hint("install it with pip's `--platform manylinux2014_x86_64 --only-binary=:all:`"),
        );
    }
    found
}
