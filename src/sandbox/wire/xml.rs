//! Writing XML without forgetting an end tag.

use quick_xml::Writer;
use quick_xml::events::{BytesEnd, BytesStart, BytesText, Event};

use crate::clock::Time;

/// An XML document in the making.
pub struct Xml {
    writer: Writer<Vec<u8>>,
}

impl Default for Xml {
    fn default() -> Self {
        Self { writer: Writer::new(Vec::new()) }
    }
}

impl Xml {
    /// `<tag>…</tag>`.
    pub fn element(&mut self, tag: &str, content: impl FnOnce(&mut Self)) {
        self.put(Event::Start(BytesStart::new(tag)));
        content(self);
        self.put(Event::End(BytesEnd::new(tag)));
    }

    /// `<tag xmlns="…">…</tag>`.
    pub fn element_in(&mut self, tag: &str, namespace: &str, content: impl FnOnce(&mut Self)) {
        let mut start = BytesStart::new(tag);
        start.push_attribute(("xmlns", namespace));
        self.put(Event::Start(start));
        content(self);
        self.put(Event::End(BytesEnd::new(tag)));
    }

    /// `<tag>text</tag>`, escaped. Characters that XML can't hold at all are replaced: they come back from requests in
    /// messages, and would make an error unreadable.
    pub fn text(&mut self, tag: &str, text: &str) {
        let held =
            |c| matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..);
        let text: String = text.chars().map(|c| if held(c) { c } else { char::REPLACEMENT_CHARACTER }).collect();
        self.element(tag, |xml| xml.put(Event::Text(BytesText::new(&text))));
    }

    /// `<tag>text</tag>`, where there is one.
    pub fn text_if(&mut self, tag: &str, text: Option<&str>) {
        if let Some(text) = text {
            self.text(tag, text);
        }
    }

    /// `<tag>value</tag>` of a number or a boolean.
    pub fn value(&mut self, tag: &str, value: impl std::fmt::Display) {
        self.text(tag, &value.to_string());
    }

    /// `<tag>2026-01-31T12:00:00.000Z</tag>`.
    pub fn time(&mut self, tag: &str, time: Time) {
        self.text(tag, &time.iso8601());
    }

    /// `<tag><member>…</member>…</tag>`; `<tag></tag>` where there are none, as AWS writes it.
    pub fn list<T>(&mut self, tag: &str, items: impl IntoIterator<Item = T>, mut each: impl FnMut(&mut Self, T)) {
        self.element(tag, |xml| {
            for item in items {
                xml.element("member", |xml| each(xml, item));
            }
        });
    }

    /// `<tag><member>text</member>…</tag>`.
    pub fn texts<T: AsRef<str>>(&mut self, tag: &str, items: impl IntoIterator<Item = T>) {
        self.element(tag, |xml| {
            for item in items {
                xml.text("member", item.as_ref());
            }
        });
    }

    /// The document.
    pub fn finish(self) -> Vec<u8> {
        self.writer.into_inner()
    }

    fn put(&mut self, event: Event<'_>) {
        self.writer.write_event(event).expect("writing to memory cannot fail");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Without it, a value with markup in it would break the answer that holds it.
    #[test]
    fn text_is_escaped() {
        let mut xml = Xml::default();
        xml.element("A", |xml| xml.texts("B", ["<&>", "c\u{1}"]));
        assert_eq!(
            String::from_utf8_lossy(&xml.finish()),
            "<A><B><member>&lt;&amp;&gt;</member><member>c\u{FFFD}</member></B></A>"
        );
    }
}
