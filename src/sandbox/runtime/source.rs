//! Where in a package's code something stands: for people who are told what is wrong with it.

use std::io::Read as _;

use serde::{Deserialize, Serialize};

use super::package;

/// A line of a package's code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Within the package.
    pub file: String,
    /// From 1.
    pub line: u32,
    /// The function that stands there, or around it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub function: Option<String>,
}

/// How much of a package's code is read.
const MOST_READ: u64 = 4_000_000;

/// Words of calls that print or log.
const PRINTS: [&str; 7] = ["print", "log", "write", "console.", "debug", "warn", "info"];

/// A package's code, its handler's own file first. Folders of installed libraries are left out.
pub struct Source {
    handler: String,
    files: Vec<(String, String)>,
}

impl Source {
    /// Reads a package, as far as it can be read.
    pub fn of(zip: &[u8], handler: &str) -> Self {
        let (module, function) = handler.rsplit_once('.').unwrap_or((handler, ""));
        let module = module.replace('.', "/");
        let mut files = Vec::new();
        let mut left = MOST_READ;
        if let Ok(mut archive) = package::open(zip) {
            for index in 0..archive.len() {
                let Ok(file) = archive.by_index(index) else { continue };
                let Ok(name) = file.name().map(std::borrow::Cow::into_owned) else { continue };
                let is_code = [".py", ".js", ".mjs", ".cjs"].iter().any(|end| name.ends_with(end));
                if !is_code || name.contains("site-packages/") || name.contains("node_modules/") {
                    continue;
                }
                let mut bytes = Vec::new();
                let read = file.take(left).read_to_end(&mut bytes).unwrap_or_default();
                left = left.saturating_sub(u64::try_from(read).unwrap_or(left));
                files.push((name, String::from_utf8_lossy(&bytes).into_owned()));
            }
        }
        let stem = |name: &str| name.rsplit_once('.').is_some_and(|(stem, _)| stem == module);
        files.sort_by_key(|(name, _)| (!stem(name), name.matches('/').count(), name.clone()));
        Self { handler: function.to_owned(), files }
    }

    /// Where the code of a rotation's step begins, by the usual names of such functions; else where the handler does.
    pub fn step(&self, step: &str) -> Option<Place> {
        let whole = step.to_lowercase();
        let bare = whole.trim_end_matches("secret").to_owned();
        let plain = |name: &str| name.replace('_', "").to_lowercase();
        self.defines(|name| plain(name).contains(&whole))
            .or_else(|| self.defines(|name| plain(name) == bare))
            .or_else(|| self.defines(|name| name == self.handler))
            .or_else(|| self.files.first().map(|(file, _)| Place { file: file.clone(), line: 1, function: None }))
    }

    /// The line that prints certain words.
    pub fn prints(&self, words: &str) -> Option<Place> {
        let words = words.trim();
        if words.len() < 3 {
            return None;
        }
        let found = |strict: bool| {
            self.files.iter().find_map(|(file, text)| {
                let holds =
                    |line: &str| line.contains(words) && (!strict || PRINTS.iter().any(|word| line.contains(word)));
                let index = text.lines().position(holds)?;
                Some(Place { file: file.clone(), line: number(index), function: around(text, index) })
            })
        };
        found(true).or_else(|| found(false))
    }

    fn defines(&self, is_it: impl Fn(&str) -> bool) -> Option<Place> {
        self.files.iter().find_map(|(file, text)| {
            let mut lines = text.lines().enumerate();
            lines.find_map(|(index, line)| {
                let name = defined(line).filter(|name| is_it(name))?;
                Some(Place { file: file.clone(), line: number(index), function: Some(name.to_owned()) })
            })
        })
    }
}

fn number(index: usize) -> u32 {
    u32::try_from(index + 1).unwrap_or(u32::MAX)
}

/// The function that a line of Python or JavaScript begins.
fn defined(line: &str) -> Option<&str> {
    let mut rest = line.trim_start();
    for word in ["export ", "default ", "exports.", "module.exports.", "async ", "const ", "let ", "var "] {
        rest = rest.strip_prefix(word).unwrap_or(rest);
    }
    let keyword = ["def ", "function "].iter().find_map(|word| rest.strip_prefix(word));
    let named = keyword.unwrap_or(rest).trim_start();
    let end = named.find(|c: char| !c.is_alphanumeric() && c != '_' && c != '$').unwrap_or(named.len());
    let (name, after) = named.split_at(end);
    let is_function = keyword.is_some() || (after.contains("=>") && after.contains('='));
    (is_function && !name.is_empty()).then_some(name)
}

/// The function that a line stands in: the last one before it that begins further out.
fn around(text: &str, index: usize) -> Option<String> {
    let lines: Vec<&str> = text.lines().collect();
    let indent = |line: &str| line.len() - line.trim_start().len();
    let own = indent(lines.get(index)?);
    let before = lines[..index].iter().rev();
    before.filter(|line| indent(line) < own).find_map(|line| defined(line)).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(files: &[(&str, &str)], handler: &str) -> Source {
        use std::io::Write as _;
        let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        for (name, text) in files {
            zip.start_file(*name, zip::write::SimpleFileOptions::default()).expect("an entry");
            zip.write_all(text.as_bytes()).expect("written");
        }
        Source::of(&zip.finish().expect("a zip").into_inner(), handler)
    }

    fn at(place: Option<Place>) -> (String, u32, Option<String>) {
        let place = place.expect("a place");
        (place.file, place.line, place.function)
    }

    /// Without it, whoever sees red would have to look for the line.
    #[test]
    fn steps_and_words_are_found_in_the_authors_code() {
        let python = "import json\n\ndef handler(event, context):\n    pass\n\ndef set_(arn):\n    pass\n\ndef test_secret(arn):\n    print('new secret', arn)\n";
        let found = source(&[("a.py", "def testSecret(): pass\n"), ("f.py", python)], "f.handler");
        assert_eq!(at(found.step("testSecret")), ("f.py".to_owned(), 9, Some("test_secret".to_owned())));
        assert_eq!(at(found.step("setSecret")), ("f.py".to_owned(), 6, Some("set_".to_owned())));
        assert_eq!(at(found.step("finishSecret")), ("f.py".to_owned(), 3, Some("handler".to_owned())));
        assert_eq!(at(found.prints("new secret ")), ("f.py".to_owned(), 10, Some("test_secret".to_owned())));
        assert_eq!(found.prints("x"), None);
        let node = "export const handler = async (event) => {\n};\nasync function finishSecret(arn) {\n}\n";
        let found =
            source(&[("index.mjs", node), ("node_modules/a.js", "function testSecret() {}\n")], "index.handler");
        assert_eq!(at(found.step("finishSecret")), ("index.mjs".to_owned(), 3, Some("finishSecret".to_owned())));
        assert_eq!(at(found.step("testSecret")), ("index.mjs".to_owned(), 1, Some("handler".to_owned())));
    }
}
