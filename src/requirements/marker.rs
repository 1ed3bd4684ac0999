//! Markers: for which machines a requirement holds (PEP 508).
//!
//! The published parser of them needs a crate under a licence that this project doesn't take; versions are compared by the published one.

use pep440_rs::{Version, VersionSpecifiers};

use super::{Platform, normalized};

/// The deepest nesting of parentheses.
const MAX_DEPTH: usize = 32;

/// Later patches of a Python than any.
const LAST_PATCH: u64 = 999;

/// Whether a marker holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Truth {
    Known(bool),
    /// It hangs on what isn't known of a function, or may change under it.
    Depends(String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Marker {
    All(Vec<Marker>),
    Any(Vec<Marker>),
    Compare { left: Value, operator: String, right: Value },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    Variable(&'static str),
    Text(String),
}

const VARIABLES: [&str; 12] = [
    "python_version",
    "python_full_version",
    "os_name",
    "sys_platform",
    "platform_release",
    "platform_system",
    "platform_version",
    "platform_machine",
    "platform_python_implementation",
    "implementation_name",
    "implementation_version",
    "extra",
];

impl Marker {
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut reader = Reader { rest: text, depth: 0 };
        let marker = reader.any()?;
        if reader.rest.trim_start().is_empty() {
            Ok(marker)
        } else {
            Err(format!("`{}` is left over in its marker", reader.rest.trim()))
        }
    }

    /// Whether it holds for a function, and where these extras are asked for.
    pub fn holds(&self, platform: Platform, extras: &[String]) -> Truth {
        match self {
            Self::All(all) => joined(all.iter().map(|one| one.holds(platform, extras)), false),
            Self::Any(any) => joined(any.iter().map(|one| one.holds(platform, extras)), true),
            Self::Compare { left, operator, right } => compare(left, operator, right, platform, extras),
        }
    }
}

/// The first that is `decisive` decides, whatever isn't known of the others.
fn joined(parts: impl Iterator<Item = Truth>, decisive: bool) -> Truth {
    let mut open = None;
    for part in parts {
        match part {
            Truth::Known(known) if known == decisive => return Truth::Known(decisive),
            Truth::Known(_) => {}
            Truth::Depends(on) => drop(open.get_or_insert(on)),
        }
    }
    open.map_or(Truth::Known(!decisive), Truth::Depends)
}

fn compare(left: &Value, operator: &str, right: &Value, platform: Platform, extras: &[String]) -> Truth {
    let (variable, text, is_swapped) = match (left, right) {
        (Value::Variable(variable), Value::Text(text)) => (*variable, text, false),
        (Value::Text(text), Value::Variable(variable)) => (*variable, text, true),
        _ => return Truth::Depends("a comparison of two of a kind".to_owned()),
    };
    let words = |known: &str| words(known, operator, text, is_swapped).map_or_else(|| depends(variable), Truth::Known);
    let minor = u64::from(platform.minor);
    match variable {
        "extra" => {
            let is_in = extras.contains(&normalized(text));
            match operator {
                "==" => Truth::Known(is_in),
                "!=" => Truth::Known(!is_in),
                _ => depends(variable),
            }
        }
        "python_version" => {
            version(&[3, minor], operator, text, is_swapped).map_or_else(|| depends(variable), Truth::Known)
        }
        "python_full_version" | "implementation_version" => {
            // Lambda moves on to other patches by itself: what they don't agree on isn't known.
            let of = |patch: u64| version(&[3, minor, patch], operator, text, is_swapped);
            match (of(0), of(LAST_PATCH)) {
                (Some(first), Some(last)) if first == last && !is_between(text, minor) => Truth::Known(first),
                _ => depends(variable),
            }
        }
        "os_name" => words("posix"),
        "sys_platform" => words("linux"),
        "platform_system" => words("Linux"),
        "platform_machine" => words(platform.machine.word()),
        "platform_python_implementation" => words("CPython"),
        "implementation_name" => words("cpython"),
        _ => depends(variable),
    }
}

/// Whether a text names one patch of this Python, which is neither its first nor its last.
fn is_between(text: &str, minor: u64) -> bool {
    let is_one = |part: &str| {
        part.trim()
            .parse::<Version>()
            .is_ok_and(|version| matches!(version.release(), [3, of, patch, ..] if *of == minor && *patch != 0))
    };
    text.split([',', ' ']).any(is_one)
}

fn depends(variable: &str) -> Truth {
    Truth::Depends(variable.to_owned())
}

fn words(known: &str, operator: &str, text: &str, is_swapped: bool) -> Option<bool> {
    let (left, right) = if is_swapped { (text, known) } else { (known, text) };
    Some(match operator {
        "==" | "===" => left == right,
        "!=" => left != right,
        "in" => right.contains(left),
        "not in" => !right.contains(left),
        // Words in an order: not in use, and each installer has its own idea.
        _ => return None,
    })
}

/// Compares a version; `None` where the text is none.
fn version(known: &[u64], operator: &str, text: &str, is_swapped: bool) -> Option<bool> {
    let known = Version::new(known);
    if matches!(operator, "in" | "not in") {
        // A list in one text, such as "3.8 3.9".
        let names = |part: &str| part.parse::<Version>().is_ok_and(|version| version == known);
        let is_in = text.split([',', ' ']).any(names);
        return (!is_swapped).then_some(is_in == (operator == "in"));
    }
    let operator = match (operator, is_swapped) {
        ("<", true) => ">",
        ("<=", true) => ">=",
        (">", true) => "<",
        (">=", true) => "<=",
        ("~=", true) => return None,
        (operator, _) => operator,
    };
    Some(format!("{operator}{text}").parse::<VersionSpecifiers>().ok()?.contains(&known))
}

struct Reader<'a> {
    rest: &'a str,
    depth: usize,
}

