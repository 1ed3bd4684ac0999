//! The parser's events → a tree of nodes: limits, anchors, merge keys, and each problem at its place.

use std::collections::{HashMap, HashSet};

use saphyr_parser::{Event, Marker, ScalarStyle, Span as Range, Tag};

use super::{SMALL, duplicate, measure};
use crate::config::node::{Entry, Map, Node, Value};
use crate::config::scalar::{is_date, plain};
use crate::config::source::{Sources, Span};
use crate::diagnostic::Diagnostic;
use crate::model::text::check_readable;

/// The deepest nesting; manifests need six.
const MAX_DEPTH: usize = 64;

/// How many values aliases may add; a few lines could otherwise ask for billions.
const MAX_ALIASED: usize = 1_000_000;

/// A collection that is being read.
struct Frame {
    span: Span,
    anchor: usize,
    content: Content,
}

enum Content {
    List(Vec<Node>),
    Map {
        entries: Vec<Entry>,
        /// A key that waits for its value.
        key: Option<(String, Span)>,
        /// The key that waits is a merge key.
        merging: bool,
        /// The maps of merge keys, in order.
        merged: Vec<Node>,
    },
}

/// An anchored value, with what copying it costs.
struct Anchored {
    node: Node,
    size: usize,
    depth: usize,
}

/// What is made of the events so far.
pub(super) struct Builder<'a> {
    sources: &'a Sources,
    file: u32,
    /// Where the file ends.
    end: Span,
    /// Nothing of the file is shown.
    private: bool,
    stack: Vec<Frame>,
    anchors: HashMap<usize, Anchored>,
    aliased: usize,
    pub root: Option<Node>,
    pub problems: Vec<Diagnostic>,
}

pub(super) type Step = Result<(), Box<Diagnostic>>;

impl<'a> Builder<'a> {
    pub fn new(sources: &'a Sources, file: u32) -> Self {
        let source = sources.get(file);
        Self {
            sources,
            file,
            end: source.end(file),
            private: source.is_private(),
            stack: Vec::new(),
            anchors: HashMap::new(),
            aliased: 0,
            root: None,
            problems: Vec::new(),
        }
    }

    pub fn event(&mut self, event: Event<'_>, range: Range) -> Step {
        let span = self.span(range);
        match event {
            Event::DocumentStart(_) if self.root.is_some() => Err(self.fatal(
                "several-documents",
                span,
                "a manifest is one YAML document; a second one starts here",
                "split it into files, and `include` them",
            )),
            Event::Scalar(text, style, anchor, tag) => self.scalar(&text, style, anchor, tag.as_deref(), span),
            Event::SequenceStart(anchor, tag) => self.open(span, anchor, Content::List(Vec::new()), tag.as_deref()),
            Event::MappingStart(anchor, tag) => {
                let content = Content::Map { entries: Vec::new(), key: None, merging: false, merged: Vec::new() };
                self.open(span, anchor, content, tag.as_deref())
            }
            Event::SequenceEnd | Event::MappingEnd => {
                self.close(range.end);
                Ok(())
            }
            Event::Alias(anchor) => self.alias(anchor, span),
            _ => Ok(()),
        }
    }

    fn span(&self, range: Range) -> Span {
        Span { length: u32::try_from(range.len()).unwrap_or(u32::MAX), ..self.point(range.start) }
    }

    /// A place of one character. Where a text ends without a line's end, the parser speaks of a line that isn't there.
    fn point(&self, marker: Marker) -> Span {
        let number = |value: usize| u32::try_from(value).unwrap_or(u32::MAX);
        let place =
            Span { file: self.file, line: number(marker.line()).max(1), column: number(marker.col() + 1), length: 1 };
        match self.end {
            end if place.line > end.line => end,
            _ => place,
        }
    }

    fn fatal(&self, check: &'static str, span: Span, summary: impl Into<String>, hint: &str) -> Box<Diagnostic> {
        Box::new(Diagnostic::error(check, summary).at(self.sources.position(span)).hint(hint))
    }

