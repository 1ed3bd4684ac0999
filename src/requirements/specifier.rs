//! A requirement as packages and files write one (PEP 508): name, extras, versions, marker.

use pep440_rs::VersionSpecifiers;

use super::marker::Marker;
use super::normalized;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Requirement {
    /// As indexes compare it.
    pub name: String,
    /// The same.
    pub extras: Vec<String>,
    /// The versions as they are written; empty: any.
    pub written: String,
    /// Whether it comes from an address of its own.
    pub has_url: bool,
    pub marker: Option<Marker>,
}

impl Requirement {
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let end =
            text.find(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '-' | '_' | '.')).unwrap_or(text.len());
        let (name, rest) = text.split_at(end);
        let is_end = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
        if !is_end(name.chars().next()) || !is_end(name.chars().next_back()) {
            return Err("it doesn't begin with a package's name".to_owned());
        }
        let mut rest = rest.trim_start();
        let mut extras = Vec::new();
        if let Some(inner) = rest.strip_prefix('[') {
            let (list, behind) = inner.split_once(']').ok_or("its extras aren't closed")?;
            for extra in list.split(',').map(str::trim) {
                if extra.is_empty() || !extra.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
                {
                    return Err(format!("`{extra}` is no extra"));
                }
                extras.push(normalized(extra));
            }
            rest = behind.trim_start();
        }
        if let Some(url) = rest.strip_prefix('@') {
            let marker = url.split_once(" ;").map(|(_, marker)| Marker::parse(marker)).transpose()?;
            return Ok(Self { name: normalized(name), extras, written: String::new(), has_url: true, marker });
        }
        let (versions, marker) = match rest.split_once(';') {
            Some((versions, marker)) => (versions, Some(Marker::parse(marker)?)),
            None => (rest, None),
        };
        let versions = versions.trim();
        let versions = versions.strip_prefix('(').and_then(|inner| inner.strip_suffix(')')).unwrap_or(versions);
        if versions.starts_with(|c: char| !matches!(c, '=' | '<' | '>' | '!' | '~')) {
            return Err(format!(
                "`{}` is left over after the name",
                versions.split_whitespace().next().unwrap_or_default()
            ));
        }
        Ok(Self { name: normalized(name), extras, written: versions.trim().to_owned(), has_url: false, marker })
    }

    /// The versions that serve; `None` where they aren't written as versions are.
    pub fn versions(&self) -> Option<VersionSpecifiers> {
        self.written.parse().ok()
    }
}
