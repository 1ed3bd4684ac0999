//! The files that were read, and the way from a place in them to what a person sees.

use std::collections::{HashMap, HashSet};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, RwLock};

use super::credentials;
use crate::diagnostic::Position;
use crate::model::Place;
use crate::model::text::changes_direction;

/// The largest file that is read, in bytes: far above any manifest, far below what hurts.
pub(super) const MAX_FILE: u64 = 64 * 1024 * 1024;

/// How many words are looked for among all that a manifest declares.
const MAX_SUGGESTED: usize = 50;

/// Lines longer than this, in bytes, are machines' work: they are named by place and not shown.
const MAX_LINE: usize = 4096;

/// A place in a file: small, because every key and value has one. Lines and columns count from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Span {
    /// Which of [`Sources`].
    pub file: u32,
    pub line: u32,
    /// In characters.
    pub column: u32,
    /// In characters.
    pub length: u32,
}

/// One file.
pub(super) struct Source {
    /// As the user gave it, or found by a manifest.
    pub shown: PathBuf,
    pub text: String,
    /// The byte at which each line starts.
    lines: Vec<u32>,
    /// Lines that are never shown, because key material stands there.
    hidden: HashSet<u32>,
    /// No line is shown: the file may hold what its owner calls sensitive.
    private: bool,
    /// Environment values, to be covered where their line is shown: by line, column and length.
    masks: HashMap<u32, Vec<(u32, u32)>>,
}

impl Source {
    fn new(shown: PathBuf, text: String, private: bool) -> Self {
        let lines = line_starts(&text);
        let mut source = Self { shown, text, lines, hidden: HashSet::new(), private, masks: HashMap::new() };
        source.hidden = source.key_material();
        source
    }

    /// Whether a line stands under a key like `environment`, `parameters` or `vars`, as far as indentation tells. Errors on the
    /// safe side: it is asked only where the file couldn't be understood.
    pub fn looks_private(&self, line: usize) -> bool {
        const WORDS: [&str; 3] = ["envir", "param", "vars"];
        let line = u32::try_from(line).unwrap_or(u32::MAX);
        let indentation = |text: &str| text.len() - text.trim_start().len();
        let mut depth = usize::MAX;
        for number in (1..=line).rev() {
            let text = self.line(number);
            if text.trim().is_empty() || indentation(text) >= depth {
                continue;
            }
            if WORDS.iter().any(|word| text.contains(word)) {
                return true;
            }
            depth = indentation(text);
            if depth == 0 {
                break;
            }
        }
        false
    }

    /// Whether nothing of it is ever shown.
    pub fn is_private(&self) -> bool {
        self.private
    }

    /// A line without its end.
    pub fn line(&self, line: u32) -> &str {
        let index = line.saturating_sub(1) as usize;
        let start = self.lines.get(index).map_or(self.text.len(), |at| *at as usize);
        let end = self.lines.get(index + 1).map_or(self.text.len(), |at| *at as usize);
        self.text[start..end].trim_end_matches(['\n', '\r'])
    }

    /// The place after the last character, where the file has this number.
    pub fn end(&self, file: u32) -> Span {
        let number = |value: usize| u32::try_from(value).unwrap_or(u32::MAX);
        let line = number(self.lines.len());
        Span { file, line, column: number(self.line(line).chars().count() + 1), length: 1 }
    }

    /// The places of characters that change the direction of what is shown, the first of each line.
    pub fn turns(&self, file: u32) -> Vec<Span> {
        // Most files are ASCII, and none of these characters is.
        if self.text.is_ascii() {
            return Vec::new();
        }
        let number = |value: usize| u32::try_from(value).unwrap_or(u32::MAX);
        let lines = (1..=number(self.lines.len())).filter(|line| self.line(*line).contains(changes_direction));
        let place = |line: u32| {
            let column = self.line(line).chars().take_while(|c| !changes_direction(*c)).count();
            Span { file, line, column: number(column + 1), length: 1 }
        };
        lines.map(place).collect()
    }

    /// The lines between PEM markers: a syntax error inside a pasted key must not show the key.
    fn key_material(&self) -> HashSet<u32> {
        let mut hidden = HashSet::new();
        if !self.text.contains("-----BEGIN") {
            return hidden;
        }
        let mut inside = false;
        for number in 1..=u32::try_from(self.lines.len()).unwrap_or(u32::MAX) {
            let line = self.line(number);
            inside |= line.contains("-----BEGIN");
            if inside {
                hidden.insert(number);
            }
            inside &= !line.contains("-----END");
        }
        hidden
    }