    fn problem(&mut self, check: &'static str, span: Span, summary: impl Into<String>, hint: &str) {
        let problem = self.fatal(check, span, summary, hint);
        self.problems.push(*problem);
    }

    fn open(&mut self, span: Span, anchor: usize, content: Content, tag: Option<&Tag>) -> Step {
        if self.stack.len() >= MAX_DEPTH {
            return Err(self.too_deep(span));
        }
        if self.waits_for_key() {
            return Err(self.fatal(
                "key-is-no-text",
                span,
                "a key must be text",
                "put quotes around it if it starts with `{` or `[`",
            ));
        }
        if let Some(tag) = tag {
            self.tag(tag, span);
        }
        self.stack.push(Frame { span, anchor, content });
        Ok(())
    }

    fn close(&mut self, end: Marker) {
        let Some(Frame { mut span, anchor, content }) = self.stack.pop() else { return };
        let end_line = u32::try_from(end.line()).unwrap_or(u32::MAX);
        // A flow collection on one line is underlined as a whole; of a block, its start.
        let end_column = u32::try_from(end.col() + 1).unwrap_or(u32::MAX);
        span.length = if end_line == span.line && end_column > span.column { end_column - span.column } else { 1 };
        let value = match content {
            Content::List(mut items) => {
                items.shrink_to_fit();
                Value::List(items)
            }
            Content::Map { mut entries, merged, .. } => {
                self.merge(&mut entries, merged);
                // Most maps have one or two entries: room for four in each is half of what a large manifest takes.
                entries.shrink_to_fit();
                // A block's end is where the next thing starts: it belongs to the line before, unless it is the same.
                let last = entries.iter().map(|entry| last_line(&entry.node).max(entry.at.line)).max();
                Value::Map(Map::new(entries, last.unwrap_or(span.line)))
            }
        };
        self.place(Node::new(span, value), anchor);
    }

    /// Merge keys: what stands beside them wins; of several maps, the first.
    fn merge(&mut self, entries: &mut Vec<Entry>, merged: Vec<Node>) {
        for node in merged {
            let maps = match node.value {
                Value::Map(map) => vec![map],
                Value::List(items) if items.iter().all(|item| item.map().is_some()) => items
                    .into_iter()
                    .filter_map(|item| if let Value::Map(map) = item.value { Some(map) } else { None })
                    .collect(),
                _ => {
                    self.problem("merge-key", node.span, "`<<` takes a map, or a list of maps", "write `<<: *anchor`");
                    Vec::new()
                }
            };
            let mut known: HashSet<String> = entries.iter().map(|entry| entry.key.clone()).collect();
            for map in maps {
                // Among the keys of one map, those that stand twice are reported elsewhere.
                let fresh: Vec<Entry> = map.entries.into_iter().filter(|entry| !known.contains(&entry.key)).collect();
                known.extend(fresh.iter().map(|entry| entry.key.clone()));
                entries.extend(fresh);
            }
        }
    }

    fn waits_for_key(&self) -> bool {
        matches!(self.stack.last(), Some(Frame { content: Content::Map { key: None, merging: false, .. }, .. }))
    }

    /// Puts a finished value where it belongs.
    fn place(&mut self, node: Node, anchor: usize) {
        if anchor != 0 {
            let (size, depth) = measure(&node);
            self.anchors.insert(anchor, Anchored { node: node.clone(), size, depth });
        }
        match self.stack.last_mut().map(|frame| &mut frame.content) {
            None => self.root = Some(node),
            Some(Content::List(items)) => items.push(node),
            Some(Content::Map { merging: merging @ true, merged, .. }) => {
                *merging = false;
                merged.push(node);
            }
            Some(Content::Map { entries, key, .. }) => {
                if let Some((key, at)) = key.take() {
                    entries.push(Entry { key, at, node });
                }
            }
        }
    }

