//! Lies, made from true answers: each member missing, null, of another type, out of range, unknown, or full of escapes.

use serde_json::{Value, json};

use super::proxy::Answer;

/// An answer that isn't what it should be.
#[derive(Clone)]
pub struct Case {
    pub operation: String,
    /// Which member, and what is done to it.
    pub what: String,
    pub body: Vec<u8>,
}

/// What a terminal would obey.
pub const ESCAPES: &str = "x\u{1b}[2J\u{1b}]0;owned\u{7}\u{202e}\u{9b}31m\u{200b}y\r\n::error::z";

/// All lies about an answer.
pub fn about(answer: &Answer) -> Vec<Case> {
    let mut cases = Vec::new();
    let mut add = |what: String, body: Vec<u8>| {
        if body != answer.body {
            cases.push(Case { operation: answer.operation.clone(), what, body });
        }
    };
    if answer.content_type.contains("json") {
        if let Ok(value) = serde_json::from_slice::<Value>(&answer.body) {
            let mut paths = Vec::new();
            collect(&value, "", &mut paths);
            for path in paths {
                for (word, lie) in json_lies(value.pointer(&path).unwrap_or(&Value::Null)) {
                    let mut whole = value.clone();
                    put(&mut whole, &path, lie);
                    add(format!("{path} {word}"), whole.to_string().into_bytes());
                }
            }
            for (word, body) in whole_json(&value) {
                add(word.to_owned(), body);
            }
        }
    } else if answer.content_type.contains("xml") {
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        for element in elements(&text) {
            for (word, body) in xml_lies(&text, &element) {
                add(format!("{} {word}", element.path), body.into_bytes());
            }
        }
        add("all empty".to_owned(), Vec::new());
        add("no XML".to_owned(), b"\x1b[2J<<<".to_vec());
        add("cut".to_owned(), text.as_bytes()[..text.len() / 2].to_vec());
        add("an entity bomb".to_owned(), bomb(&text).into_bytes());
        add("deep".to_owned(), format!("{}{}", "<a>".repeat(10_000), "</a>".repeat(10_000)).into_bytes());
    }
    cases
}

fn collect(value: &Value, path: &str, found: &mut Vec<String>) {
    if !path.is_empty() {
        found.push(path.to_owned());
    }
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                collect(member, &format!("{path}/{}", name.replace('~', "~0").replace('/', "~1")), found);
            }
        }
        // The items of a list are alike.
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate().take(2) {
                collect(item, &format!("{path}/{index}"), found);
            }
        }
        _ => {}
    }
}