    /// What may be shown of a line.
    fn shown_line(&self, number: u32) -> Option<String> {
        let line = self.line(number);
        if line.len() > MAX_LINE
            || self.private
            || self.hidden.contains(&number)
            || credentials::kind_of(line).is_some()
        {
            return None;
        }
        let Some(masks) = self.masks.get(&number) else { return Some(line.to_owned()) };
        let masked = |at: usize| {
            masks.iter().any(|(column, length)| (*column as usize..(*column + *length) as usize).contains(&(at + 1)))
        };
        Some(line.chars().enumerate().map(|(at, c)| if masked(at) && !"\"'".contains(c) { '*' } else { c }).collect())
    }
}

fn line_starts(text: &str) -> Vec<u32> {
    let bytes = text.as_bytes();
    let mut starts = vec![0];
    for (at, byte) in bytes.iter().enumerate() {
        // A lone carriage return ends a line in YAML too.
        if *byte == b'\n' || (*byte == b'\r' && bytes.get(at + 1) != Some(&b'\n')) {
            starts.push(u32::try_from(at + 1).unwrap_or(u32::MAX));
        }
    }
    starts
}

/// Brings files to where they are read, before they are: a manifest of another revision isn't in the working tree.
///
/// What isn't there, or can't be brought, stays away, and reading says so.
pub trait Fetch: Send + Sync {
    /// Brings the file at a path, or the folder with all that is in it; links with what they lead to.
    fn fetch(&self, path: &Path);

    /// Brings the names in one folder: its files may stay empty until they are fetched.
    fn list(&self, folder: &Path);
}

/// All files of a manifest.
#[derive(Default)]
pub(super) struct Sources {
    files: RwLock<Vec<Arc<Source>>>,
    fetch: Option<Arc<dyn Fetch>>,
    /// How often a word was looked for among all that a manifest declares.
    suggested: AtomicUsize,
}

impl Sources {
    /// No files yet; with `fetch`, each is brought before it is read.
    pub fn fetched_by(fetch: Option<Arc<dyn Fetch>>) -> Self {
        Self { files: RwLock::default(), fetch, suggested: AtomicUsize::new(0) }
    }

    /// Whether to look for what was meant among all that a manifest declares: that takes as long as there is much, and a person who
    /// has read so many hints knows the way.
    pub fn may_suggest(&self) -> bool {
        self.suggested.fetch_add(1, Ordering::Relaxed) < MAX_SUGGESTED
    }

    /// Brings what is read next.
    pub fn fetch(&self, path: &Path) {
        if let Some(fetch) = &self.fetch {
            fetch.fetch(path);
        }
    }

    /// Brings the names of a folder that is searched next.
    pub fn list(&self, folder: &Path) {
        if let Some(fetch) = &self.fetch {
            fetch.list(folder);
        }
    }

    /// Adds a file and returns its number. No line of a `private` one is ever shown.
    pub fn add(&self, shown: PathBuf, text: String, private: bool) -> u32 {
        let mut files = self.files.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        files.push(Arc::new(Source::new(shown, text, private)));
        u32::try_from(files.len() - 1).unwrap_or(u32::MAX)
    }

    /// A file by its number.
    pub fn get(&self, file: u32) -> Arc<Source> {
        let files = self.files.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        Arc::clone(&files[file as usize])
    }