    fn key(&mut self, text: &str, style: ScalarStyle, tag: Option<&Tag>, mut span: Span) -> Step {
        if style == ScalarStyle::Plain && matches!(text, "" | "~") {
            return Err(self.fatal("key-is-no-text", span, "a key is missing before `:`", "write `key: value`"));
        }
        if let Some(tag) = tag {
            self.tag(tag, span);
        }
        span.length = span.length.max(1);
        // The names in a file that is never shown aren't needed.
        if !self.private
            && let Err(reason) = check_readable(text)
        {
            self.problem("invisible", span, format!("a key can't be read: {reason}"), "type it anew without it");
        }
        let Some(Frame { content: Content::Map { entries, key, merging, .. }, .. }) = self.stack.last_mut() else {
            return Ok(());
        };
        if style == ScalarStyle::Plain && text == "<<" {
            *merging = true;
            return Ok(());
        }
        // Most maps are small; those that aren't are checked for duplicates once the document is whole (`duplicates`).
        let first = if entries.len() <= SMALL {
            entries.iter().find(|entry| entry.key == text).map(|entry| entry.at)
        } else {
            None
        };
        *key = Some((text.to_owned(), span));
        if let Some(first) = first {
            self.problems.push(duplicate(self.sources, text, span, first));
        }
        Ok(())
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, anchor: usize, tag: Option<&Tag>, mut span: Span) -> Step {
        if self.waits_for_key() {
            if anchor != 0 {
                let node = Node::new(span, Value::String(text.to_owned()));
                self.anchors.insert(anchor, Anchored { node, size: 1, depth: 0 });
            }
            return self.key(text, style, tag, span);
        }
        let string = || Value::String(text.to_owned());
        let value = match tag {
            Some(tag) if tag.is_yaml_core_schema() && tag.suffix == "str" => string(),
            Some(tag) if tag.is_yaml_core_schema() && matches!(&*tag.suffix, "int" | "float" | "bool" | "null") => {
                plain(text)
            }
            Some(tag) if tag.handle == "!" && tag.suffix.is_empty() => string(),
            Some(tag) => {
                self.tag(tag, span);
                string()
            }
            None if style == ScalarStyle::Plain => {
                if is_date(text) {
                    let hint = format!("write `\"{text}\"`");
                    self.problem(
                        "unquoted-date",
                        span,
                        format!("the date `{text}` must be quoted: YAML readers don't agree on what it is otherwise"),
                        &hint,
                    );
                }
                plain(text)
            }
            None => string(),
        };
        span.length = span.length.max(1);
        self.place(Node::new(span, value), anchor);
        Ok(())
    }

    fn tag(&mut self, tag: &Tag, span: Span) {
        if tag.is_yaml_core_schema()
            && matches!(&*tag.suffix, "map" | "seq" | "str" | "int" | "float" | "bool" | "null")
        {
            return;
        }
        let (summary, hint) = match &*tag.suffix {
            "Ref" | "Sub" | "GetAtt" | "ImportValue" | "Join" => (
                format!("the tag `{tag}` means nothing here"),
                "a manifest is no CloudFormation template: variables are written `${name}`",
            ),
            // It isn't repeated: a password may begin with `!`, too.
            _ => ("a tag means nothing here".to_owned(), "quote a text that starts with `!`, or remove the tag"),
        };
        self.problem("unknown-tag", span, summary, hint);
    }

    fn alias(&mut self, anchor: usize, span: Span) -> Step {
        let key = self.waits_for_key();
        let Some(anchored) = self.anchors.get(&anchor) else {
            return Err(self.fatal(
                "alias",
                span,
                "an alias can't stand inside the value that it names",
                "write the value out",
            ));
        };
        if key {
            let text = anchored.node.text().map(str::to_owned);
            return match text {
                Some(text) => self.key(&text, ScalarStyle::SingleQuoted, None, span),
                None => Err(self.fatal("key-is-no-text", span, "a key must be text", "write the key out")),
            };
        }
        self.aliased = self.aliased.saturating_add(anchored.size);
        if self.aliased > MAX_ALIASED {
            return Err(self.fatal(
                "alias-bomb",
                span,
                "aliases multiply the document to more than 1,000,000 values",
                "write the values out, or use `defaults`",
            ));
        }
        if self.stack.len() + anchored.depth > MAX_DEPTH {
            return Err(self.too_deep(span));
        }
        let node = anchored.node.clone();
        self.place(node, 0);
        Ok(())
    }