fn json_lies(value: &Value) -> Vec<(&'static str, Option<Value>)> {
    let mut lies = vec![("missing", None), ("null", Some(Value::Null))];
    match value {
        Value::String(text) => {
            lies.push(("a number", Some(json!(7))));
            lies.push(("empty", Some(json!(""))));
            lies.push(("unknown", Some(json!("SOMETHING_NEW"))));
            lies.push(("escapes", Some(json!(ESCAPES))));
            lies.push(("huge", Some(json!("A".repeat(1_000_000)))));
            lies.push(("a map", Some(json!({"a": text}))));
            if text.starts_with('{') {
                lies.push(("10 MB", Some(json!(format!("{text}{}", " ".repeat(10_000_000))))));
                lies.push(("nested", Some(json!(format!("{}{}", "[".repeat(10_000), "]".repeat(10_000))))));
                lies.push((
                    "statements",
                    Some(json!(format!(r#"{{"Statement":[{}{{}}]}}"#, r#"{"Effect":"Allow"},"#.repeat(20_000)))),
                ));
            }
        }
        Value::Number(_) => {
            lies.push(("a text", Some(json!("x"))));
            lies.push(("negative", Some(json!(-1))));
            lies.push(("too large", Some(json!(9_999_999_999_i64))));
            lies.push(("the year 300000", Some(json!(9_404_000_000_000_f64))));
            lies.push(("endless", Some(json!(1e300))));
            lies.push(("a fraction", Some(json!(0.5))));
        }
        Value::Bool(value) => {
            lies.push(("the contrary", Some(json!(!value))));
            lies.push(("a text", Some(json!("maybe"))));
        }
        Value::Array(items) => {
            lies.push(("a map", Some(json!({}))));
            lies.push(("empty", Some(json!([]))));
            lies.push(("nulls", Some(json!([null, null]))));
            if let Some(first) = items.first() {
                lies.push(("20,000 times", Some(Value::Array(vec![first.clone(); 20_000]))));
            }
        }
        Value::Object(members) => {
            lies.push(("a list", Some(json!([]))));
            lies.push(("empty", Some(json!({}))));
            if members.values().all(Value::is_string) {
                let many = (0..100_000).map(|n| (format!("k{n}"), json!("v"))).collect();
                lies.push(("100,000 members", Some(Value::Object(many))));
                lies.push(("escapes in keys", Some(json!({ESCAPES: ESCAPES}))));
            }
        }
        Value::Null => {}
    }
    lies
}

fn put(whole: &mut Value, path: &str, lie: Option<Value>) {
    let Some((parent, last)) = path.rsplit_once('/') else { return };
    let last = last.replace("~1", "/").replace("~0", "~");
    match whole.pointer_mut(parent) {
        Some(Value::Object(members)) => match lie {
            Some(lie) => drop(members.insert(last, lie)),
            None => drop(members.remove(&last)),
        },
        Some(Value::Array(items)) => {
            if let Ok(index) = last.parse::<usize>() {
                match lie {
                    Some(lie) => items[index] = lie,
                    None => drop(items.remove(index)),
                }
            }
        }
        _ => {}
    }
}

fn whole_json(value: &Value) -> Vec<(&'static str, Vec<u8>)> {
    let text = value.to_string();
    let deep = format!("{}1{}", "[".repeat(10_000), "]".repeat(10_000));
    let inside = text.strip_suffix('}').map(|rest| {
        let comma = if rest.len() > 1 { "," } else { "" };
        format!("{rest}{comma}\"New\":{deep}}}")
    });
    let maps = text.strip_suffix('}').map(|rest| {
        let comma = if rest.len() > 1 { "," } else { "" };
        format!("{rest}{comma}\"New\":{}1{}}}", "{\"a\":".repeat(10_000), "}".repeat(10_000))
    });
    let mut whole = vec![
        ("all empty", Vec::new()),
        ("all null", b"null".to_vec()),
        ("a list", b"[]".to_vec()),
        ("no JSON", b"<html>\x1b[2J</html>".to_vec()),
        ("no UTF-8", b"{\"Name\":\"\xff\xfe\"}".to_vec()),
        ("cut", text.as_bytes()[..text.len() / 2].to_vec()),
        ("deep", deep.into_bytes()),
        ("nothing in it", b"{}".to_vec()),
    ];
    whole.extend(inside.map(|text| ("a deep list that is new", text.into_bytes())));
    whole.extend(maps.map(|text| ("a deep map that is new", text.into_bytes())));
    whole
}

/// An element of an answer in XML.
struct Element {
    path: String,
    /// From `<` to `>` of its end.
    outer: std::ops::Range<usize>,
    /// What stands in it.
    inner: std::ops::Range<usize>,
    is_leaf: bool,
}

fn elements(text: &str) -> Vec<Element> {
    use quick_xml::events::Event;
    let mut reader = quick_xml::Reader::from_str(text);
    let mut open: Vec<(String, usize, usize, bool)> = Vec::new();
    let mut found: Vec<Element> = Vec::new();
    loop {
        let at =
            |reader: &quick_xml::Reader<&[u8]>| usize::try_from(reader.buffer_position()).expect("a place in memory");
        let before = at(&reader);
        match reader.read_event().expect("true answers are XML") {
            Event::Eof => return found,
            Event::Start(start) => {
                let name = start.name().as_ref().to_owned();
                if let Some(parent) = open.last_mut() {
                    parent.3 = false;
                }
                open.push((name, before, at(&reader), true));
            }
            Event::End(_) => {
                let path = open.iter().map(|(name, ..)| name.as_str()).collect::<Vec<_>>().join("/");
                let Some((_, begin, inner, is_leaf)) = open.pop() else { continue };
                // The items of a list are alike.
                if found.iter().filter(|other| other.path == path).count() < 2 {
                    found.push(Element { path, outer: begin..at(&reader), inner: inner..before, is_leaf });
                }
            }
            _ => {}
        }
    }
}

fn xml_lies(text: &str, element: &Element) -> Vec<(&'static str, String)> {
    let with =
        |range: &std::ops::Range<usize>, new: &str| format!("{}{new}{}", &text[..range.start], &text[range.end..]);
    let mut lies = vec![("missing", with(&element.outer, "")), ("empty", with(&element.inner, ""))];
    if element.is_leaf {
        // XML can't hold most control characters; it can name them.
        lies.push(("unknown", with(&element.inner, "SOMETHING_NEW")));
        lies.push(("escapes", with(&element.inner, "x\u{202e}\u{9b}31m\u{200b}&#27;[2J&#7;y")));
        lies.push(("raw escapes", with(&element.inner, "x\u{1b}[2Jy")));
        lies.push(("huge", with(&element.inner, &"A".repeat(1_000_000))));
        lies.push(("negative", with(&element.inner, "-1")));
        lies.push(("the year 300000", with(&element.inner, "300000-01-01T00:00:00Z")));
        lies.push(("elements", with(&element.inner, "<a><b>1</b></a>")));
    } else if element.path.ends_with("/member") {
        lies.push(("2,000 times", with(&element.outer, &text[element.outer.clone()].repeat(2_000))));
    }
    lies
}

/// Entities that would expand to gigabytes.
fn bomb(text: &str) -> String {
    let mut document = "<?xml version=\"1.0\"?><!DOCTYPE a [<!ENTITY a0 \"aaaaaaaaaa\">".to_owned();
    for n in 1..10 {
        document.extend([format!("<!ENTITY a{n} \""), format!("&a{};", n - 1).repeat(10), "\">".to_owned()]);
    }
    format!("{document}]>{}", text.replacen("</", "&a9;</", 1))
}
