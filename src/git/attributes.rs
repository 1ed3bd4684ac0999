//! What a checkout makes of files that were committed: `.gitattributes` can have it write other bytes than Git stores.
//!
//! Git itself says which attributes hold, in a repository of ours without any configuration: the patterns' rules are its own, and
//! no filter runs to know them.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use super::RevisionError;
use super::process::{Stop, ask, git, input, os_string};

/// What Git looks at when it writes a file.
const NAMES: [&str; 6] = ["text", "crlf", "eol", "ident", "filter", "working-tree-encoding"];

/// The attributes of some files: by attribute, as `.gitattributes` has it, the files that have it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Attributes {
    /// Those by which any checkout may write other bytes than Git stores.
    pub changing: BTreeMap<String, BTreeSet<PathBuf>>,
    /// Those by which it depends on the machine, or on how the file was committed.
    pub depending: BTreeMap<String, BTreeSet<PathBuf>>,
}

/// The attributes of files below a folder, by the `.gitattributes` beside and above them. `scratch` is a folder that isn't there yet.
pub fn attributes_of(
    top: &Path,
    files: &BTreeSet<PathBuf>,
    scratch: &Path,
    stop: &Stop,
) -> Result<Attributes, RevisionError> {
    if !have_rules(top, files) {
        return Ok(Attributes::default());
    }
    let failed = |error: io::Error| RevisionError::new(format!("cannot look at `.gitattributes`: {error}"));
    let list: Vec<u8> = files.iter().flat_map(|file| [file.as_os_str().as_encoded_bytes(), b"\0"].concat()).collect();
    let made = bare(scratch).and_then(|()| input(&scratch.join("files"), &list)).map_err(failed)?;
    let mut command = git(top);
    command
        .env("GIT_DIR", scratch)
        .env("GIT_WORK_TREE", top)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_ATTR_NOSYSTEM", "1")
        .args(["-c", "core.attributesFile=/dev/null", "check-attr", "-z", "--stdin"])
        .args(NAMES)
        .stdin(made);
    let answer = ask(stop, &mut command)?;
    let answer = answer.map_err(|said| failed(io::Error::other(said)))?;
    Ok(sorted(&answer))
}

/// Whether some file's folder, or one above it, has a `.gitattributes`. Each folder is looked at once.
fn have_rules(top: &Path, files: &BTreeSet<PathBuf>) -> bool {
    let has_rules = |folder: &&Path| top.join(folder).join(".gitattributes").symlink_metadata().is_ok();
    folders_of(files).iter().any(has_rules)
}

/// The folders of some files, and those above them.
pub fn folders_of(files: &BTreeSet<PathBuf>) -> BTreeSet<&Path> {
    files.iter().flat_map(|file| file.ancestors().skip(1)).collect()
}

/// A repository without anything in it.
fn bare(folder: &Path) -> io::Result<()> {
    for name in ["objects", "refs"] {
        std::fs::create_dir_all(folder.join(name))?;
    }
    std::fs::write(folder.join("HEAD"), "ref: refs/heads/main\n")?;
    std::fs::write(folder.join("config"), "[core]\n\trepositoryformatversion = 0\n\tbare = false\n")
}

/// Reads Git's answer: path, attribute and value, each with a zero byte behind it.
fn sorted(answer: &[u8]) -> Attributes {
    let mut attributes = Attributes::default();
    let mut stated: BTreeMap<PathBuf, BTreeMap<String, String>> = BTreeMap::new();
    let words: Vec<&[u8]> = answer.split(|b| *b == 0).collect();
    for word in words.chunks_exact(3) {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        if word[2] != b"unspecified" {
            let file = PathBuf::from(os_string(word[0].to_vec()));
            stated.entry(file).or_default().insert(text(word[1]), text(word[2]));
        }
    }
    for (file, stated) in stated {
        let value = |name: &str| stated.get(name).map(String::as_str);
        // `crlf` is what `text` was called once.
        let text = value("text").or_else(|| value("crlf"));
        let named = |name: &str| value(name).filter(|value| !matches!(*value, "set" | "unset" | ""));
        let mut add = |is_changing: bool, shown: String| {
            let all = if is_changing { &mut attributes.changing } else { &mut attributes.depending };
            all.entry(shown).or_default().insert(file.clone());
        };
        match text {
            Some("unset") => add(false, "-text".to_owned()),
            Some("set") => add(false, "text".to_owned()),
            Some(other) => add(false, format!("text={other}")),
            None => {}
        }
        if let Some(eol) = value("eol").filter(|_| text != Some("unset")) {
            add(eol == "crlf", format!("eol={eol}"));
        }
        if value("ident") == Some("set") {
            add(true, "ident".to_owned());
        }
        if let Some(filter) = named("filter") {
            add(true, format!("filter={filter}"));
        }
        if let Some(encoding) = named("working-tree-encoding").filter(|name| !is_utf8(name)) {
            add(true, format!("working-tree-encoding={encoding}"));
        }
    }
    attributes
}

/// Whether an encoding is the one in which Git stores text.
fn is_utf8(name: &str) -> bool {
    name.eq_ignore_ascii_case("utf-8") || name.eq_ignore_ascii_case("utf8")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(rules: &str) -> (Vec<String>, Vec<String>) {
        let top = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(top.path().join("f")).expect("a folder");
        std::fs::write(top.path().join("f/.gitattributes"), rules).expect("a file");
        let files = BTreeSet::from([PathBuf::from("f/a.py")]);
        let scratch = tempfile::tempdir().expect("a folder");
        let found = attributes_of(top.path(), &files, &scratch.path().join("git"), &Stop::default()).expect("asked");
        let names = |all: BTreeMap<String, BTreeSet<PathBuf>>| all.into_keys().collect();
        (names(found.changing), names(found.depending))
    }

    /// Without it, an attribute by which a checkout writes other code than was reviewed could be missed, or a harmless one be
    /// called a danger.
    #[test]
    fn attributes_that_change_bytes_are_told_from_others() {
        let none: [&str; 0] = [];
        for (rules, changing, depending) in [
            ("*.py eol=crlf\n", vec!["eol=crlf"], vec![]),
            ("*.py text eol=crlf\n", vec!["eol=crlf"], vec!["text"]),
            ("a.py -text eol=crlf\n", vec![], vec!["-text"]),
            ("* ident\n", vec!["ident"], vec![]),
            ("* -ident -filter -text\n", vec![], vec!["-text"]),
            ("* filter=lfs diff=lfs merge=lfs -text\n", vec!["filter=lfs"], vec!["-text"]),
            ("* working-tree-encoding=UTF-16\n", vec!["working-tree-encoding=UTF-16"], vec![]),
            ("* working-tree-encoding=utf-8\n", vec![], vec![]),
            ("* text=auto eol=lf\n", vec![], vec!["eol=lf", "text=auto"]),
            ("* crlf\n", vec![], vec!["text"]),
            ("*.sh ident\n*.py linguist-generated\n", vec![], vec![]),
        ] {
            let (is, may) = told(rules);
            assert_eq!(
                (is, may),
                (
                    changing.iter().map(ToString::to_string).collect(),
                    depending.iter().map(ToString::to_string).collect()
                ),
                "{rules}"
            );
        }
        assert_eq!(told("").0, none);
    }
}
