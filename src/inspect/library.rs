//! What Python brings along on Lambda: its standard library by version, and what AWS's runtime has beside it.

use std::collections::HashMap;
use std::sync::LazyLock;

/// Read from Python itself; the file says how.
const TABLE: &str = include_str!("python-library.txt");

/// What AWS's runtime for Python has beside the standard library: its SDK with what that needs, and its own client (AWS Lambda,
/// "Runtime-included SDK versions"; the files of its public images).
const RUNTIME: [&str; 12] = [
    "awslambdaric",
    "boto3",
    "bootstrap",
    "botocore",
    "dateutil",
    "jmespath",
    "runtime_client",
    "s3transfer",
    "simplejson",
    "six",
    "snapshot_restore_py",
    "urllib3",
];

/// What some versions of the runtime have, and others don't: nothing is said of it.
const SOME: [&str; 5] = ["_distutils_hack", "pip", "pkg_resources", "setuptools", "wheel"];

/// Modules that are part of the interpreter itself, which Lambda refuses as a handler's.
const BUILT_IN: [&str; 16] = [
    "_abc",
    "_ast",
    "_io",
    "_thread",
    "atexit",
    "builtins",
    "errno",
    "faulthandler",
    "gc",
    "itertools",
    "marshal",
    "posix",
    "pwd",
    "sys",
    "time",
    "_string",
];

/// Modules that Lambda's client has imported before it looks for the handler's: it would be given those (its `bootstrap.py`).
const LOADED: [&str; 38] = [
    "abc",
    "awslambdaric",
    "bisect",
    "bootstrap",
    "codecs",
    "collections",
    "copyreg",
    "datetime",
    "decimal",
    "email",
    "enum",
    "functools",
    "genericpath",
    "heapq",
    "http",
    "importlib",
    "io",
    "json",
    "keyword",
    "linecache",
    "locale",
    "logging",
    "numbers",
    "operator",
    "os",
    "re",
    "simplejson",
    "site",
    "socket",
    "ssl",
    "stat",
    "string",
    "threading",
    "token",
    "traceback",
    "types",
    "urllib",
    "warnings",
];

/// From which minor version on something is there, and up to which; `None`: in all that Lambda has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub since: Option<u8>,
    pub until: Option<u8>,
}

impl Span {
    /// Whether a version has it; one that isn't known may.
    pub fn has(self, minor: Option<u8>) -> bool {
        minor.is_none_or(|minor| {
            self.since.is_none_or(|since| since <= minor) && self.until.is_none_or(|until| minor <= until)
        })
    }
}

/// The tables of modules, and of the names of some of them.
struct Library {
    modules: HashMap<&'static str, Span>,
    names: HashMap<(&'static str, &'static str), Span>,
}

static LIBRARY: LazyLock<Library> = LazyLock::new(|| {
    let (mut modules, mut names) = (HashMap::new(), HashMap::new());
    for line in TABLE.lines() {
        let mut words = line.split_whitespace();
        let span = |words: &mut dyn Iterator<Item = &'static str>| {
            let mut bound = || words.next().and_then(|word| word.parse().ok());
            Span { since: bound(), until: bound() }
        };
        match words.next() {
            Some("module") => {
                if let Some(name) = words.next() {
                    modules.insert(name, span(&mut words));
                }
            }
            Some("name") => {
                if let (Some(module), Some(name)) = (words.next(), words.next()) {
                    names.insert((module, name), span(&mut words));
                }
            }
            _ => {}
        }
    }
    Library { modules, names }
});

/// A module of the standard library, at the top.
pub(super) fn module(name: &str) -> Option<Span> {
    LIBRARY.modules.get(name).copied()
}

/// The modules of the standard library.
pub(super) fn modules() -> impl Iterator<Item = &'static str> {
    LIBRARY.modules.keys().copied()
}

/// A name of a module that some version lacks.
pub(super) fn name(module: &str, name: &str) -> Option<Span> {
    LIBRARY.names.get(&(module, name)).copied()
}

/// Whether AWS's runtime has a module, or may have it.
pub(super) fn is_of_runtime(name: &str) -> bool {
    RUNTIME.contains(&name) || SOME.contains(&name)
}

/// Whether a module is part of the interpreter itself.
pub(super) fn is_built_in(name: &str) -> bool {
    BUILT_IN.contains(&name)
}

/// Whether a module is there before the handler's is looked for.
pub(super) fn is_loaded(name: &str) -> bool {
    LOADED.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Without it, a slip in the table would make right imports wrong, or wrong ones right.
    #[test]
    fn the_table_is_whole() {
        assert!(LIBRARY.modules.len() > 300 && LIBRARY.names.len() > 100);
        for (name, minor, has) in [
            ("json", None, true),
            ("json", Some(9), true),
            ("distutils", Some(11), true),
            ("distutils", Some(12), false),
            ("cgi", Some(13), false),
            ("tomllib", Some(10), false),
            ("tomllib", Some(11), true),
            ("compression", Some(14), true),
            ("compression", Some(13), false),
        ] {
            assert_eq!(module(name).expect("a module").has(minor), has, "{name} {minor:?}");
        }
        assert!(module("requests").is_none() && module("winreg").is_none());
        assert!(!name("datetime", "UTC").expect("a name").has(Some(10)));
        assert!(name("datetime", "datetime").is_none());
    }
}