impl Reader<'_> {
    fn any(&mut self) -> Result<Marker, String> {
        let mut parts = vec![self.all()?];
        while self.takes_word("or") {
            parts.push(self.all()?);
        }
        Ok(one_or(parts, Marker::Any))
    }

    fn all(&mut self) -> Result<Marker, String> {
        let mut parts = vec![self.one()?];
        while self.takes_word("and") {
            parts.push(self.one()?);
        }
        Ok(one_or(parts, Marker::All))
    }

    fn one(&mut self) -> Result<Marker, String> {
        self.rest = self.rest.trim_start();
        if let Some(rest) = self.rest.strip_prefix('(') {
            if self.depth == MAX_DEPTH {
                return Err("its marker is nested too deeply".to_owned());
            }
            (self.rest, self.depth) = (rest, self.depth + 1);
            let inner = self.any()?;
            self.depth -= 1;
            self.rest = self.rest.trim_start().strip_prefix(')').ok_or("a parenthesis of its marker isn't closed")?;
            return Ok(inner);
        }
        let left = self.value()?;
        let operator = self.operator()?;
        let right = self.value()?;
        if let (Value::Variable("extra"), _) | (_, Value::Variable("extra")) = (&left, &right)
            && !matches!(operator.as_str(), "==" | "!=")
        {
            return Err("`extra` in a marker is compared by `==`".to_owned());
        }
        Ok(Marker::Compare { left, operator, right })
    }

    fn takes_word(&mut self, word: &str) -> bool {
        let rest = self.rest.trim_start();
        let behind = rest.strip_prefix(word).filter(|behind| behind.starts_with([' ', '\t', '(', '"', '\'']));
        behind.inspect(|behind| self.rest = behind).is_some()
    }

    fn operator(&mut self) -> Result<String, String> {
        for operator in ["===", "==", "<=", ">=", "!=", "~=", "<", ">"] {
            if let Some(rest) = self.rest.trim_start().strip_prefix(operator) {
                self.rest = rest;
                return Ok(operator.to_owned());
            }
        }
        if self.takes_word("in") {
            return Ok("in".to_owned());
        }
        if self.takes_word("not") && self.takes_word("in") {
            return Ok("not in".to_owned());
        }
        Err(format!("its marker lacks a comparison before `{}`", self.rest.trim_start()))
    }

    fn value(&mut self) -> Result<Value, String> {
        let rest = self.rest.trim_start();
        if let Some(quote @ ('"' | '\'')) = rest.chars().next() {
            let (text, behind) = rest[1..].split_once(quote).ok_or("a text of its marker isn't closed")?;
            self.rest = behind;
            return Ok(Value::Text(text.to_owned()));
        }
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
        let (word, behind) = rest.split_at(end);
        let known = VARIABLES.iter().find(|known| **known == word);
        let known = known.ok_or_else(|| format!("`{word}` means nothing in a marker"))?;
        self.rest = behind;
        Ok(Value::Variable(known))
    }
}

fn one_or(mut parts: Vec<Marker>, several: fn(Vec<Marker>) -> Marker) -> Marker {
    if parts.len() > 1 { several(parts) } else { parts.pop().unwrap_or_else(|| several(Vec::new())) }
}
