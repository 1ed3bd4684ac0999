//! The pages, as a reader of Markdown sees them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};

pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A page of documentation.
pub struct Page {
    /// Its path from the repository on.
    pub path: PathBuf,
    pub text: String,
    /// The names by which links reach its headings, as GitHub makes them.
    pub anchors: BTreeSet<String>,
    /// Where links lead, each with its line.
    pub links: Vec<(usize, String)>,
    /// What stands between backticks, each with its line.
    pub spans: Vec<(usize, String)>,
    pub blocks: Vec<Block>,
}

/// A fenced block.
pub struct Block {
    pub line: usize,
    pub language: String,
    /// The comment on the line before it: how a test is to take it.
    pub marker: String,
    pub text: String,
}

impl Page {
    pub fn read(path: &Path) -> Self {
        let text = std::fs::read_to_string(repository().join(path)).expect("a page is readable");
        let mut page = Self {
            path: path.to_owned(),
            anchors: BTreeSet::new(),
            links: Vec::new(),
            spans: Vec::new(),
            blocks: Vec::new(),
            text,
        };
        let text = page.text.clone();
        let line = |at: usize| text[..at].matches('\n').count() + 1;
        let (mut heading, mut marker, mut is_code) = (None::<String>, String::new(), false);
        for (event, place) in Parser::new_ext(&text, Options::ENABLE_TABLES).into_offset_iter() {
            match event {
                Event::Start(Tag::Link { dest_url, .. }) => {
                    page.links.push((line(place.start), dest_url.into_string()));
                }
                Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
                Event::End(TagEnd::Heading(_)) => page.add_anchor(&heading.take().unwrap_or_default()),
                Event::Html(html) => html.trim().clone_into(&mut marker),
                Event::Start(Tag::Paragraph | Tag::Table(_) | Tag::List(_)) => marker.clear(),
                Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(language))) => {
                    is_code = true;
                    page.blocks.push(Block {
                        line: line(place.start),
                        language: language.into_string(),
                        marker: std::mem::take(&mut marker),
                        text: String::new(),
                    });
                }
                Event::End(TagEnd::CodeBlock) => is_code = false,
                Event::Code(code) => {
                    if let Some(heading) = &mut heading {
                        heading.push_str(&code);
                    }
                    page.spans.push((line(place.start), code.into_string()));
                }
                Event::Text(words) => {
                    if let Some(block) = page.blocks.last_mut().filter(|_| is_code) {
                        block.text.push_str(&words);
                    } else if let Some(heading) = &mut heading {
                        heading.push_str(&words);
                    }
                }
                _ => {}
            }
        }
        page
    }

    /// GitHub's name of a heading: lower case, without punctuation, hyphens for spaces, numbered where it isn't the first.
    fn add_anchor(&mut self, heading: &str) {
        let kept = heading.trim().to_lowercase();
        let kept = kept.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        let name: String = kept.map(|c| if c == ' ' { '-' } else { c }).collect();
        let numbered = (1..).map(|number| format!("{name}-{number}"));
        let free = std::iter::once(name.clone()).chain(numbered).find(|name| !self.anchors.contains(name));
        self.anchors.extend(free);
    }
}

/// All pages of the repository, sorted by path.
pub fn pages() -> Vec<Page> {
    let mut paths = Vec::new();
    walk(repository(), &mut paths);
    paths.sort();
    assert!(paths.len() >= 10, "pages went missing: {paths:?}");
    paths.iter().map(|path| Page::read(path.strip_prefix(repository()).expect("below the repository"))).collect()
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("folders are readable") {
        let entry = entry.expect("folders are readable");
        let (name, path) = (entry.file_name().to_string_lossy().into_owned(), entry.path());
        // Other programs' caches bring pages of their own.
        let is_hidden = name.starts_with('.') && name != ".github";
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            if !is_hidden && !["target", "node_modules"].contains(&name.as_str()) {
                walk(&path, found);
            }
        } else if path.extension().is_some_and(|extension| extension == "md") {
            found.push(path);
        }
    }
}
