//! What an index answers (the simple API: PEP 503 in HTML, PEP 691 in JSON), and the file that is taken of it.

use serde::Deserialize;
use url::Url;

use super::wheel::Rank;
use super::{Pin, Platform, WheelName};

/// What is asked for: JSON where the index knows it.
pub const ACCEPT: &str =
    "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1";

/// How many names are said of wheels that don't serve.
const MAX_NAMED: usize = 4;

/// A file that an index has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offered {
    /// Its name.
    pub file: String,
    /// Where it lies.
    pub url: Url,
    /// Its SHA-256 in hex, where the index says it.
    pub sha256: Option<String>,
}

/// The address of a project's page. `index`: the address of the simple API.
pub fn page(index: &Url, name: &str) -> Option<Url> {
    let mut base = index.clone();
    base.set_query(None);
    base.set_fragment(None);
    if !base.path().ends_with('/') {
        base.set_path(&format!("{}/", base.path()));
    }
    base.join(&format!("{name}/")).ok()
}

/// Reads a page. `at`: where it was read in the end.
pub fn read(kind: &str, body: &[u8], at: &Url) -> Result<Vec<Offered>, String> {
    if kind.contains("json") {
        return json(body, at);
    }
    let text = std::str::from_utf8(body).map_err(|_| "its page isn't UTF-8".to_owned())?;
    Ok(html(text, at))
}

#[derive(Deserialize)]
struct Page {
    files: Vec<File>,
}

#[derive(Deserialize)]
struct File {
    filename: String,
    url: String,
    #[serde(default)]
    hashes: std::collections::BTreeMap<String, String>,
}

fn json(body: &[u8], at: &Url) -> Result<Vec<Offered>, String> {
    let page: Page = serde_json::from_slice(body).map_err(|error| format!("its page is no list of files: {error}"))?;
    let offered = |file: File| {
        let url = at.join(&file.url).ok()?;
        Some(Offered {
            file: file.filename,
            url,
            sha256: file.hashes.get("sha256").map(|hash| hash.to_ascii_lowercase()),
        })
    };
    Ok(page.files.into_iter().filter_map(offered).collect())
}

/// The links of a page, whose last parts are the files' names: its other words are for people.
fn html(text: &str, at: &Url) -> Vec<Offered> {
    let lower = text.to_ascii_lowercase();
    let mut found = Vec::new();
    for (begin, _) in lower.match_indices("<a") {
        let tag = &text[begin + 2..];
        if !tag.starts_with(char::is_whitespace) {
            continue;
        }
        let tag = &tag[..tag.find('>').unwrap_or(tag.len())];
        let Some(url) = attribute(tag, "href").and_then(|href| at.join(&unescaped(href)).ok()) else { continue };
        let last = url.path_segments().and_then(Iterator::last).unwrap_or_default();
        let file = percent_encoding::percent_decode_str(last).decode_utf8_lossy().into_owned();
        let sha256 = url.fragment().and_then(|fragment| fragment.strip_prefix("sha256=")).map(str::to_ascii_lowercase);
        let mut url = url;
        url.set_fragment(None);
        found.push(Offered { file, url, sha256 });
    }
    found
}

/// The value of an attribute of a tag.
fn attribute<'a>(tag: &'a str, name: &str) -> Option<&'a str> {
    let at = tag.to_ascii_lowercase().find(&format!("{name}="))?;
    let value = &tag[at + name.len() + 1..];
    match value.chars().next()? {
        quote @ ('"' | '\'') => value[1..].split(quote).next(),
        _ => value.split_whitespace().next(),
    }
}

/// Addresses in pages have `&` as a name.
fn unescaped(text: &str) -> String {
    text.replace("&#43;", "+").replace("&quot;", "\"").replace("&#x2B;", "+").replace("&amp;", "&")
}

/// The wheel that serves a requirement best, of what an index has. Only those whose hashes the requirement has, or of which the index says
/// none: their content is looked at anyway.
///
/// # Errors
/// Why none serves, in words.
pub fn choose<'a>(pin: &Pin, offered: &'a [Offered], platform: Platform) -> Result<&'a Offered, String> {
    let named = |one: &&Offered| one.sha256.as_ref().is_none_or(|hash| pin.hashes.contains(hash));
    let of_version = |name: &WheelName| name.distribution == pin.name && name.version == pin.version;
    let mut best: Option<(Rank, &Offered)> = None;
    let (mut others, mut is_elsewhere) = (Vec::new(), false);
    for one in offered {
        let Some(name) = WheelName::parse(&one.file).filter(of_version) else { continue };
        let Some(rank) = name.rank(platform) else {
            if named(&one) {
                others.push(name.tags());
            }
            continue;
        };
        if !named(&one) {
            is_elsewhere = true;
            continue;
        }
        let is_better = best.as_ref().is_none_or(|(known, taken)| (&rank, &one.file) < (known, &taken.file));
        if is_better {
            best = Some((rank, one));
        }
    }
    if let Some((_, taken)) = best {
        return Ok(taken);
    }
    let (name, version) = (&pin.name, &pin.version);
    Err(if is_elsewhere {
        format!("the index has wheels of `{name}` {version} for {platform}, but none with a hash of the file")
    } else if others.is_empty() {
        format!("the index has no wheel of `{name}` {version}")
    } else {
        let more = others.len().saturating_sub(MAX_NAMED);
        others.truncate(MAX_NAMED);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        format!(
            "no wheel of `{name}` {version} runs on {platform} (glibc up to 2.{}): there are {}{more}",
            platform.glibc(),
            others.join(", ")
        )
    })
}