    /// All files, in the order in which they were read.
    pub fn all(&self) -> Vec<Arc<Source>> {
        self.files.read().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    /// The folder of a file, as the user would write it.
    pub fn folder(&self, file: u32) -> PathBuf {
        self.get(file).shown.parent().map(Path::to_path_buf).unwrap_or_default()
    }

    /// Shows a line in no message from now on.
    pub fn hide(&self, file: u32, line: usize) {
        let mut files = self.files.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(source) = Arc::get_mut(&mut files[file as usize]) {
            source.hidden.insert(u32::try_from(line).unwrap_or(u32::MAX));
        }
    }

    /// Covers environment values wherever their lines are shown.
    pub fn mask(&self, spans: &[Span]) {
        let mut files = self.files.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        for span in spans {
            // No one else holds the file while it is being loaded; if someone does, a copy takes its place.
            let source = &mut files[span.file as usize];
            if let Some(source) = Arc::get_mut(source)
                && source.line(span.line).len() <= MAX_LINE
            {
                let rest = u32::try_from(source.line(span.line).chars().count())
                    .unwrap_or(u32::MAX)
                    .saturating_sub(span.column - 1);
                source.masks.entry(span.line).or_default().push((span.column, span.length.min(rest)));
                if span.length > rest {
                    source.hidden.insert(span.line);
                }
            }
        }
    }

    /// What a person sees of a place.
    pub fn position(&self, span: Span) -> Position {
        let source = self.get(span.file);
        let line = source.line(span.line);
        let width = if line.len() > MAX_LINE { usize::MAX - 1 } else { line.chars().count() };
        let column = span.column as usize;
        let length = (span.length as usize).min((width + 1).saturating_sub(column)).max(1);
        Position {
            file: source.shown.clone(),
            line: span.line as usize,
            column,
            length,
            text: source.shown_line(span.line),
        }
    }

    /// A place with its line, as plans and policies keep it.
    pub fn place(&self, span: Span) -> Place {
        let text = self.position(span).text;
        Place { text, ..self.bare_place(span) }
    }

    /// A place without its line: a fleet has thousands.
    pub fn bare_place(&self, span: Span) -> Place {
        let file = self.get(span.file).shown.to_string_lossy().into_owned();
        Place { file, line: span.line, column: span.column, length: span.length.max(1), text: None }
    }

    /// A place that [`Sources::bare_place`] made, with its line where that may be shown.
    pub fn with_line(&self, place: &Place) -> Place {
        let found = self.all().into_iter().find(|source| source.shown.to_string_lossy() == place.file);
        Place { text: found.and_then(|source| source.shown_line(place.line)), ..place.clone() }
    }

    /// The place of a part of a value, where the value stands in the file as it reads; else the whole value.
    pub fn within(&self, span: Span, value: &str, offset: usize, length: usize) -> Span {
        let source = self.get(span.file);
        let line = source.line(span.line);
        if line.len() > MAX_LINE {
            return span;
        }
        let rest = line.char_indices().nth(span.column as usize - 1).map_or("", |(at, _)| &line[at..]);
        let quote = u32::from(rest.starts_with(['"', '\'']));
        if value.is_empty() || !rest[quote as usize..].starts_with(value) {
            return span;
        }
        let narrow = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        Span { column: span.column + quote + narrow(offset), length: narrow(length).max(1), ..span }
    }

    /// The place of a text inside a value, where the value stands on one line; else the whole value.
    pub fn find(&self, span: Span, needle: &str) -> Span {
        let source = self.get(span.file);
        let line = source.line(span.line);
        if line.len() > MAX_LINE {
            return span;
        }
        let skipped = span.column as usize - 1;
        let rest: String = line.chars().skip(skipped).take(span.length as usize).collect();
        match rest.find(needle) {
            Some(at) => {
                let before = u32::try_from(rest[..at].chars().count()).unwrap_or(0);
                let length = u32::try_from(needle.chars().count()).unwrap_or(1);
                Span { column: span.column + before, length, ..span }
            }
            None => span,
        }
    }
}

/// Reads a text file: a regular one, of bounded size, in UTF-8.
pub(super) fn read(path: &Path) -> Result<String, String> {
    // Before it is opened: opening a pipe would wait for somebody to write into it.
    let metadata = std::fs::metadata(path).map_err(|error| reason(&error))?;
    if !metadata.is_file() {
        return Err("it is not a regular file".to_owned());
    }
    let too_large = || Err("it is larger than 64 MB".to_owned());
    if metadata.len() > MAX_FILE {
        return too_large();
    }
    let file = std::fs::File::open(path).map_err(|error| reason(&error))?;
    let mut bytes = Vec::new();
    // The file may grow meanwhile, or be another one than was looked at.
    file.take(MAX_FILE + 1).read_to_end(&mut bytes).map_err(|error| reason(&error))?;
    if bytes.len() as u64 > MAX_FILE {
        return too_large();
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        format!("it is not UTF-8: line {} holds other bytes", String::from_utf8_lossy(valid).lines().count().max(1))
    })?;
    Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
}

fn reason(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "there is no such file".to_owned(),
        std::io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => error.to_string(),
    }
}