    fn too_deep(&self, span: Span) -> Box<Diagnostic> {
        let summary = format!("values are nested more than {MAX_DEPTH} deep");
        self.fatal("too-deep", span, summary, "a manifest needs no more than six levels")
    }

    /// A syntax error, in words that help those who don't know YAML's grammar by heart.
    pub fn syntax(&self, info: &str, marker: Marker) -> Box<Diagnostic> {
        let source = self.sources.get(self.file);
        let number = |value: usize| u32::try_from(value).unwrap_or(u32::MAX);
        let mut span = self.point(marker);
        if info.contains("recursion limit") {
            return self.too_deep(span);
        }
        let line = source.line(span.line);
        let before = source.line(span.line.saturating_sub(1).max(1));
        let indent = |line: &str| line.chars().take_while(|c| c.is_whitespace()).any(|c| c == '\t');
        // The place is often one line late, where the parser gave up.
        if let Some((at, text)) = [(span.line, line), (span.line.saturating_sub(1).max(1), before)]
            .into_iter()
            .find(|(_, text)| unquoted_variable(text).is_some())
        {
            let column = unquoted_variable(text).unwrap_or(0);
            let length = number(text.chars().skip(column).take_while(|c| *c != '}').count() + 1);
            span = Span { line: at, column: number(column + 1), length, ..span };
            // A text that only looks like a variable may be a password.
            let variable = if source.looks_private(at as usize) {
                "${name}".to_owned()
            } else {
                text.chars().skip(column).take(length as usize).collect()
            };
            let summary = "a variable inside `{…}` or `[…]` must be quoted: YAML reads its brace as a map";
            return self.fatal("yaml-syntax", span, summary, &format!("write `\"{variable}\"`"));
        }
        let trimmed = info.trim_end_matches('.');
        let mut summary = trimmed.to_owned();
        if let Some(first) = summary.get_mut(..1) {
            first.make_ascii_lowercase();
        }
        let hint = if indent(line) || (line.trim().is_empty() && indent(before)) {
            "YAML is indented with spaces, never with tabs"
        } else if info.contains("unknown anchor") {
            "`*name` repeats what `&name` marked; a pattern that starts with `*` must be quoted"
        } else if info.contains("mapping values") || info.contains("simple key") {
            "quote a text that holds `: `, and check that the keys of a map start in one column"
        } else if line[char_offset(line, marker.col())..].starts_with(['@', '`', '%']) {
            "quote a text that starts with `@`, `%` or a backtick"
        } else if info.contains("quoted scalar") {
            "close the quote"
        } else if info.contains("flow") {
            "close what `{` or `[` opened, and put commas between its parts"
        } else {
            "check the indentation, colons and quotes of this line and the one before"
        };
        self.fatal("yaml-syntax", span, summary, hint)
    }
}

fn char_offset(line: &str, column: usize) -> usize {
    line.char_indices().nth(column).map_or(line.len(), |(at, _)| at)
}

/// Where a `${` stands unquoted inside flow brackets, in characters.
fn unquoted_variable(line: &str) -> Option<usize> {
    let (mut quote, mut depth, mut previous) = (None, 0_usize, ' ');
    let characters: Vec<char> = line.chars().collect();
    for (at, c) in characters.iter().enumerate() {
        match (quote, c) {
            (Some(open), c) if open == *c => quote = None,
            (None, '"' | '\'') if matches!(previous, ' ' | ',' | '[' | '{' | ':') => quote = Some(*c),
            (None, '#') if previous == ' ' => return None,
            (None, '$') if depth > 0 && characters.get(at + 1) == Some(&'{') => return Some(at),
            (None, '{' | '[') => depth += 1,
            (None, '}' | ']') => depth = depth.saturating_sub(1),
            _ => {}
        }
        previous = *c;
    }
    None
}

fn last_line(node: &Node) -> u32 {
    match &node.value {
        Value::Map(map) => map.end.max(node.span.line),
        Value::List(items) => items.last().map_or(node.span.line, last_line).max(node.span.line),
        _ => node.span.line,
    }
}
