//! Patterns of files and targets: `*` within a name, `**` over folders, `?`, `[…]` and `{…}`.
//!
//! A pattern may come from a stranger, and the library behind it compiles anything, at any cost, or panics.
//! So this is the only place that hands it one: of bounded length and depth, and by the way that answers with an error.

use std::path::Path;

use globset::{GlobBuilder, GlobSet};

/// The longest pattern, in bytes. A path of AWS's or of Lambda's packages is shorter.
pub const MAX_LENGTH: usize = 1_024;

/// How deep `{…}` may stand inside `{…}`.
pub const MAX_DEPTH: usize = 8;

/// A pattern that can be asked. `/` is matched only by itself and by `**`.
#[derive(Debug, Clone)]
pub struct Glob(GlobSet);

impl Glob {
    /// Reads a pattern; the error says what is wrong with it.
    pub fn new(pattern: &str) -> Result<Self, String> {
        Self::read(pattern, true)
    }

    /// Reads a pattern of names, in which `/` is a letter like any other.
    pub fn of_names(pattern: &str) -> Result<Self, String> {
        Self::read(pattern, false)
    }

    fn read(pattern: &str, folders: bool) -> Result<Self, String> {
        check_length(pattern)?;
        if depth(pattern) > MAX_DEPTH {
            return Err(format!("`{{…}}` stands in `{{…}}` more than {MAX_DEPTH} times"));
        }
        let glob = GlobBuilder::new(pattern).literal_separator(folders).backslash_escape(false).build();
        let glob = glob.map_err(|error| error.kind().to_string())?;
        // Of a set, since a single one can be compiled only in a way that panics.
        let set = GlobSet::builder().add(glob).build();
        set.map(Self).map_err(|_| "it is too large".to_owned())
    }

    /// Whether it matches the whole of a path or name.
    pub fn is_match(&self, path: impl AsRef<Path>) -> bool {
        self.0.is_match(path)
    }
}

/// Why a pattern of any kind is too long.
pub fn check_length(pattern: &str) -> Result<(), String> {
    if pattern.len() > MAX_LENGTH { Err(format!("a pattern has at most {MAX_LENGTH} bytes")) } else { Ok(()) }
}

/// How deep braces stand in braces; those in `[…]` count too, which no pattern needs.
fn depth(pattern: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    for byte in pattern.bytes() {
        match byte {
            b'{' => depth += 1,
            b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Without it, a manifest of a few hundred bytes could end the program, or keep it busy for minutes.
    #[test]
    fn patterns_are_bounded_before_they_are_compiled() {
        let long = [
            "{".repeat(250) + "a" + &"}".repeat(250),
            "*".repeat(100_000),
            "?".repeat(1 << 20),
            "[!a]".repeat(300_000),
            "{a,b}".repeat(50_000),
            "*a".repeat(50_000),
            "{".repeat(9) + "a" + &"}".repeat(9),
        ];
        for pattern in long {
            assert!(Glob::new(&pattern).is_err(), "{}", &pattern[..pattern.len().min(40)]);
        }
        // The largest that are let through.
        for part in
            ["*", "?", "[!a]", "[a-z]", "{a,b}", "**/", "*a", "{**/x,[!y]?}", "\u{10ffff}", "{", "[", "{a,{b,{c,*}}}"]
        {
            let pattern = part.repeat(MAX_LENGTH / part.len());
            if let Ok(glob) = Glob::new(&pattern) {
                glob.is_match("a/".repeat(2_000));
                glob.is_match("a".repeat(4_000));
            }
        }
    }

    #[test]
    fn slashes_are_matched_by_two_stars_alone() {
        let matches = |pattern: &str, path: &str| Glob::new(pattern).expect("valid").is_match(path);
        assert!(matches("services/*.yaml", "services/a.yaml") && !matches("services/*.yaml", "services/a/b.yaml"));
        assert!(matches("**/*.yaml", "a/b/c.yaml") && matches("{dev,prod-*}", "prod-eu"));
        assert!(!matches("prod-*", "dev") && !matches("a?b", "a/b"));
        assert!(Glob::new("[").is_err() && Glob::new("{a").is_err());
    }
}
