//! Links, anchors, and names of files and tests.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use super::pages::{Page, pages, repository};

/// A path without `.` and `..`.
fn plain(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                out.pop();
            }
            Component::CurDir => {}
            part => out.push(part),
        }
    }
    out
}

/// Where a link leads within the repository: a path and a heading's name; `None` for the rest of the world.
fn destination(page: &Page, link: &str) -> Option<(PathBuf, String)> {
    if link.contains("://") || link.starts_with("mailto:") {
        return None;
    }
    let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
    let folder = page.path.parent().unwrap_or(Path::new(""));
    let path = if path.is_empty() { page.path.clone() } else { plain(&folder.join(path)) };
    Some((path, anchor.to_owned()))
}

/// Without it, a reader would click on a section that has moved, and find nothing.
#[test]
fn every_link_leads_somewhere() {
    let all = pages();
    let mut wrong = Vec::new();
    let mut count = 0;
    for page in &all {
        for (line, link) in &page.links {
            let Some((path, anchor)) = destination(page, link) else { continue };
            count += 1;
            let found = all.iter().find(|other| other.path == path);
            let has_anchor = anchor.is_empty() || found.is_some_and(|found| found.anchors.contains(&anchor));
            if !repository().join(&path).exists() || !has_anchor {
                wrong.push(format!("{}:{line}: {link}", page.path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "links lead nowhere:\n{}", wrong.join("\n"));
    assert!(count >= 20, "only {count} links were found");
}

/// Without it, a page would be written that only those find who know that it is there.
#[test]
fn every_page_is_one_link_away_from_the_readme() {
    let all = pages();
    let linked = |page: &Page| -> BTreeSet<PathBuf> {
        page.links.iter().filter_map(|(_, link)| destination(page, link)).map(|(path, _)| path).collect()
    };
    let first = all.iter().find(|page| page.path == Path::new("README.md")).expect("the README");
    let near = linked(first);
    for page in all.iter().filter(|page| page.path != first.path) {
        assert!(near.contains(&page.path), "the README has no link to {}", page.path.display());
    }
}

/// Without it, the first page would grow again until it isn't read.
#[test]
fn the_readme_stays_short() {
    let lines = Page::read(Path::new("README.md")).text.lines().count();
    assert!(lines <= 350, "the README has {lines} lines: what is for some readers goes beside what it describes");
}

/// Without it, pages would send people to files that were moved.
#[test]
fn every_file_that_a_page_names_exists() {
    let tops = ["src/", "tests/", "examples/", "schema/", ".ci/", ".github/"];
    // `NAME`, `*` and `…` stand for what the reader puts there.
    let is_pattern = |span: &str| span.contains(['*', '…', ' ', '{', '<', '$']) || span.contains("NAME");
    let mut wrong = Vec::new();
    let mut count = 0;
    for page in pages() {
        let folder = page.path.parent().unwrap_or(Path::new("")).to_owned();
        for (line, span) in &page.spans {
            if !tops.iter().any(|top| span.starts_with(top)) || is_pattern(span) {
                continue;
            }
            count += 1;
            if !repository().join(span).exists() && !repository().join(&folder).join(span).exists() {
                wrong.push(format!("{}:{line}: {span}", page.path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "files that aren't there:\n{}", wrong.join("\n"));
    assert!(count >= 40, "only {count} files were found");
}

/// The names of functions and modules in sources, of files and of folders.
fn names(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).expect("folders are readable") {
        let path = entry.expect("folders are readable").path();
        found.extend(path.file_stem().map(|stem| stem.to_string_lossy().into_owned()));
        found.extend(path.file_name().map(|name| name.to_string_lossy().into_owned()));
        if path.is_dir() {
            names(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs" || extension == "py") {
            let text = std::fs::read_to_string(&path).expect("sources are UTF-8");
            let words: Vec<&str> = text.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
            let named = words.windows(2).filter(|pair| ["fn", "mod", "def"].contains(&pair[0])).map(|pair| pair[1]);
            found.extend(named.map(str::to_owned));
        }
    }
}

/// Without it, a folder of the code could come that the picture of the layers doesn't have.
#[test]
fn every_module_stands_among_the_layers() {
    let source = std::fs::read_to_string(repository().join("src/lib.rs")).expect("the library");
    let page = Page::read(Path::new("src/README.md"));
    let modules: Vec<&str> =
        source.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';')).collect();
    assert!(modules.len() >= 10, "{modules:?}");
    for module in modules {
        let names = [format!("src/{module}"), format!("src/{module}.rs")];
        assert!(page.spans.iter().any(|(_, span)| names.contains(span)), "src/README.md lacks `src/{module}`");
    }
}

/// Without it, the walks that lead through the code would name functions that have other names now.
#[test]
fn every_item_that_the_walks_name_exists() {
    let mut known = BTreeSet::new();
    names(&repository().join("src"), &mut known);
    let page = Page::read(Path::new("src/README.md"));
    let items: Vec<&(usize, String)> = page.spans.iter().filter(|(_, span)| span.contains("::")).collect();
    let wrong: Vec<_> = items.iter().filter(|(_, span)| span.split("::").any(|part| !known.contains(part))).collect();
    assert!(wrong.is_empty(), "src/README.md names what isn't there: {wrong:?}");
    assert!(items.len() >= 5, "only {} were found", items.len());
}

/// Without it, a table would go on saying that a test holds something after that test was renamed or deleted.
#[test]
fn every_test_that_a_table_names_exists() {
    let mut known = BTreeSet::new();
    names(&repository().join("src"), &mut known);
    names(&repository().join("tests"), &mut known);
    let text = Page::read(Path::new("tests/README.md")).text.replace("\\|", "");
    let (mut column, mut wrong, mut count) = (None, Vec::new(), 0);
    for (line, text) in text.lines().enumerate() {
        if !text.starts_with('|') {
            column = None;
            continue;
        }
        let cells: Vec<&str> = text.split('|').map(str::trim).collect();
        column = column.or_else(|| cells.iter().position(|cell| *cell == "test"));
        let named =
            column.and_then(|column| cells.get(column)).into_iter().flat_map(|cell| cell.split('`').skip(1).step_by(2));
        for name in named {
            count += 1;
            if name.split("::").any(|part| !known.contains(part)) {
                wrong.push(format!("tests/README.md:{}: {name}", line + 1));
            }
        }
    }
    assert!(wrong.is_empty(), "tests that aren't there:\n{}", wrong.join("\n"));
    assert!(count >= 50, "only {count} tests were found");
}
